// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VFIO device without hardware, as mediated devices are: what it does to
 * memory the kernel does, by the two ways there are.
 *
 *	pread, pwrite at an IOVA	vfio_dma_rw()
 *	ioctl EMULATED_PIN, IOVA	vfio_pin_pages() of one page; answers
 *					with the first byte of it
 */
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

#define EMULATED_PIN	_IO(VFIO_TYPE, VFIO_BASE + 200)
#define MAX_BYTES	SZ_4K

static struct platform_device *pdev;

static ssize_t emulated_read(struct vfio_device *device, char __user *buf,
			     size_t count, loff_t *ppos)
{
	void *bytes;
	ssize_t ret;

	count = min_t(size_t, count, MAX_BYTES);
	bytes = kzalloc(count, GFP_KERNEL);
	if (!bytes)
		return -ENOMEM;
	ret = vfio_dma_rw(device, *ppos, bytes, count, false);
	if (!ret)
		ret = copy_to_user(buf, bytes, count) ? -EFAULT : count;
	kfree(bytes);
	return ret;
}

static ssize_t emulated_write(struct vfio_device *device,
			      const char __user *buf, size_t count,
			      loff_t *ppos)
{
	void *bytes;
	ssize_t ret;

	count = min_t(size_t, count, MAX_BYTES);
	bytes = memdup_user(buf, count);
	if (IS_ERR(bytes))
		return PTR_ERR(bytes);
	ret = vfio_dma_rw(device, *ppos, bytes, count, true);
	kfree(bytes);
	return ret ?: count;
}

/* Pins and lets go: whether the device gets the page is what counts. */
static long emulated_pin(struct vfio_device *device, dma_addr_t iova)
{
	struct page *page;
	u8 *mem, first;
	int ret;

	ret = vfio_pin_pages(device, iova, 1, IOMMU_READ | IOMMU_WRITE, &page);
	if (ret != 1)
		return ret ?: -ENODATA;
	mem = kmap_local_page(page);
	first = *mem;
	kunmap_local(mem);
	vfio_unpin_pages(device, iova, 1);
	return first;
}

static long emulated_ioctl(struct vfio_device *device, unsigned int cmd,
			   unsigned long arg)
{
	return cmd == EMULATED_PIN ? emulated_pin(device, arg) : -ENOTTY;
}

static int emulated_open(struct vfio_device *device)
{
	return 0;
}

static void emulated_close(struct vfio_device *device)
{
}

/* What it pins it does not keep. */
static void emulated_unmap(struct vfio_device *device, u64 iova, u64 length)
{
}

static const struct vfio_device_ops emulated_ops = {
	.name = "memgate-emulated",
	.bind_iommufd = vfio_iommufd_emulated_bind,
	.unbind_iommufd = vfio_iommufd_emulated_unbind,
	.attach_ioas = vfio_iommufd_emulated_attach_ioas,
	.detach_ioas = vfio_iommufd_emulated_detach_ioas,
	.open_device = emulated_open,
	.close_device = emulated_close,
	.read = emulated_read,
	.write = emulated_write,
	.ioctl = emulated_ioctl,
	.dma_unmap = emulated_unmap,
};

static int emulated_probe(struct platform_device *device)
{
	struct vfio_device *vdev;
	int ret;

	vdev = _vfio_alloc_device(sizeof(*vdev), &device->dev, &emulated_ops);
	if (IS_ERR(vdev))
		return PTR_ERR(vdev);
	ret = vfio_register_emulated_iommu_dev(vdev);
	if (ret) {
		vfio_put_device(vdev);
		return ret;
	}
	platform_set_drvdata(device, vdev);
	return 0;
}

static void emulated_remove(struct platform_device *device)
{
	struct vfio_device *vdev = platform_get_drvdata(device);

	vfio_unregister_group_dev(vdev);
	vfio_put_device(vdev);
}

static struct platform_driver emulated_driver = {
	.probe = emulated_probe,
	.remove = emulated_remove,
	.driver.name = "memgate-emulated",
};

static int __init emulated_init(void)
{
	int ret;

	ret = platform_driver_register(&emulated_driver);
	if (ret)
		return ret;
	pdev = platform_device_register_simple("memgate-emulated", -1, NULL, 0);
	if (!IS_ERR(pdev))
		return 0;
	platform_driver_unregister(&emulated_driver);
	return PTR_ERR(pdev);
}

static void __exit emulated_exit(void)
{
	platform_device_unregister(pdev);
	platform_driver_unregister(&emulated_driver);
}

module_init(emulated_init);
module_exit(emulated_exit);
MODULE_DESCRIPTION("VFIO device without hardware, for memgate's tests");
MODULE_LICENSE("GPL");
