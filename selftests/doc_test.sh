#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Every command that README.md and the manuals show is run, and what it
# prints has the shape that they show; every piece of C that they show is in
# a file that the build compiles.  Needs root and a memgate kernel; TAP on
# stdout.  By itself for README.md and Documentation/userspace-api/memgate.rst;
# man_test.sh and guide_test.sh call it for the others.
#
# A page's literal block with lines that begin with "# " (run by root) or
# "$ " (run by nobody, with no capability) is a session: each such line is a
# command, and what follows it its output.  A line that ends with \ or is
# followed by one that begins with "> " goes on.  Numbers may differ, and "..."
# stands for what is left out.  A command without output has to exit with 0.
#
# The commands of one page share a shell and an empty folder.  Before the first
# of them doc/prelude.sh and doc/PAGE.sh are read, if there are; a function
# settled() of theirs is called after each command that goes on in the
# background, to wait for what is to be seen of it.  Commands that cannot be run
# are in doc_skip, each with a reason.
#
# A block of C follows a comment ".. from FILE" ("<!-- from FILE -->" in
# Markdown), and is a part of that file.

here=$(cd "$(dirname "$0")" && pwd -P)
top=$(dirname "$here")
build=${O:-$top/build}
lib=/usr/lib

run()
{
	python3 -B "$here/doc/run.py" "$@"
}

# The test finds what is wrong in a page, which shows that it looks.
looks()
{
	run "$here/doc/wrong.skip" "$here"/doc/wrong.{rst,md} |
		sed -En 's/^((not )?ok [0-9]+ [^ ]*).*/\1/p' |
		diff -u "$here/doc/wrong-expected.txt" - >&2
}

# In a namespace of mounts of its own: as after make install prefix=/usr, in a
# system that cannot be written.  The pages say clang; Debian's first clang for
# BPF has a number.
installed() # FOLDER
{
	mkdir "$1/lib" "$1/new" "$1/new/memgate" "$1/bin" &&
		chmod 755 "$1" &&
		ln -s "$(command -v clang-19 || command -v clang)" \
			"$1/bin/clang" &&
		mount --bind "$lib" "$1/lib" &&
		ln -s "$1"/lib/* "$1/new" &&
		cp "$build"/bpf/*.bpf.o "$1/new/memgate" &&
		mount --bind "$1/new" "$lib"
}

if [ -z "${DOC_TEST_WORK:-}" ]; then
	looks || {
		printf '%s\n' 'TAP version 13' '1..1' \
			'not ok 1 the test finds what is wrong in a page'
		exit 1
	}
	memgate feature probe >/dev/null || {
		echo '1..0 # SKIP this kernel has no memgate'
		exit 0
	}
	DOC_TEST_WORK=$(mktemp -d) || exit 1
	export DOC_TEST_WORK
	trap 'rm -rf --one-file-system "$DOC_TEST_WORK"' EXIT
	unshare -m "$0" "$@"
	exit
fi

installed "$DOC_TEST_WORK" || exit 1
export PATH=$DOC_TEST_WORK/bin:$PATH BUILD=$build
[ $# -gt 0 ] || set -- "$top/README.md" \
	"$top/kernel/src/Documentation/userspace-api/memgate.rst"
run "$here/doc_skip" "$@"
