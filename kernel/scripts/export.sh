#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Writes build/export: a series that can be mailed or given to git am on an
# unpatched kernel.  The new files come first, as patches whose messages are in
# kernel/patches/VERSION/new-*.txt: a line "Files: PATH ...", an empty line,
# the subject, an empty line, the text.  New files that none of these names
# come last among them, in a patch of their own.
. "$(dirname "$0")/common.sh"

"$top/kernel/scripts/prepare.sh"

work=$out/linux.export
dest=$out/export

git_work() { git_in "$work" "$@"; }

commit_files() {	# message on standard input
	git_in "$work" -c user.name="$author_name" -c user.email="$author_mail" \
		commit -q -s -F -
}

new_file_patches() {
	local text files
	for text in "$series"/new-*.txt; do
		[ -e "$text" ] || continue
		read -ra files < <(sed -n 's/^Files: //p' "$text")
		git_work checkout -q refs/memgate/overlay -- "${files[@]}"
		sed '1,/^$/d' "$text" | commit_files
	done
	git_work diff --quiet HEAD refs/memgate/overlay && return
	git_work read-tree -u -m refs/memgate/overlay
	commit_files <<-'END'
	mm/memgate: add access gates for memfds

	A gate belongs to the inode of a memfd and decides who may reach its
	memory.  Policies are BPF struct_ops programs; with none installed a
	sealed memfd is closed.  Nothing calls this code yet: the patches that
	follow connect it.
	END
}

# The author of a series is who wrote its first patch.
first=$series/$(series_patches | head -n 1)
author_name=$(sed -nE 's/^From: (.*) <.*>$/\1/p;/^$/q' "$first")
author_mail=$(sed -nE 's/^From: .* <(.*)>$/\1/p;/^$/q' "$first")

git_linux worktree remove --force "$work" 2>/dev/null || rm -rf "$work"
git_linux worktree prune
git_linux worktree add -q --no-checkout --detach "$work" refs/memgate/base
git_linux diff --name-only refs/memgate/base refs/memgate/prepared |
	sed 's,^,/,' | git_work sparse-checkout set --no-cone --stdin
git_work checkout -q
new_file_patches
while read -r patch; do
	git_work am -q --keep-non-patch --committer-date-is-author-date \
		"$series/$patch"
done < <(series_patches)
git_work diff --quiet HEAD refs/memgate/prepared ||
	die "the exported series does not give the tree that is built"

rm -rf "$dest"
mkdir -p "$dest"
cover=$series/0000-cover-letter.txt
format=(-q --thread=shallow --no-signature -o "$dest")
[ ! -e "$cover" ] || format+=(--cover-letter)
git_in "$work" -c user.name="$author_name" -c user.email="$author_mail" \
	format-patch "${format[@]}" refs/memgate/base..HEAD
# The first line is the subject, the text begins on the third.
if [ -e "$cover" ]; then
	subject=$(head -n 1 "$cover")
	tail -n +3 "$cover" >"$out/cover.tmp"
	sed -i -e "s|\*\*\* SUBJECT HERE \*\*\*|$subject|" \
		-e "/\*\*\* BLURB HERE \*\*\*/{r $out/cover.tmp
		d}" "$dest"/0000-*.patch
	rm -f "$out/cover.tmp"
fi
git_linux worktree remove --force "$work"
say EXPORT "$(find "$dest" -name '*.patch' | wc -l) mails in $dest"
