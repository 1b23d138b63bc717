#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A Debian 13 that never saw this project, with our packages installed as a
# user would: build/root/image (ext4).  Needs root; leaves no mounts.
#
# The Debian alone is kept in build/root/base as long as its list of packages
# is the same: then nothing is downloaded.
. "$(dirname "$0")/../../kernel/scripts/common.sh"

here=$top/selftests/root
suite=${SUITE:-trixie}
dir=$out/root
base=$dir/base
tree=$dir/tree
log=$logs/root.log
# An ordinary server's, and bpftool and QEMU of that Debian.
packages=(systemd systemd-sysv udev kmod procps bpftool qemu-system-x86
	qemu-system-data seabios)
# What our packages depend on is fetched with them, and not installed: that is
# apt's to find out.
fetched=(libelf1t64 libjson-c5 zlib1g libelf-dev zlib1g-dev)

[ "$(id -u)" = 0 ] || die "a root file system is made by root"

in_tree() { chroot "$1" env -i PATH=/usr/sbin:/usr/bin LC_ALL=C \
	DEBIAN_FRONTEND=noninteractive "${@:2}"; }

# What is thrown away at the end need not be safe on the disk, nor documented.
quick=etc/dpkg/dpkg.cfg.d/quick
be_quick() {
	mkdir -p "$1/${quick%/*}"
	printf '%s\n' force-unsafe-io 'path-exclude=/usr/share/doc/*' \
		'path-exclude=/usr/share/man/*' \
		'path-exclude=/usr/share/locale/*' >"$1/$quick"
}

bootstrap() {
	local uri
	rm -rf "$base" "$base.new"
	for uri in $(debian_mirrors); do
		be_quick "$base.new"
		debootstrap --variant=minbase "$suite" "$base.new" "$uri" &&
			break
		rm -rf "$base.new"
	done
	[ -d "$base.new/usr" ] || return 1
	# debootstrap mounts these for a while.
	! grep -q " $base.new/" /proc/mounts || return 1
	in_tree "$base.new" apt-get -q -y --no-install-recommends install \
		"${packages[@]}" &&
	in_tree "$base.new" apt-get -q -y --no-install-recommends -d install \
		"${fetched[@]}" &&
	rm "$base.new/$quick" &&
	echo "$wanted" >"$base.new/.memgate" && mv "$base.new" "$base"
}

# As 'apt install ./*.deb' on any machine.
install_ours() {
	local debs
	rm -rf "$tree"
	cp -a "$base" "$tree"
	rm -f "$tree/.memgate"
	mkdir -p "$tree/root/debs"
	cp "$out"/deb/*.deb "$tree/root/debs"
	debs=("$tree"/root/debs/*.deb)
	in_tree "$tree" apt-get -q -y --no-install-recommends install \
		"${debs[@]#"$tree"}"
}

# What the administrator does, and what the test needs.
prepare() {
	local user
	for user in alice bob carol; do
		in_tree "$tree" useradd -m "$user"
	done
	in_tree "$tree" usermod -a -G memgate,kvm alice
	in_tree "$tree" usermod -a -G memgate,kvm bob
	in_tree "$tree" usermod -a -G kvm carol
	in_tree "$tree" systemctl enable memgate@exclusive_kvm memgate@owner
	printf '%s\n' FILE=/usr/lib/memgate/allow.bpf.o GROUP=alice \
		>"$tree/etc/memgate/for_alice.conf"
	# Folders for links of their own.
	printf 'd /sys/fs/bpf/%s 0700 %s %s -\n' alice alice alice \
		bob bob bob >"$tree/etc/tmpfiles.d/alice.conf"
	mkdir -p "$tree/test/selftests"
	cp -r "$out/bpf" "$tree/test"
	cp -r "$out/selftests/progs" "$tree/test/selftests"
	cp "$here"/guest/* "$top/selftests/bpftool_test.sh" \
		"$top/loader/tests/check.sh" "$tree/test"
	mv "$tree/test/memgate-test.service" "$tree/etc/systemd/system"
	in_tree "$tree" systemctl enable memgate-test.service
	# No wait for a line that has no terminal, no ids of this machine.
	in_tree "$tree" systemctl mask getty@tty1.service \
		serial-getty@ttyS0.service serial-getty@hvc0.service
	: >"$tree/etc/machine-id"
	rm -rf "$tree"/root/debs "$tree"/var/cache/apt/archives/*.deb
	rm -rf "$tree"/var/lib/apt/lists/* "$tree"/usr/share/{doc,locale}/[a-z]*/[^m]*
}

mkdir -p "$dir" "$logs"
: >"$log"
wanted="$suite ${packages[*]} ${fetched[*]}"
if [ "$(cat "$base/.memgate" 2>/dev/null)" != "$wanted" ]; then
	say ROOT "Debian $suite in ${base#"$top/"} (log: $log)"
	bootstrap >>"$log" 2>&1 || {
		tail -n 20 "$log" >&2
		die "debootstrap failed (the whole of it: $log)"
	}
fi
say ROOT "our packages in ${tree#"$top/"}"
{ install_ours && prepare; } >>"$log" 2>&1 || {
	tail -n 20 "$log" >&2
	die "the packages cannot be installed (the whole of it: $log)"
}
rm -f "$dir/image"
mke2fs -q -t ext4 -m 0 -d "$tree" "$dir/image" 1200M >>"$log" 2>&1 ||
	die "no image (see $log)"
cp "$tree"/boot/vmlinuz-* "$dir/vmlinuz"
rm -rf "$tree"
