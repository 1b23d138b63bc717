// SPDX-License-Identifier: GPL-2.0-only
/*
 * memgate - policies as struct_ops maps, and installs as their links
 *
 * A policy is a struct_ops map of type memgate_ops made with BPF_F_LINK.
 * BPF_LINK_CREATE with BPF_F_STRUCT_OPS_FD installs it on the memfd
 * target_fd:
 *
 *   # bpftool struct_ops register exclusive_kvm.bpf.o /sys/fs/bpf/memgate
 *   # memgate gate attach fd 5 policy exclusive_kvm
 *
 * BPF calls reg_fd, update and detach under its update_mutex, and the unreg
 * of a link whose last reference is gone without it.
 */
#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/memfd.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "internal.h"

#define MEMGATE_ALL_CLASSES	(MEMGATE_CLASS(MEMGATE_NR_CLASSES) - 1)

/* The names of the arguments tell the verifier which may be NULL. */
static int memgate_ops__may_attach(struct memgate *gate,
				   struct memgate_consumer *consumer,
				   struct device *dev__nullable, u32 rights,
				   u64 start, u64 len)
{
	return -EACCES;
}

static int memgate_ops__may_map(struct memgate *gate, u32 op, u32 rights,
				u64 start, u64 len)
{
	return -EACCES;
}

static void memgate_ops__detached(struct memgate *gate,
				  struct memgate_consumer *consumer,
				  u32 rights)
{
}

static void memgate_ops__released(struct memgate *gate)
{
}

static struct memgate_ops memgate_ops_stubs = {
	.may_attach = memgate_ops__may_attach,
	.may_map = memgate_ops__may_map,
	.detached = memgate_ops__detached,
	.released = memgate_ops__released,
};

static int memgate_ops_init(struct btf *btf)
{
	return 0;
}

/* Programs run under mmap_lock and in RCU read sections. */
static int memgate_ops_check_member(const struct btf_type *t,
				    const struct btf_member *member,
				    const struct bpf_prog *prog)
{
	return prog->sleepable ? -EOPNOTSUPP : 0;
}

static int memgate_ops_init_member(const struct btf_type *t,
				   const struct btf_member *member,
				   void *kdata, const void *udata)
{
	const struct memgate_ops *uops = udata;
	struct memgate_ops *ops = kdata;

	switch (__btf_member_bit_offset(t, member) / 8) {
	case offsetof(struct memgate_ops, decides):
		if (!uops->decides || uops->decides & ~MEMGATE_ALL_CLASSES)
			return -EINVAL;
		ops->decides = uops->decides;
		return 1;
	case offsetof(struct memgate_ops, params_size):
		if (uops->params_size > MEMGATE_PARAMS_MAX)
			return -E2BIG;
		ops->params_size = uops->params_size;
		return 1;
	case offsetof(struct memgate_ops, name):
		if (bpf_obj_name_cpy(ops->name, uops->name,
				     sizeof(ops->name)) <= 0)
			return -EINVAL;
		return 1;
	}
	return 0;
}

/* A class that a policy decides must have the program that is asked. */
static int memgate_ops_validate(void *kdata)
{
	struct memgate_ops *ops = kdata;
	u64 map = MEMGATE_CLASS(MEMGATE_MAP);

	if ((ops->decides & map) && !ops->may_map)
		return -EINVAL;
	if ((ops->decides & ~map) && !ops->may_attach)
		return -EINVAL;
	return 0;
}

/* Without BPF_F_STRUCT_OPS_FD a link keeps the policy loaded, no more. */
static int memgate_ops_reg(void *kdata, struct bpf_link *link)
{
	return link ? 0 : -EOPNOTSUPP;
}

static struct memgate_install *
memgate_install_alloc(const struct memgate_ops *ops, struct bpf_link *link,
		      const union bpf_attr *attr)
{
	u32 len = attr->link_create.struct_ops.params_len;
	struct memgate_install *install;

	if (len > MEMGATE_PARAMS_MAX)
		return ERR_PTR(-E2BIG);
	if (len != ops->params_size)
		return ERR_PTR(-EMSGSIZE);

	install = kzalloc(struct_size(install, params, len),
			  GFP_KERNEL_ACCOUNT);
	if (!install)
		return ERR_PTR(-ENOMEM);
	install->params_len = len;
	if (copy_from_user(install->params,
			   u64_to_user_ptr(attr->link_create.struct_ops.params),
			   len)) {
		kfree(install);
		return ERR_PTR(-EFAULT);
	}
	/* The map of @ops is held by the link for now. */
	RCU_INIT_POINTER(install->ops, ops);
	install->link = link;
	return install;
}

/* i_rwsem is held for writing, so nobody else appends. */
static int memgate_install_add(struct memgate *gate,
			       struct memgate_install *install,
			       const struct memgate_ops *ops)
{
	if (list_count_nodes(&gate->installs) >= MEMGATE_MAX_INSTALLS)
		return -ENOSPC;
	/* The gate may keep the policy longer than the link does. */
	if (!bpf_struct_ops_get(ops))
		return -EINVAL;

	refcount_inc(&gate->ref);
	install->gate = gate;
	bpf_struct_ops_link_set_target(install->link, install, gate->id);
	spin_lock(&memgate_lock);
	list_add_tail_rcu(&install->node, &gate->installs);
	spin_unlock(&memgate_lock);
	return 0;
}

/* Whoever has the memfd for writing, until its seals are sealed. */
static int memgate_may_install(struct file *file)
{
	int seals = memfd_fcntl(file, F_GET_SEALS, 0);

	if (seals < 0)
		return seals;
	if (!(file->f_mode & FMODE_WRITE))
		return -EPERM;
	if ((seals & F_SEAL_SEAL) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	return 0;
}

static int memgate_ops_reg_fd(void *kdata, struct bpf_link *link,
			      const union bpf_attr *attr)
{
	CLASS(fd, f)(attr->link_create.target_fd);
	struct memgate_install *install;
	struct memgate *gate, *spare;
	struct inode *inode;
	int ret;

	if (fd_empty(f))
		return -EBADF;
	inode = file_inode(fd_file(f));
	if (!memfd_may_gate(fd_file(f)))
		return -EINVAL;

	install = memgate_install_alloc(kdata, link, attr);
	if (IS_ERR(install))
		return PTR_ERR(install);
	spare = memgate_prepare();
	if (IS_ERR(spare)) {
		kfree(install);
		return PTR_ERR(spare);
	}

	inode_lock(inode);
	ret = memgate_may_install(fd_file(f));
	gate = memgate_get(inode);
	if (!ret && !gate) {
		ret = memfd_seal_access(fd_file(f), spare);
		if (!ret) {
			spare = NULL;
			gate = memgate_get(inode);
		}
	}
	if (!ret)
		ret = memgate_install_add(gate, install, kdata);
	inode_unlock(inode);

	if (gate)
		memgate_put(gate);
	memgate_discard(spare);
	if (ret)
		kfree(install);
	return ret;
}

/*
 * The link goes.  Its place on the gate stays, and is closed, unless the
 * gate is frozen or dying: then the policy stays.
 */
static void memgate_ops_unreg(void *kdata, struct bpf_link *link)
{
	struct memgate_install *install = bpf_struct_ops_link_target(link);
	struct memgate *gate;
	bool drop;

	if (!install)
		return;

	gate = install->gate;
	spin_lock(&memgate_lock);
	install->link = NULL;
	drop = !gate->frozen && !gate->dead;
	if (drop) {
		install->closed.decides = ((struct memgate_ops *)kdata)->decides;
		strscpy(install->closed.name,
			((struct memgate_ops *)kdata)->name);
		rcu_assign_pointer(install->ops, &install->closed);
	}
	spin_unlock(&memgate_lock);

	/* Freed after a grace period: a program of it may still run. */
	if (drop)
		bpf_struct_ops_put(kdata);
	memgate_put(gate);
}

static int memgate_ops_update(void *kdata, void *old_kdata,
			      struct bpf_link *link)
{
	struct memgate_install *install = bpf_struct_ops_link_target(link);
	struct memgate_ops *ops = kdata;
	int ret = 0;

	if (!install)
		return 0;
	if (ops->params_size != install->params_len)
		return -EMSGSIZE;
	if (!bpf_struct_ops_get(ops))
		return -EINVAL;

	spin_lock(&memgate_lock);
	if (install->gate->frozen)
		ret = -EPERM;
	else
		rcu_assign_pointer(install->ops, ops);
	spin_unlock(&memgate_lock);
	bpf_struct_ops_put(ret ? kdata : old_kdata);
	return ret;
}

static struct bpf_link *memgate_get_link(struct memgate_install *install)
{
	struct bpf_link *link;

	/* unreg has not been here, so the link is still there. */
	spin_lock(&memgate_lock);
	link = install->link;
	if (link)
		link = bpf_link_inc_not_zero(link);
	spin_unlock(&memgate_lock);
	return IS_ERR(link) ? NULL : link;
}

/* The memfd is gone: whoever polls a link on it learns so (EPOLLHUP). */
void memgate_detach_links(struct memgate *gate)
{
	struct memgate_install *install;
	struct bpf_link *link;

	list_for_each_entry(install, &gate->installs, node) {
		link = memgate_get_link(install);
		if (link) {
			link->ops->detach(link);
			bpf_link_put(link);
		}
	}
}

/* Nobody knows the gate any more. */
void memgate_free_installs(struct memgate *gate)
{
	struct memgate_install *install, *next;
	const struct memgate_ops *ops;

	list_for_each_entry_safe(install, next, &gate->installs, node) {
		ops = rcu_dereference_protected(install->ops, true);
		if (ops != &install->closed)
			bpf_struct_ops_put(ops);
		kfree(install);
	}
}

/* RCU read section. */
void memgate_show_installs(struct seq_file *m, struct memgate *gate)
{
	struct memgate_install *install;
	const struct memgate_ops *ops;
	bool closed;
	u32 link;

	list_for_each_entry_rcu(install, &gate->installs, node) {
		spin_lock(&memgate_lock);
		link = install->link ? install->link->id : 0;
		spin_unlock(&memgate_lock);
		ops = rcu_dereference(install->ops);
		closed = ops == &install->closed;
		seq_printf(m, "memgate-policy:\tname %s map %u link %u state %s classes %#llx\n",
			   ops->name, closed ? 0 : bpf_struct_ops_map_id(ops),
			   link, closed ? "closed" : link ? "live" : "kept",
			   ops->decides);
	}
}

static const struct bpf_verifier_ops memgate_verifier_ops = {
	.get_func_proto = bpf_base_func_proto,
	.is_valid_access = bpf_tracing_btf_ctx_access,
};

static struct bpf_struct_ops bpf_memgate_ops = {
	.verifier_ops = &memgate_verifier_ops,
	.init = memgate_ops_init,
	.check_member = memgate_ops_check_member,
	.init_member = memgate_ops_init_member,
	.validate = memgate_ops_validate,
	.reg = memgate_ops_reg,
	.reg_fd = memgate_ops_reg_fd,
	.unreg = memgate_ops_unreg,
	.update = memgate_ops_update,
	.cfi_stubs = &memgate_ops_stubs,
	.owner = THIS_MODULE,
	.name = "memgate_ops",
};

static int __init memgate_struct_ops_init(void)
{
	int ret;

	ret = memgate_register_kfuncs() ?:
	      register_bpf_struct_ops(&bpf_memgate_ops, memgate_ops);
	if (ret)
		pr_err("memgate: no policies can be loaded: %d\n", ret);
	return ret;
}
late_initcall(memgate_struct_ops_init);
