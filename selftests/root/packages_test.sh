#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The packages of build/deb as files; TAP on stdout.
#
# Functions are called by name, through ok().
# shellcheck disable=SC2317
here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source=guest/tap.sh
. "$here/guest/tap.sh"
trap 'rm -rf "$out"' EXIT
top=$(cd "$here/../.." && pwd -P)
debs=${O:-$top/build}/deb

unpack()
{
	local deb
	mkdir "$out/root" "$out/control"
	for deb in "$debs"/*.deb; do
		dpkg-deb -x "$deb" "$out/root" &&
			dpkg-deb -e "$deb" "$out/control/${deb##*/}" || return
	done
}

no_complaint()
{
	lintian --allow-root --fail-on error,warning --suppress-tags \
		initial-upload-closes-no-bugs "$debs"/memgate_*.changes
}

# Neither in files nor in what dpkg is told.
no_build_path()
{
	! grep -rlF -e "$top" -e "$(cd "$debs" && pwd -P)" "$out/root" \
		"$out/control"
}

# A whole configuration, with what every distribution's has for BPF.  In a build
# folder of its own: somebody's kernel may be in the usual one.
config_of()
{
	local o=$out/build
	mkdir -p "$o" && cp "$debs/../.source" "$o" &&
		ln -s "$(cd "$debs/../linux" && pwd -P)" "$o/linux" &&
		make -s -C "$o/linux" O="$o/whole" x86_64_defconfig &&
		cat "$top/kernel/configs/bpf.config" >>"$o/whole/.config" &&
		BASE_CONFIG=$o/whole/.config O=$o "$top/kernel/scripts/config.sh" &&
		grep -x 'CONFIG_MEMGATE=y' "$o/kernel-config/.config" &&
		grep -x 'CONFIG_LOCALVERSION="-memgate"' "$o/kernel-config/.config"
}

# A library of this machine that Debian 13 has too, by whatever package.
depends() { dpkg-deb -f "$debs"/"$1"_*.deb Depends | tee /dev/stderr | grep -qE "$2"; }

echo "TAP version 13"
ok "there are four packages" \
	ls "$debs"/{memgate,libmemgate0,libmemgate-dev,linux-image}[_-]*.deb
ok "they can be unpacked" unpack
ok "lintian has no complaint" no_complaint
ok "no path of the build is in them" no_build_path
ok "the command depends on the library" depends memgate 'libmemgate0 \(>= '
ok "maintainer scripts are well written" sh -c \
	'shellcheck "$@"' sh "$top"/loader/packaging/debian/memgate.p{rerm,ostrm}
says "the kernel knows memgate" '^CONFIG_MEMGATE=y' \
	grep -h MEMGATE "$out"/root/boot/config-*-memgate
ok "it has an image, a map and modules" ls "$out"/root/boot/vmlinuz-*-memgate \
	"$out"/root/boot/System.map-*-memgate "$out"/root/lib/modules/*-memgate
says "boot loaders are told by the hooks of other packages" \
	'/etc/kernel/postinst.d' cat "$out"/control/linux-image-*/postinst
no "there is no package of its headers or symbols" 'No such file' \
	ls "$debs"/linux-libc-dev*.deb "$debs"/linux-headers*.deb "$debs"/*-dbg*.deb
ok "CONFIG=: another configuration gets memgate and the name" config_of
finish
