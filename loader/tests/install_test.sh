#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# 'make install' and 'make uninstall' in a folder of their own:
# install_test.sh BUILD-FOLDER; TAP on stdout.
#
# Another project's files stand where ours go, and must stay.

build=$1
here=$(cd "$(dirname "$0")/.." && pwd -P)
top=$(cd "$here/.." && pwd -P)
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
root=$tmp/root
vars=(prefix=/usr libdir=/usr/lib/some-arch bash_compdir=/usr/share/comp
	unitdir=/lib/units mandir=/usr/man DESTDIR="$root")
nr=0
failed=0

result() # STATUS NAME
{
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr $2"
	else
		echo "not ok $nr $2"
		tail -n 20 "$tmp/log" | sed 's/^/# /'
		failed=1
	fi
}

installer()
{
	# Not as a part of the make that runs the tests.
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -C "$here" \
		O="$build" "$@" > "$tmp/log" 2>&1
}

# All but the pages and documents that come and go.
files()
{
	(cd "$root" && find . -type f -o -type l) | sed 's,^\.,,' | LC_ALL=C sort
}

foreign=(usr/sbin/other usr/include/linux/other.h
	usr/lib/some-arch/libmemgate.so.1 usr/lib/memgate/own.bpf.o
	usr/man/man8/other.8 lib/units/other@.service
	usr/share/comp/other usr/lib/tmpfiles.d/other.conf)
for f in "${foreign[@]}"; do
	install -D /dev/null "$root/$f"
done
files > "$tmp/before"

# shellcheck disable=SC2046	# a word for each file
expected()
{
	cat "$tmp/before"
	printf '%s\n' /usr/sbin/memgate /usr/share/comp/memgate \
		/usr/lib/some-arch/{libmemgate.{a,so,so.0,so.0.1.0},pkgconfig/libmemgate.pc} \
		/lib/units/memgate@.service \
		/usr/lib/{sysusers,tmpfiles}.d/memgate.conf \
		/usr/include/linux/memgate.h /usr/libexec/memgate-emulator
	printf '/usr/include/memgate/%s\n' $(cd "$top/include/memgate" && ls)
	printf '/usr/lib/memgate/%s.o\n' \
		$(cd "$top/bpf" && basename -s .c -- *.bpf.c)
	for f in "$here"/man/*.rst; do
		f=$(basename "$f" .rst)
		echo "/usr/man/man${f##*.}/$f"
	done
	printf '/usr/share/doc/memgate/examples/%s\n' \
		$(cd "$top/bpf/examples" && ls -- *.bpf.c) \
		$(cd "$top/loader/examples" && ls -- *.sh *.c)
	printf '/usr/share/doc/memgate/%s\n' README.md \
		$(cd "$top/kernel/src/Documentation/userspace-api" &&
			ls memgate*.rst)
}

echo "TAP version 13"
# The example is due: it is built against an installation of its own.
installer -W examples/vmm.c install "${vars[@]}"
result $? "make install"
files > "$tmp/after"
expected | LC_ALL=C sort | diff - "$tmp/after" > "$tmp/log"
result $? "what is installed is what is documented"

# What debuggers read may name sources.
cp -a "$root" "$tmp/stripped"
strip --strip-debug "$tmp"/stripped/usr/sbin/memgate \
	"$tmp"/stripped/usr/lib/some-arch/libmemgate.{a,so}
grep -rlE "@[A-Z]+@|$top|$build" "$tmp/stripped" > "$tmp/log"
[ $? = 1 ]
result $? "no place of the build, nothing left to be filled in"

[ "$(readlink "$root/usr/lib/some-arch/libmemgate.so.0")" = \
	libmemgate.so.0.1.0 ] &&
	readelf -d "$root/usr/lib/some-arch/libmemgate.so.0.1.0" |
	tee "$tmp/log" | grep -q 'soname: \[libmemgate.so.0\]'
result $? "the library's file, soname and links"

cat > "$tmp/use.c" <<'END'
#include <memgate/memgate.h>
int main(void)
{
	return memgate_probe() == 0 || !*memgate_error_text();
}
END
flags()
{
	PKG_CONFIG_PATH=$root/usr/lib/some-arch/pkgconfig \
		PKG_CONFIG_SYSROOT_DIR=$root pkg-config --cflags --libs libmemgate
}
# shellcheck disable=SC2046	# flags are words
cc -o "$tmp/use" "$tmp/use.c" $(flags) > "$tmp/log" 2>&1 &&
	ldd "$tmp/use" > "$tmp/log" &&
	! LD_LIBRARY_PATH=$root/usr/lib/some-arch ldd "$tmp/use" |
		tee -a "$tmp/log" | grep -q 'not found'
result $? "a program is built with pkg-config and finds the library"

grep -E '^(Exec|Environment=)' "$root/lib/units/memgate@.service" > "$tmp/log"
grep -q '^ExecStart=/usr/sbin/memgate policy load' "$tmp/log" &&
	grep -q 'FILE=/usr/lib/memgate/%i.bpf.o' "$tmp/log"
result $? "the unit names what was installed"

! readelf -S "$root/usr/lib/memgate/owner.bpf.o" | grep -E '\.(debug_|BTF)' |
	tee "$tmp/log" | grep -q debug_ && grep -q BTF "$tmp/log"
result $? "policies carry BTF and no DWARF"

echo "of somebody else" > "$root/usr/include/memgate/other.h"
installer uninstall "${vars[@]}"
result $? "make uninstall"
rm "$root/usr/include/memgate/other.h" 2> "$tmp/log"
result $? "a file of somebody else in our folder stays"
rmdir "$root/usr/include/memgate" &&
files | diff "$tmp/before" - > "$tmp/log"
result $? "nothing of ours is left, nothing else is gone"
[ ! -e "$root/usr/share/doc/memgate" ] && [ -d "$root/usr/lib/memgate" ]
result $? "empty folders of ours go, others stay"

echo "1..$nr"
exit $failed
