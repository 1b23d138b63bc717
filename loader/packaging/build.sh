#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Debian packages of library, command and policies in build/deb, from what
# 'make bpf loader' needs (build/host).  The flags are the distribution's, so
# everything is compiled once more, in a folder of its own.
. "$(dirname "$0")/../../kernel/scripts/common.sh"

here=$top/loader/packaging
dir=$out/deb
stage=$dir/stage/memgate
obj=$dir/obj
log=$logs/deb.log

version=$(sed -n 's/^VERSION[[:space:]]*:= //p' "$top/loader/Makefile")
packaged=$(dpkg-parsechangelog -l "$here/debian/changelog" -S Version)
[ "$version" = "$packaged" ] ||
	die "loader/Makefile has version $version, its debian/changelog $packaged"

mkdir -p "$obj" "$logs"
ln -sfn "$out/host" "$obj/host"
rm -rf "$dir/stage"
mkdir -p "$stage"
cp -r "$here/debian" "$stage/"
rm -f "$dir"/{memgate,libmemgate0,libmemgate-dev}_*.deb

SOURCE_DATE_EPOCH=$(source_date)
export SOURCE_DATE_EPOCH MEMGATE_TOP=$top MEMGATE_OBJ=$obj
say DEB "memgate $version (log: $log)"
# The build dependencies are not all packages: libbpf is build/host's.
(cd "$stage" && unset O V && dpkg-buildpackage --build=binary \
	--no-check-builddeps --unsigned-changes -j"$jobs") >"$log" 2>&1 || {
	tail -n 30 "$log" >&2
	die "the packages do not build (the whole of it: $log)"
}
mv "$dir"/stage/*.deb "$dir"/stage/*.changes "$dir"/stage/*.buildinfo "$dir"
rm -rf "$dir/stage"
(cd "$dir" && for deb in memgate_*.deb libmemgate*.deb; do
	say DEB "${dir#"$top/"}/$deb"
done)
