#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What a reader of patches would complain about, as TAP: checkpatch and sparse
# on the kernel code, and what can be told by machine of all the rest.
. "$(dirname "$0")/common.sh"

"$top/kernel/scripts/config.sh" >&2

cd "$top"
n=0

# checkpatch leaves a cache where it runs.
checkpatch() {
	mkdir -p "$out/style"
	(cd "$out/style" && perl "$linux/scripts/checkpatch.pl" \
		--root="$linux" --terse --no-summary --quiet "$@")
}

# One test: what the command prints, if it fails, is why.
try() {	# name, command ...
	local name=$1 said
	shift
	n=$((n + 1))
	if said=$("$@" 2>&1); then
		echo "ok $n - $name"
	else
		echo "# ${said//$'\n'/$'\n'# }"
		echo "not ok $n - $name"
	fi
}

# Files under version control, and those that are about to be.
files() {	# patterns for find
	find . \( -path ./.git -o -path ./build -o -path "$out" -o -path ./LICENSES \
		-o -name '.checkpatch*' \) -prune -o -type f \( -true "$@" \) -print | sort
}

# In the prepared tree: what checkpatch says depends on a file's path.
kernel_files() {	# checkpatch's option, file ...
	# Without git, or it wants Python modules to look at SPDX lines.
	(cd "$linux" && GIT_DIR=/none perl scripts/checkpatch.pl --strict --terse \
		--no-summary --quiet -f --ignore "$@"
	 status=$?
	 rm -f .checkpatch-camelcase.*
	 exit $status)
}

all_kernel_files() {
	local list traces bad=0
	mapfile -t list < <(overlay_files | grep '\.[chS]$' | grep -v ^include/trace)
	kernel_files FILE_PATH_CHANGES "${list[@]}" || bad=1
	# TRACE_EVENT() has a form of its own everywhere.
	mapfile -t traces < <(overlay_files | grep ^include/trace)
	kernel_files FILE_PATH_CHANGES,PARENTHESIS_ALIGNMENT,OPEN_ENDED_LINE \
		"${traces[@]}" || bad=1
	return $bad
}

patches() {
	local patch bad=0
	while read -r patch; do
		checkpatch --strict --ignore FILE_PATH_CHANGES "$series/$patch" || bad=1
	done < <(series_patches)
	return $bad
}

# User space keeps the kernel's form, not all of its vocabulary.
user_files() {
	local types=TRAILING_WHITESPACE,CODE_INDENT,SPACE_BEFORE_TAB,LONG_LINE
	local list
	types+=,POINTER_LOCATION,OPEN_BRACE,TRAILING_STATEMENTS,ELSE_AFTER_BRACE
	types+=,SUSPECT_CODE_INDENT,LONG_LINE_COMMENT,BLOCK_COMMENT_STYLE
	types+=,DOS_LINE_ENDINGS,C99_COMMENTS
	mapfile -t list < <(files -name '*.[ch]' -not -path './kernel/*' \
		-not -path './include/uapi/*')
	checkpatch -f --types "$types" "${list[@]/#./$top}"
}

# Compiled in a folder of its own: other flags would make the next build of
# the kernel compile these files again.
sparse() {
	local dir=$out/kernel-sparse said stamp=$out/kernel-sparse/.clean now
	now=$(git_linux ls-files -s mm/memgate 'include/*memgate*.h' \
		include/uapi/linux/memgate.h; git_linux diff HEAD -- mm/memgate include;
		sha256sum "$objects/.config")
	[ "$(cat "$stamp" 2>/dev/null)" != "$now" ] || return 0
	mkdir -p "$dir"
	cp "$objects/.config" "$dir/.config"
	said=$(make -s -C "$linux" O="$dir" -j "$jobs" C=2 W=1 \
		CF='-D__CHECK_ENDIAN__' mm/memgate/ 2>&1) || {
		tail -n 40 <<<"$said"
		return 1
	}
	# kfuncs are declared nowhere in C; sparse does not know of that.
	! grep -E '(memgate[^ ]*:[0-9]+:.*(warning|error))' <<<"$said" |
		grep -vE "symbol 'bpf_[a-z_]*' was not declared" || return 1
	printf '%s\n' "$now" >"$stamp"
}

kernel_doc() {
	local said
	said=$(files -path './kernel/src/*' -name '*.[ch]' |
		xargs -r perl "$linux/scripts/kernel-doc" -none -Wall 2>&1)
	! grep -E 'warning|error' <<<"$said"
}

scripts() {
	local file list=()
	while read -r file; do
		if [[ $(head -c 100 "$file" | head -n 1) =~ ^#!.*/(ba|da)?sh ]]; then
			list+=("$file")
		fi
	done < <(files)
	# SC2319: that $? is a condition's is what the tests mean.
	shellcheck -x -P SCRIPTDIR -e SC2319 "${list[@]}"
}

spelling() {
	# The context of a patch is not ours (checkpatch reads the rest of it).
	files -not -name '*.patch' |
		xargs codespell -q 3 -L creat,lits,statics,ot,nd,polcy,atach,parm
}

# Line 1, or line 2 after #! (and in a man page after its title's comment).
licences() {
	local file bad=0
	while read -r file; do
		case $file in
		*.patch|*/series|./COPYING|*.map|*-expected.txt|*.txt) continue ;;
		# Of a form that has no comments; debian/copyright tells.
		*/debian/*) continue ;;
		esac
		head -n 2 "$file" | grep -q 'SPDX-License-Identifier: ' && continue
		echo "$file: no SPDX line"
		bad=1
	done < <(files)
	return $bad
}

# A checkout must work anywhere: no folder or mirror of one machine in it.
places() {
	! files | xargs grep -nE '(^|[^a-zA-Z0-9._-])/(work|home/[a-z])/|deb\.debian\.org|snapshot\.debian' |
		grep -v 'scripts/style.sh:'
}

white_space() {
	! files -not -name '*.patch' -not -name '*.png' |
		xargs grep -nE '[[:blank:]]$'
}

echo TAP version 13
try 'checkpatch --strict: new kernel files' all_kernel_files
try 'checkpatch --strict: patches' patches
try 'checkpatch: form of the other C files' user_files
try 'sparse and W=1: mm/memgate' sparse
try 'kernel-doc: new kernel files' kernel_doc
try 'shellcheck' scripts
try 'codespell' spelling
try 'licences: SPDX lines' licences
try 'no place of one machine' places
try 'no trailing blanks' white_space
try 'paths.tbl: table, page and hooks' env KSRC="$linux" \
	"$top/selftests/paths.sh" static
echo 1..$n
