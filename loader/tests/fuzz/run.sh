#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Run fuzz targets for some time each, from seeds that are made here:
# run.sh FOLDER SECONDS OBJECTS TARGET...; TAP on stdout.
#
# A finding is kept in FOLDER/crash, and is a failed test.
#
# Each target has a function seed_TARGET:
# shellcheck disable=SC2317

fuzz=$1
seconds=$2
objects=$3
shift 3
objcopy=$(command -v llvm-objcopy-19 || command -v llvm-objcopy)
seeds=$fuzz/seeds
nr=0
failed=0

seed_params()
{
	local file types which n=0
	local lines='tgid=1234\nstart=0x10\nparty[3].by_uid=true\nclasses=map|file
trust=pci:0000:00:10.0,net:eth0\nsticky=yes\nmode=fast\nrights=read|write
addr=0000:03:00.0\nid=8086:1572\nnumbers=1,2\nlow=31\nmiddle=-3
inner[1].port=1,2\none.two.deep=9\nu8=255\ns8=-128\ncolour=BLUE\ntext=abc
dev[1].list[2]=4\nwords=a,bcdef\nbits=1\n'

	for file in "$objects"/{params,values,exclusive_kvm,params_types}.bpf.o; do
		n=$((n + 1))
		"$objcopy" --dump-section .BTF="$fuzz/types" "$file" /dev/null
		for types in /dev/null "$fuzz/types"; do
			{
				which=$n
				[ "$types" = /dev/null ] || which=0
				printf '%b' "\\x0$which\\x00\\x02"
				printf '%-512b' "$lines" | head -c 512
				cat "$types"
			} > "$seeds/params/$n-${types##*/}"
		done
	done
}

seed_inspect()
{
	local file

	for file in "$objects"/*.bpf.o; do
		"$objcopy" --strip-debug "$file" \
			"$seeds/inspect/${file##*/}" 2>/dev/null ||
			cp "$file" "$seeds/inspect"
	done
}

seed_fdinfo()
{
	cat > "$seeds/fdinfo/text" <<-'END'
	pos:	0
	ino:	1057
	memgate:	id 5 premapped 0 frozen 1 classes 0x43
	memgate-policy:	name owner map 12 link 7 state live classes 0x3
	memgate-policy:	name x map 0 link 0 state closed classes 0x40
	memgate-consumer:	kind 7 id 9 rights 0x3 pid 1234
	memgate-device:	consumer 9 name 0000:00:10.0
	END
	printf '\x01' > "$seeds/fdinfo/records"
	# one record of each kind: the number is its first word
	for kind in 1 2 3 4; do
		printf '%b' "\\x0$kind"
		head -c 511 /dev/zero
	done >> "$seeds/fdinfo/records"
}

run() # TARGET
{
	local corpus=$fuzz/corpus/$1

	mkdir -p "$corpus" "$fuzz/crash/$1"
	FUZZ_OBJECTS=$(echo "$objects"/{params,values,exclusive_kvm}.bpf.o) \
	ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1 \
		"$fuzz/$1" -max_total_time="$seconds" -timeout=20 \
		-rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
		-artifact_prefix="$fuzz/crash/$1/" "$corpus" "$seeds/$1" \
		> "$fuzz/$1.log" 2>&1
}

echo "TAP version 13"
echo "1..$#"
rm -rf "$seeds"
for target; do
	nr=$((nr + 1))
	if [ ! -x "$fuzz/$target" ]; then
		echo "ok $nr fuzz $target # SKIP no libFuzzer (libclang-rt-19-dev)"
		continue
	fi
	mkdir -p "$seeds/$target"
	"seed_$target"
	if run "$target"; then
		echo "ok $nr fuzz $target"
		echo "# $(grep -c . <(ls "$seeds/$target")) seeds," \
			"$(sed -n 's/^stat::number_of_executed_units: *//p' \
			"$fuzz/$target.log") inputs in $seconds s"
	else
		echo "not ok $nr fuzz $target"
		grep -v "^#\|^INFO" "$fuzz/$target.log" | head -40 |
			sed 's/^/# /'
		failed=1
	fi
done
exit $failed
