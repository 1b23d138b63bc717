# SPDX-License-Identifier: GPL-2.0-only
#
# Condenses a kernel build's short output to a line now and then.  Variables:
# total, how many files are compiled in all; count_file, where to keep how many
# there were.  Everything read goes to standard error as it is.

BEGIN {
	start = last = systime()
}

{
	print > "/dev/stderr"
}

/^  (CC|AS) / {
	n++
}

/^  (LD|BTF|KSYMS|OBJCOPY|BUILD) .*(vmlinux|bzImage)/ {
	printf "  %-8s %s\n", $1, $2
	fflush()
	next
}

systime() >= last + 20 {
	last = systime()
	printf "  BUILD    %d of about %d files, %d:%02d min\n", n, total,
		(last - start) / 60, (last - start) % 60
	fflush()
}

END {
	# A build of a few changed files says nothing about the next full one.
	if (n > 2000)
		print n > count_file
}
