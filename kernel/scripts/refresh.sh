#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Takes work done in build/linux back: changed and added files of memgate's own
# to kernel/src and include/uapi, commits on existing files to the series in
# kernel/patches.  A commit "fixup! SUBJECT" (git commit --fixup) is folded
# into the patch of that subject; any other commit becomes a patch.
. "$(dirname "$0")/common.sh"

[ -d "$linux/.git" ] || die "there is no $linux: run 'make kernel-prepare' first"

work=$out/linux.refresh
new=$out/patches.new

git_work() { git_in "$work" "$@"; }

# What the kernel tree had not before: kept as whole files, not as patches.
# (Debian's .gitignore names everything: it is of no use to tell what is junk.)
new_files() {
	{
		git_linux diff --name-only --no-renames --diff-filter=A \
			refs/memgate/base HEAD
		git_linux ls-files --others --exclude='.*' --exclude='*~' \
			--exclude='*.orig' --exclude='*.rej' --exclude='*.[oa]'
	} | LC_ALL=C sort -u
}

refuse_loose_changes() {
	local loose
	loose=$(git_linux diff --name-only HEAD | grep -vxF "$(new_files)") || return 0
	die "changes that are not committed, in files of the kernel's own:" \
		"$loose" "To make them part of a patch of the series:" \
		"git -C $linux commit --fixup=<that patch's commit> FILES;" \
		"as a new patch: git -C $linux commit -s FILES"
}

take_new_files() {
	local file to
	while read -r file; do
		to=$(overlay_path "$file")
		[ -e "$linux/$file" ] || continue
		cmp -s "$linux/$file" "$to" && continue
		say FILE "$file"
		mkdir -p "$(dirname "$to")"
		cp "$linux/$file" "$to"
	done < <(new_files)
	while read -r file; do
		[ ! -e "$linux/$file" ] || continue
		say REMOVE "$file"
		rm -f "$(overlay_path "$file")"
	done < <(git_linux ls-tree -r --name-only refs/memgate/overlay |
		LC_ALL=C sort | LC_ALL=C comm -12 - <(overlay_files))
}

# Fixups are folded in beside, so that build/linux keeps its time stamps.
fold_fixups() {
	git_linux worktree remove --force "$work" 2>/dev/null || rm -rf "$work"
	git_linux worktree prune
	git_linux worktree add -q --no-checkout --detach "$work" HEAD
	{
		git_linux diff --name-only refs/memgate/base HEAD
		git_linux log --format= --name-only refs/memgate/base..HEAD
	} | sort -u | sed 's,^,/,' |
		git_work sparse-checkout set --no-cone --stdin
	git_work checkout -q
	if ! GIT_SEQUENCE_EDITOR=: GIT_EDITOR=: git_work rebase -q -i \
		--autosquash --committer-date-is-author-date \
		refs/memgate/overlay >"$logs/refresh.log" 2>&1; then
		cat "$logs/refresh.log" >&2
		die "the fixups cannot be folded in by themselves" \
			"Settle it with 'git rebase -i' in $linux, then refresh again."
	fi
}

# No index lines and no commit ids: these differ with every base version.
write_series() {
	local exclude=() file
	while read -r file; do
		exclude+=(":(exclude,top)$file")
	done < <({ new_files; overlay_files; } | sort -u)
	rm -rf "$new"
	mkdir -p "$new"
	git_work format-patch -q --zero-commit --no-signature -N --no-renames \
		-o "$new" refs/memgate/overlay..HEAD -- . "${exclude[@]}"
	sed -i -E '/^index [0-9a-f]+\.\.[0-9a-f]+/d' "$new"/*.patch
	(cd "$new" && printf '%s\n' [0-9]*.patch) >"$new/series"
}

# Only what differs is written: the series is under version control.
take_series() {
	local file
	mkdir -p "$series"
	for file in "$new"/*; do
		cmp -s "$file" "$series/${file##*/}" && continue
		say PATCH "${file##*/}"
		cp "$file" "$series/"
	done
	for file in "$series"/[0-9]*.patch; do
		[ ! -e "$new/${file##*/}" ] || continue
		say REMOVE "${file##*/}"
		rm -f "$file"
	done
}

shopt -s nullglob
mkdir -p "$logs"
refuse_loose_changes
take_new_files
fold_fixups
write_series
[ -s "$new/series" ] || die "the series would be empty: nothing was changed"
take_series
git_linux worktree remove --force "$work"
rm -rf "$new"
# Same content, other commits: no file in build/linux changes by this.
git_linux update-ref refs/memgate/prepared HEAD
new_files | git_linux add -A -f --pathspec-from-file=-
"$top/kernel/scripts/prepare.sh"
