// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver that uses dma-bufs, by the two ways in which drivers can: the
 * memory is for a device, or the kernel maps it.  The device is none, so what
 * it would do the processor does, with the pages that were given to it.
 *
 * Each open file uses one dma-buf, and lets go of it when it is closed.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/iosys-map.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "dmabuf_user.h"

#define MAX_BYTES	SZ_4K

static struct platform_device *pdev;

/* Has a dma-buf, and an attachment or an address in the kernel. */
struct usage {
	struct mutex lock;	/* one ioctl at a time */
	struct dma_buf *buf;
	struct dma_buf_attachment *attachment;
	struct sg_table *pages;
	struct iosys_map map;
};

static int import(struct usage *usage, struct dma_buf *buf)
{
	struct dma_buf_attachment *attachment;
	struct sg_table *pages;

	attachment = dma_buf_attach(buf, &pdev->dev);
	if (IS_ERR(attachment))
		return PTR_ERR(attachment);
	pages = dma_buf_map_attachment_unlocked(attachment, DMA_BIDIRECTIONAL);
	if (IS_ERR(pages)) {
		dma_buf_detach(buf, attachment);
		return PTR_ERR(pages);
	}
	usage->attachment = attachment;
	usage->pages = pages;
	return 0;
}

static long user_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct usage *usage = file->private_data;
	struct dma_buf *buf;
	long ret = -ENOTTY;

	buf = dma_buf_get(arg);
	if (IS_ERR(buf))
		return PTR_ERR(buf);
	mutex_lock(&usage->lock);
	if (usage->buf)
		ret = -EBUSY;
	else if (cmd == DMABUF_USER_IMPORT)
		ret = import(usage, buf);
	else if (cmd == DMABUF_USER_VMAP)
		ret = dma_buf_vmap_unlocked(buf, &usage->map);
	if (!ret)
		usage->buf = buf;
	mutex_unlock(&usage->lock);
	if (ret)
		dma_buf_put(buf);
	return ret;
}

/* Moves bytes between the dma-buf and memory of the kernel. */
static bool move(struct usage *usage, void *bytes, size_t count, loff_t pos,
		 bool write)
{
	struct sg_table *pages = usage->pages;

	if (!usage->buf || pos < 0 || pos + count > usage->buf->size)
		return false;
	if (pages)
		return sg_copy_buffer(pages->sgl, pages->orig_nents, bytes,
				      count, pos, !write) == count;
	if (write)
		iosys_map_memcpy_to(&usage->map, pos, bytes, count);
	else
		iosys_map_memcpy_from(bytes, &usage->map, pos, count);
	return true;
}

static ssize_t user_read(struct file *file, char __user *to, size_t count,
			 loff_t *pos)
{
	struct usage *usage = file->private_data;
	void *bytes;
	ssize_t ret;

	count = min_t(size_t, count, MAX_BYTES);
	bytes = kzalloc(count, GFP_KERNEL);
	if (!bytes)
		return -ENOMEM;
	ret = move(usage, bytes, count, *pos, false) ? 0 : -ENXIO;
	if (!ret)
		ret = copy_to_user(to, bytes, count) ? -EFAULT : count;
	kfree(bytes);
	return ret;
}

static ssize_t user_write(struct file *file, const char __user *from,
			  size_t count, loff_t *pos)
{
	struct usage *usage = file->private_data;
	void *bytes;
	ssize_t ret;

	count = min_t(size_t, count, MAX_BYTES);
	bytes = memdup_user(from, count);
	if (IS_ERR(bytes))
		return PTR_ERR(bytes);
	ret = move(usage, bytes, count, *pos, true) ? count : -ENXIO;
	kfree(bytes);
	return ret;
}

static int user_open(struct inode *inode, struct file *file)
{
	struct usage *usage = kzalloc(sizeof(*usage), GFP_KERNEL);

	if (!usage)
		return -ENOMEM;
	mutex_init(&usage->lock);
	file->private_data = usage;
	return 0;
}

static int user_release(struct inode *inode, struct file *file)
{
	struct usage *usage = file->private_data;
	struct dma_buf *buf = usage->buf;

	if (usage->attachment) {
		dma_buf_unmap_attachment_unlocked(usage->attachment,
						  usage->pages,
						  DMA_BIDIRECTIONAL);
		dma_buf_detach(buf, usage->attachment);
	} else if (buf) {
		dma_buf_vunmap_unlocked(buf, &usage->map);
	}
	if (buf)
		dma_buf_put(buf);
	kfree(usage);
	return 0;
}

static const struct file_operations user_fops = {
	.owner = THIS_MODULE,
	.open = user_open,
	.release = user_release,
	.unlocked_ioctl = user_ioctl,
	.read = user_read,
	.write = user_write,
};

static struct miscdevice misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dmabuf_user",
	.fops = &user_fops,
};

static int __init dmabuf_user_init(void)
{
	int err;

	pdev = platform_device_register_simple(DMABUF_USER_DEVICE,
					       PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(pdev))
		return PTR_ERR(pdev);
	err = dma_coerce_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64)) ?:
	      misc_register(&misc);
	if (err)
		platform_device_unregister(pdev);
	return err;
}

static void __exit dmabuf_user_exit(void)
{
	misc_deregister(&misc);
	platform_device_unregister(pdev);
}

module_init(dmabuf_user_init);
module_exit(dmabuf_user_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("memgate selftest: a driver that uses dma-bufs");
MODULE_IMPORT_NS(DMA_BUF);
