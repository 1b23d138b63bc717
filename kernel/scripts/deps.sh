#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Installs the packages that building and testing need, as root on Debian;
# otherwise says which are missing.
set -euo pipefail

packages=(
	# the kernel and its tools
	build-essential bc bison flex git libelf-dev zlib1g-dev dwarves python3
	perl xz-utils zstd cpio ccache
	# policies, libbpf, bpftool, libmemgate
	clang-19 llvm-19 libcap-dev libjson-c-dev pkgconf python3-docutils
	libclang-rt-19-dev valgrind
	# the test VM and the tests
	qemu-system-x86 busybox-static liburing-dev procps iproute2 e2fsprogs
	util-linux rsync libnuma-dev kmod
	libibverbs-dev ibverbs-providers rdma-core perftest
	qemu-utils libvirt-daemon-driver-qemu
	# packages, and a Debian that is new to try them in
	debhelper dpkg-dev fakeroot lintian debootstrap
	# make style
	sparse codespell shellcheck
)

if ! command -v dpkg-query >/dev/null; then
	echo "deps: not a Debian system; needed: ${packages[*]}" >&2
	exit 0
fi
missing=()
for package in "${packages[@]}"; do
	status=$(dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null |
		head -n 1) || true
	[ "$status" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} = 0 ]; then
	exit 0
fi
if [ "$(id -u)" != 0 ]; then
	echo "deps: missing packages; as root, run" >&2
	echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
install() {
	apt-get -q -y --no-install-recommends \
		-o Dpkg::Options::=--force-confold install "${missing[@]}" </dev/null
}
echo "  APT      ${missing[*]}"
log=$(mktemp)
# The lists may be missing or out of date: ask the mirror again, once.
if ! install >"$log" 2>&1; then
	apt-get -q update >>"$log" 2>&1 || true
	install >>"$log" 2>&1 || {
		tail -n 20 "$log" >&2
		echo "deps: apt-get failed (the whole of it: $log)" >&2
		exit 1
	}
fi
rm -f "$log"
