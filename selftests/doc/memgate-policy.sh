# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The guide's folder: its policies, headers as in a checkout, those of libbpf,
# and policies that the kernel refuses.

cp -r "$TOP/include" . &&
	ln -s "$BUILD/host/include/bpf" include/bpf &&
	cp "$TOP"/bpf/examples/snapshot*.bpf.c "$TOP/selftests/doc/vmm.py" \
		"$BUILD/bpf/one_container.bpf.o" \
		"$BUILD"/selftests/progs/bad_*.bpf.o .
