# SPDX-License-Identifier: GPL-2.0-only
#
# Makes tables and verdicts of what bench prints.  Each line of the input has
# in front of it how it was measured (counted, wall), which run it was and the
# kernel:
#
#	counted 1 memgate bench allow1 mmap 9946.00 9946.00 10180.73 1000
#
# A figure is the median of all lines that say the same, from several processes
# and runs.  part is what to print: a table ("counted", "wall", "rule"),
# "repeatability" or "verdict".

$4 == "bench" {
	key = $1 SUBSEP $3 SUBSEP $5 SUBSEP $6
	add(key)
	add(key SUBSEP $2)
}

# The lines of one key are kept in order.
function add(key,	i) {
	for (i = ++lines[key]; i > 1 && value[key, i - 1] > $7; i--)
		value[key, i] = value[key, i - 1]
	value[key, i] = $7
}

# Of an even number the mean of both in the middle.
function median(key,	n) {
	n = lines[key]
	return (value[key, int((n + 1) / 2)] + value[key, int(n / 2) + 1]) / 2
}

function have(mode, kernel, state, op) {
	return (mode, kernel, state, op) in lines
}

function figure(mode, kernel, state, op) {
	return median(mode SUBSEP kernel SUBSEP state SUBSEP op)
}

function base(mode, op) {
	return figure(mode, "unpatched", "none", op)
}

function ratio(mode, kernel, state, op) {
	return figure(mode, kernel, state, op) / base(mode, op)
}

function added(kernel, state, op) {
	return figure("counted", kernel, state, op) - base("counted", op)
}

# A table is collected first: the widths of its columns follow from it.
function cell(row, col, text) {
	table[row, col] = text
	if (length(text) > width[col])
		width[col] = length(text)
}

function rule_line(cols,	col, line) {
	for (col = 0; col < cols; col++)
		line = line (col ? "  " : "") substr(bars, 1, width[col])
	print line
}

function print_table(rows, cols,	row, col, line) {
	bars = "========================================"
	rule_line(cols)
	for (row = 0; row < rows; row++) {
		line = ""
		for (col = 0; col < cols; col++)
			line = line sprintf("%-" (width[col] + 2) "s", \
				table[row, col] == "" ? "\\" : table[row, col])
		sub(/ +$/, "", line)
		print line
		if (row == 0)
			rule_line(cols)
	}
	rule_line(cols)
}

function states_table(mode,	n, i, j, text) {
	cell(0, 0, "operation")
	n = split("none elsewhere closed allow1 allow4 owner", states, " ")
	if (mode == "counted")
		cell(0, 1, "unpatched")
	for (j = 1; j <= n; j++)
		cell(0, j + (mode == "counted"), states[j])
	for (i = 1; i <= nr_ops; i++) {
		cell(i, 0, ops[i])
		if (mode == "counted")
			cell(i, 1, sprintf("%.0f", base(mode, ops[i])))
		for (j = 1; j <= n; j++) {
			text = "-"
			if (have(mode, "memgate", states[j], ops[i])) {
				text = sprintf("%.*f", mode == "counted" ? 4 : 2,
					ratio(mode, "memgate", states[j], ops[i]))
				if (mode == "counted")
					text = text sprintf(" (%+.0f)",
						added("memgate", states[j], ops[i]))
			}
			cell(i, j + (mode == "counted"), text)
		}
	}
	print_table(nr_ops + 1, n + 1 + (mode == "counted"))
}

function rule_row(row, text, kernel, state,	i, op) {
	cell(row, 0, text)
	for (i = 1; i <= 2; i++) {
		op = i == 1 ? "mmap_rwx" : "mmap"
		cell(row, i, sprintf("%.4f (%+.0f)", \
			ratio("counted", kernel, state, op), \
			added(kernel, state, op)))
	}
	cell(row, 3, sprintf("%.2f", ratio("wall", kernel, state, "mmap_rwx")))
}

function rule_table() {
	cell(0, 0, "the rule as")
	cell(0, 1, "mmap_rwx")
	cell(0, 2, "mmap")
	cell(0, 3, "mmap_rwx, time")
	rule_row(1, "plain C", "plain-c", "plain_c")
	rule_row(2, "LSM program", "unpatched", "lsm")
	rule_row(3, "policy", "memgate", "rule")
	rule_row(4, "LSM program, elsewhere", "unpatched", "lsm_elsewhere")
	rule_row(5, "policy, elsewhere", "memgate", "elsewhere")
	print_table(6, 4)
}

function verdict(name, got, limit, unit,	word) {
	word = got > limit ? "not ok" : "ok"
	missed += word == "not ok"
	printf "%s %d - %s: %s, wanted at most %s\n", word, ++nr, name,
		sprintf(unit, got), sprintf(unit, limit)
}

function percent_verdict(name, state, op, limit) {
	verdict(sprintf("%s %s (%+.0f instructions)", op, name, \
		added("memgate", state, op)), \
		(ratio("counted", "memgate", state, op) - 1) * 100, limit, \
		"%+.2f %%")
}

function verdicts(	i) {
	for (i = 1; i <= nr_ops; i++)
		percent_verdict("with no gate", "none", ops[i], 0.1)
	for (i = 1; i <= nr_ops; i++)
		percent_verdict("with gates elsewhere", "elsewhere", ops[i], 1)
	verdict("one decision of a policy, as of an LSM program", \
		added("memgate", "rule", "mmap_rwx"), \
		added("unpatched", "lsm", "mmap_rwx"), "%+.0f instructions")
	percent_verdict("of a gated VM", "allow1", "kvm_fault", 3)
	printf "1..%d\n", nr
	printf "%d of %d targets met\n", nr - missed, nr
}

# How far the two counted runs are apart, for each operation at most.
function repeatability(	key, of, a, b, apart, i) {
	for (key in lines) {
		if (split(key, of, SUBSEP) != 5 || of[1] != "counted" ||
		    of[5] != 1)
			continue
		a = median(key)
		sub(/1$/, "2", key)
		b = median(key)
		apart = (a > b ? a - b : b - a) / a * 100
		if (apart > most[of[4]])
			most[of[4]] = apart
	}
	for (i = 1; i <= nr_ops; i++)
		printf "%s%s %.3f %%", (i == 1 ? "" : ", "), ops[i], \
			most[ops[i]]
	print ""
}

END {
	nr_ops = split("mmap mmap_rwx read gup_fast gup_slow gup_anon kvm_fault fork", \
		ops, " ")
	if (part == "counted" || part == "wall")
		states_table(part)
	else if (part == "rule")
		rule_table()
	else if (part == "repeatability")
		repeatability()
	else
		verdicts()
}
