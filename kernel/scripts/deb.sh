#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The package linux-image-VERSION-memgate in build/deb, by the kernel's own
# bindeb-pkg: of the kernel that 'make kernel' builds, or (BASE_CONFIG=FILE)
# of one with a distribution's configuration.
. "$(dirname "$0")/common.sh"

# All of a distribution's kernel is built by bindeb-pkg itself.
stage=build
[ -z "${BASE_CONFIG:-}" ] || stage=config
"$top/kernel/scripts/$stage.sh"
kernel_env

dir=$out/deb
log=$logs/deb-kernel.log
version=$(linux_version "$linux")-1
SOURCE_DATE_EPOCH=$(source_date "${kernel_sources[@]}")
export SOURCE_DATE_EPOCH KDEB_PKGVERSION=$version
export KDEB_CHANGELOG_DIST=unstable DEBFULLNAME="memgate maintainers"
export DEBEMAIL=memgate@example.org

# What was built is packed; a commit since then is no reason to link it anew.
built=$(sed -nE 's/.*"#1 .* ([A-Z][a-z]{2} [A-Z][a-z]{2} .*)"$/\1/p' \
	"$objects/include/generated/utsversion.h" 2>/dev/null) || true
export KBUILD_BUILD_TIMESTAMP=${built:-$KBUILD_BUILD_TIMESTAMP}

# Beside the build folder is where dpkg-buildpackage puts what it makes.
made=$out
# It names the time of the packaging, which would make each package differ.
# Kbuild makes one blank of several: \x20 is the other.
flags="-Tbinary-image --hook-init='sed -i \"/^ -- /s/> .*/>\\x20 "
flags+="$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")"
flags+="/\" debian/changelog'"

mkdir -p "$dir" "$logs"
rm -f "$dir"/linux-image-*.deb "$made"/linux-image-*.deb
say DEB "linux-image $version (log: $log)"
unset O V
DEB_BUILD_OPTIONS=terse make -C "$linux" O="$objects" -j "$jobs" CC="$cc" \
	DPKG_FLAGS="$flags" bindeb-pkg >"$log" 2>&1 || {
	grep -v '^make' "$log" | tail -n 30 >&2
	die "the kernel's package does not build (the whole of it: $log)"
}
mv "$made"/linux-image-*.deb "$dir"
rm -f "$made"/linux-upstream_*.{buildinfo,changes}
(cd "$dir" && for deb in linux-image-*.deb; do
	say DEB "${dir#"$top/"}/$deb"
done)
