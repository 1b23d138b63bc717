# SPDX-License-Identifier: GPL-2.0-only
"""Do two outputs have the same shape?

Numbers may differ: ids, pids, sizes, hashes.  So may the width of columns.
Words may not.  In what a page shows, a line "..." stands for any lines, and
"..." at the end of a line for the rest of it.
"""
import functools
import re

NUMBER = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-f]{32,}\b|"
                    r"\d+(?:[.,]\d+)*(?: ?[kKMGT]i?B?\b)?")


def shape(line):
    return " ".join(NUMBER.sub("N", line).split())


def shapes(lines):
    return [shape(line) for line in lines if line.strip()]


def line_fits(shown, line):
    if shown.endswith("..."):
        return line.startswith(shown[:-3].rstrip())
    return shown == line


def fits(shown, output):
    """Does what a page shows stand for this output?  Both are lists of lines."""
    shown, output = shapes(shown), shapes(output)

    @functools.lru_cache(None)
    def rest_fits(i, j):
        if i == len(shown):
            return j == len(output)
        if shown[i] == "...":
            return rest_fits(i + 1, j) or (j < len(output) and
                                           rest_fits(i, j + 1))
        return (j < len(output) and line_fits(shown[i], output[j]) and
                rest_fits(i + 1, j + 1))

    return rest_fits(0, 0)
