#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Brings an unpatched kernel source to build/linux: a copy of the tree that
# KSRC= names, or the source package of Debian, which is had from whatever
# mirrors this machine uses without changing its apt set-up.
. "$(dirname "$0")/common.sh"

package=linux-source-$base
downloads=$out/downloads
stamp=$out/.source

# A Debian 12 machine may know no suite that has the package.  Ask the mirrors
# that it knows for the suites that do, with lists and cache of our own.
private_apt() {
	local dir=$downloads/apt uri
	mkdir -p "$dir"/{lists/partial,cache/archives/partial,etc/parts}
	: >"$dir/etc/sources.list"
	while read -r uri; do
		for suite in ${SUITES:-trixie bookworm-backports}; do
			echo "deb $uri $suite main" >>"$dir/etc/sources.list"
		done
	done < <(debian_mirrors)
	[ -s "$dir/etc/sources.list" ] || return 1
	# As root: apt's own user cannot enter a checkout in /root.
	cat >"$dir/apt.conf" <<-END
	APT::Sandbox::User "root";
	Dir::Etc::SourceList "$dir/etc/sources.list";
	Dir::Etc::SourceParts "$dir/etc/parts";
	Dir::State::Lists "$dir/lists";
	Dir::Cache "$dir/cache";
	Acquire::Languages "none";
	END
	# A mirror need not carry every suite: what counts is the package.
	APT_CONFIG=$dir/apt.conf apt-get -q update || true
	APT_CONFIG=$dir/apt.conf apt-get -q download "$package"
}

# Lists that are missing or older than the mirror are brought up to date once.
own_apt() {
	apt-get -q download "$package" && return
	[ "$(id -u)" = 0 ] && apt-get -q update &&
		apt-get -q download "$package"
}

download() {
	mkdir -p "$downloads" "$logs"
	rm -f "$downloads/$package"_*.deb
	cd "$downloads"
	say APT "$package"
	if [ -z "${SUITES:-}" ] && own_apt >"$logs/source.log" 2>&1; then
		return
	fi
	say APT "$package (not in this machine's suites: asking its mirrors)"
	private_apt >>"$logs/source.log" 2>&1 && return
	tail -n 20 "$logs/source.log" >&2
	die "cannot download $package" \
		"apt-get said why above (the whole of it: $logs/source.log)." \
		"Run 'apt-get update', or give a kernel tree: make KSRC=/path"
}

unpack() {	# deb
	local tmp=$out/linux.unpack
	say UNPACK "$(basename "$1")"
	rm -rf "$tmp" "$linux"
	mkdir -p "$tmp/tree"
	dpkg-deb -x "$1" "$tmp"
	tar -xJf "$tmp/usr/src/$package.tar.xz" -C "$tmp/tree" \
		--strip-components=1
	mv "$tmp/tree" "$linux"
	rm -rf "$tmp"
}

# What the copy would be made of, so that a changed KSRC is noticed.
tree_state() {
	if git -C "$1" rev-parse -q --verify HEAD^0 2>/dev/null; then
		git -C "$1" diff HEAD | sha256sum
	else
		stat -c %Y "$1/Makefile" "$1/mm" "$1/virt/kvm"
	fi
}

copy_tree() {
	local tmp=$out/linux.unpack
	say COPY "$1"
	rm -rf "$tmp" "$linux"
	mkdir -p "$tmp"
	if git -C "$1" rev-parse -q --verify HEAD^0 >/dev/null 2>&1; then
		git -C "$1" ls-files -z | (cd "$1" && tar --null -T - \
			--ignore-failed-read -cf - 2>/dev/null) | tar -xf - -C "$tmp"
	else
		tar -C "$1" --exclude=.git --exclude='*.o' --exclude='*.cmd' \
			--exclude='*.a' --exclude='*.ko' --exclude='./.config*' \
			--exclude='./vmlinux*' --exclude=./include/config \
			--exclude='generated' --exclude='./.tmp_*' \
			-cf - . | tar -xf - -C "$tmp"
	fi
	mv "$tmp" "$linux"
}

# What is copied must not be what makes room for the copy.
refuse_own_tree() {
	local own
	own=$(cd "$linux" 2>/dev/null && pwd -P) || return 0
	case $own/ in
	"$KSRC"/*) ;;
	*) return 0 ;;
	esac
	die "KSRC=$KSRC is or holds $linux, which is where the copy goes" \
		"Leave KSRC= away to build the tree that is there, or give" \
		"another tree, or another build folder: make O=/path"
}

# One commit of the tree as it came: git finds what changed from here on.
commit_base() {
	say GIT "$(linux_version "$linux")"
	git_linux init -q -b memgate
	git_linux config gc.auto 0
	git_linux add -A -f .
	GIT_AUTHOR_DATE='2001-01-01T00:00:00Z' \
		GIT_COMMITTER_DATE='2001-01-01T00:00:00Z' \
		git_linux commit -q -m "Linux $(linux_version "$linux")"
	git_linux update-ref refs/memgate/base HEAD
	git_linux update-ref refs/memgate/prepared HEAD
}

# A tree stays what it was made from until another is asked for: a point
# release that came out since is no reason to build everything again.
if [ -z "${KSRC:-}" ] && [ -d "$linux/.git" ] && [ -s "$stamp" ]; then
	exit 0
fi
if [ -n "${KSRC:-}" ]; then
	[ -f "$KSRC/mm/memfd.c" ] || die "KSRC=$KSRC is no kernel source tree"
	KSRC=$(cd "$KSRC" && pwd -P)
	refuse_own_tree
	wanted="KSRC $KSRC $(tree_state "$KSRC")"
else
	wanted="package $package"
fi
if [ -d "$linux/.git" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
	exit 0
fi
# Never lose work: the tree that goes away may hold somebody's commits.
if [ -d "$linux/.git" ] && [ "$(git_linux rev-parse HEAD)" != \
	"$(git_linux rev-parse refs/memgate/prepared)" ]; then
	die "$linux holds commits of its own and another source is wanted" \
		"'make kernel-refresh' takes them into kernel/;" \
		"'rm -rf $linux' throws them away."
fi
rm -f "$stamp"
if [ -n "${KSRC:-}" ]; then
	copy_tree "$KSRC"
else
	download
	unpack "$(ls "$downloads/$package"_*.deb)"
fi
commit_base
echo "$wanted" >"$stamp"
