#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Builds libbpf (static, with its headers) and bpftool from the kernel tree's
# tools/ into build/host: distributions' own may be too old for struct_ops links.
. "$(dirname "$0")/common.sh"

"$top/kernel/scripts/prepare.sh"

host=$out/host
stamp=$host/.built
log=$logs/host.log
clang=$(command -v clang-19 || command -v clang) ||
	die "clang is not installed: run 'make deps'"
strip=$(command -v llvm-strip-19 || command -v llvm-strip) ||
	die "llvm-strip is not installed: run 'make deps'"

# bpftool's own BPF programs (which processes hold a link) want a kernel's
# types.  Ours are there as soon as the kernel is built.
btf=''
[ ! -e "$objects/vmlinux" ] || btf=$objects/vmlinux

now="$(git_linux rev-parse HEAD:tools HEAD:kernel/bpf) ${btf:+skeletons}"
if [ "$(cat "$stamp" 2>/dev/null)" = "$now" ]; then
	exit 0
fi

# Position independent: libmemgate.so takes it in.
libbpf() {
	make -s -j "$jobs" -C "$linux/tools/lib/bpf" OUTPUT="$host/obj/libbpf/" \
		DESTDIR="$host" prefix= libdir=/lib includedir=/include \
		EXTRA_CFLAGS='-g -O2 -fPIC' \
		"$host/obj/libbpf/libbpf.a" install_headers &&
	cp "$host/obj/libbpf/libbpf.a" "$host/lib/" &&
	cp "$linux"/tools/include/uapi/linux/{bpf,bpf_common,btf}.h \
		"$host/include/linux/"
}

# No disassembler: it would draw in the whole of LLVM.
bpftool() {
	rm -f "$host/obj/bpftool/bpftool"
	make -s -j "$jobs" -C "$linux/tools/bpf/bpftool" \
		OUTPUT="$host/obj/bpftool/" CLANG="$clang" LLVM_STRIP="$strip" \
		VMLINUX_BTF="$btf" feature-llvm=0 feature-libbfd=0 &&
	cp "$host/obj/bpftool/bpftool" "$host/bin/"
}

say HOST "libbpf, bpftool"
mkdir -p "$host"/{bin,lib,include/linux,obj/libbpf,obj/bpftool} "$logs"
# The make files of tools/ take these from the environment, and mean another O.
unset O V
{ libbpf && bpftool; } >"$log" 2>&1 || {
	tail -n 20 "$log" >&2
	die "libbpf or bpftool does not build (the whole of it: $log)"
}
echo "$now" >"$stamp"
