# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The guide's folder: its policies, headers as in a checkout, those of libbpf,
# and policies that the kernel refuses.  The first policy is compiled by the
# guide's command; the others are here as bpf/examples/check.sh compiles them
# by the same.

cp -r "$TOP/include" . &&
	ln -s "$BUILD/host/include/bpf" include/bpf &&
	cp "$TOP"/bpf/examples/snapshot_1.bpf.c "$TOP/selftests/doc/vmm.py" \
		"$BUILD"/bpf/{snapshot{,_2},one_container,one_vendor}.bpf.o \
		"$BUILD"/selftests/progs/bad_*.bpf.o .
