# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The steps of the demo: try something, say what came back, check it.
#
# shellcheck disable=SC2154	# work: the folder of demo.sh

steps=0
wrong=()

say() { echo "  $*"; }

section() { printf '\n%s\n' "$*"; }

give_up() {
	echo "demo: $*" >&2
	exit 1
}

indent() { sed 's/^/      | /'; }

# stop_here WHY FILE...: what follows would make no sense
stop_here() {
	local file

	echo "demo: FAILED: $1"
	for file in "${@:2}"; do
		[ ! -s "$file" ] || tail -n 30 "$file" | indent
	done
	exit 1
}

as_expected() { echo '   [as expected]'; }

not_as_expected() {
	printf '   [NOT AS EXPECTED: %s]\n' "$1"
	wrong+=("$steps")
}

# try WHAT ok|refused PATTERN COMMAND...
#
# The exit status must be zero or not, and a line of the output must match
# PATTERN.  That line, or else the last one, is shown.
try() {
	local what=$1 want=$2 pattern=$3 line status word=ok

	shift 3
	steps=$((steps + 1))
	printf '%3d. %s ... ' "$steps" "$what"
	"$@" >"$work/step" 2>&1
	status=$?
	[ $status = 0 ] || word=refused
	line=$(grep -a -E -m 1 -e "$pattern" "$work/step") ||
		line=$(tail -n 1 "$work/step")
	printf '%s: %s' "$word" "${line//$'\r'/}"
	if [ $word != "$want" ]; then
		not_as_expected "wanted $want, exit status $status"
	elif ! grep -q -a -E -e "$pattern" "$work/step"; then
		not_as_expected "wanted '$pattern'"
	else
		as_expected
		return
	fi
	indent <"$work/step"
}

# see WHAT COMMAND... -- PATTERN...: show all its output, which must match
# each pattern, or must not if it begins with '!'
see() {
	local what=$1 command=() status pattern bad=

	shift
	while [ "$1" != -- ]; do
		command+=("$1")
		shift
	done
	shift
	steps=$((steps + 1))
	"${command[@]}" >"$work/step" 2>&1
	status=$?
	[ $status = 0 ] || bad="exit status $status"
	for pattern; do
		if [ "${pattern#!}" != "$pattern" ]; then
			! grep -qE -e "${pattern#!}" "$work/step" ||
				bad="wanted no '${pattern#!}'"
		else
			grep -qE -e "$pattern" "$work/step" ||
				bad="wanted '$pattern'"
		fi
	done
	printf '%3d. %s' "$steps" "$what"
	if [ -n "$bad" ]; then
		not_as_expected "$bad"
	else
		as_expected
	fi
	[ -s "$work/step" ] || echo '(nothing)' >"$work/step"
	indent <"$work/step"
}

# must: the step before has to have worked for the next ones to mean anything
must() {
	local last=${wrong[*]: -1}

	[ "$last" != "$steps" ] ||
		stop_here "step $steps, which the others need" \
			"$work"/*.serial "$work"/*.err
}

verdict() {
	echo
	if [ ${#wrong[@]} = 0 ]; then
		echo "demo: all $steps steps as expected"
		exit 0
	fi
	echo "demo: FAILED: ${#wrong[@]} of $steps steps not as expected:" \
		"${wrong[*]}"
	exit 1
}
