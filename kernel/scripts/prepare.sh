#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Puts memgate into build/linux: the new files of kernel/src and include/uapi
# as one commit, the patch series as the commits after it.  This happens in a
# work tree beside, of the touched files only; build/linux then moves to the
# result in one step, so that no file changes, and nothing is compiled again,
# that is the same as before.
. "$(dirname "$0")/common.sh"

"$top/kernel/scripts/source.sh"

stamp=$linux/.git/memgate-prepared
apply_dir=$out/linux.apply

git_apply() { git_in "$apply_dir" "$@"; }

inputs() {
	git_linux rev-parse refs/memgate/base
	while read -r file; do
		sha256sum <"$(overlay_path "$file")"
		echo "$file"
	done < <(overlay_files)
	while read -r patch; do
		sha256sum "$series/$patch" ||
			die "$series/series names $patch, which is not there"
	done < <(series_patches)
}

# The files that the series changes, for a work tree of just those.
touched_files() {
	while read -r patch; do
		sed -nE 's,^(---|\+\+\+) [ab]/(.*)$,/\2,p' "$series/$patch"
	done < <(series_patches) | sort -u
	overlay_files | sed 's,^,/,'
}

new_apply_dir() {
	git_linux worktree remove --force "$apply_dir" 2>/dev/null || true
	rm -rf "$apply_dir"
	git_linux worktree prune
	git_linux worktree add -q --no-checkout --detach "$apply_dir" \
		refs/memgate/base
	touched_files | git_apply sparse-checkout set --no-cone --stdin
	git_apply checkout -q
}

commit_overlay() {
	while read -r file; do
		mkdir -p "$apply_dir/$(dirname "$file")"
		cp "$(overlay_path "$file")" "$apply_dir/$file"
	done < <(overlay_files)
	git_apply add -A -f --sparse .
	GIT_AUTHOR_DATE='2001-01-01T00:00:00Z' \
		GIT_COMMITTER_DATE='2001-01-01T00:00:00Z' \
		git_apply commit -q --allow-empty -m 'memgate: new files'
}

# Says which hunk of which patch found no place, and shows it.
refuse() {	# patch, git's output
	local where file line
	echo "kernel: $1 does not fit Linux $(linux_version "$linux")" >&2
	grep -E '^error: ' <<<"$2" | sed 's/^error: /  /' >&2
	while IFS= read -r where; do
		file=${where%:*} line=${where##*:}
		echo "  --- hunk of $file that finds no place:" >&2
		awk -v file="+++ b/$file" -v at="@@ -$line," '
			/^diff --git/ { in_file = 0 }
			$0 == file { in_file = 1 }
			/^@@/ || /^-- $/ { show = in_file && index($0, at) == 1 }
			/^diff --git/ { show = 0 }
			show { print "  | " $0 }' "$series/$1" >&2
	done < <(sed -nE 's/^error: patch failed: (.*:[0-9]+)$/\1/p' <<<"$2")
	echo "  Change the patch, or the tree: see 'Port' in kernel/README.md" >&2
	exit 1
}

apply_series() {
	local said patch
	while read -r patch; do
		said=$(git_apply am -q --keep-non-patch \
			--committer-date-is-author-date "$series/$patch" 2>&1) ||
			refuse "$patch" "$said"
	done < <(series_patches)
}

move_tree() {	# commit
	local head
	head=$(git_linux rev-parse HEAD)
	[ "$head" != "$1" ] || return 0
	if [ "$head" != "$(git_linux rev-parse refs/memgate/prepared)" ] &&
	   [ "$(git_linux rev-parse "HEAD^{tree}")" != \
	     "$(git_linux rev-parse "$1^{tree}")" ]; then
		die "$linux holds commits of its own, and kernel/ changed as well" \
			"'make kernel-refresh' takes them into kernel/;" \
			"'git -C $linux reset --hard refs/memgate/prepared' drops them."
	fi
	git_linux checkout -q -B memgate "$1" ||
		die "$linux has changes that are not committed, in files that" \
			"changed in kernel/ too (git named them above): take them back" \
			"with 'make kernel-refresh', or drop them with" \
			"'git -C $linux checkout -f'"
}

now=$(inputs)
if [ "$(cat "$stamp" 2>/dev/null)" = "$now" ]; then
	exit 0
fi
say PREPARE "Linux $(linux_version "$linux"): $(overlay_files | wc -l) new files, $(series_patches | wc -l) patches"
new_apply_dir
commit_overlay
overlay_commit=$(git_apply rev-parse HEAD)
apply_series
result=$(git_apply rev-parse HEAD)
move_tree "$result"
git_linux update-ref refs/memgate/overlay "$overlay_commit"
git_linux update-ref refs/memgate/prepared "$result"
git_linux worktree remove --force "$apply_dir"
printf '%s\n' "$now" >"$stamp"
