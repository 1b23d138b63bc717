#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The parameters that an install brought are shown to those who may see them, and
# to nobody else, in words that can be given again.  Needs root; TAP on stdout.
#
# Many commands are quoted for a shell of their own, which inherits the memfd:
# shellcheck disable=SC2016,SC2317

# shellcheck source=selftests/explain_util.sh
. "$(dirname "$0")/explain_util.sh"

echo "TAP version 13"
without_memgate "gate list"
rm -rf $pins
chmod 711 /sys/fs/bpf
for p in exclusive_kvm owner trusted_devices confidential; do
	memgate policy load "$bpf/$p.bpf.o" mode 0444 > /dev/null
done
memgate policy load "$progs/params_types.bpf.o" name types7 > /dev/null

works "gate show: parameters by their names" "^ *param sticky=true$" sh7 \
	'attach exclusive_kvm param sticky=1; memgate gate show fd 7'
prints "as JSON" true sh7 'attach exclusive_kvm param sticky=1
	memgate -j gate show fd 7 | json policies 0 params sticky'
prints "gate list, as JSON" true sh7 'attach exclusive_kvm param sticky=1
	"$helper" hide memgate -j gate list |
	json 0 policies 0 params sticky'
prints "what is zero is left out" "{ }" sh7 'attach exclusive_kvm
	memgate -j gate show fd 7 | json policies 0 params'
works "not for one without capabilities, who sees the rest" \
	"exclusive_kvm .* decides kvm" sh7 \
	'attach exclusive_kvm param sticky=1; nobody memgate gate show fd 7'
lacks "none of it" sticky
prints "nor as JSON" null sh7 'attach exclusive_kvm param sticky=1
	nobody memgate -j gate show fd 7 | json policies 0 params'
prints "nor as root without them" null sh7 \
	'attach exclusive_kvm param sticky=1
	incapable memgate -j gate show fd 7 | json policies 0 params'
prints "nor in a list" null sh7 'attach exclusive_kvm param sticky=1
	incapable memgate -j gate list | json 0 policies 0 params'

# round NAME POLICY WORDS: what is shown can be given again, and is the same
round()
{
	prints "round trip: $1" "the same" sh7 "
		attach $2 $3
		words=\$(memgate gate show fd 7 | sed -n 's/^  *param/param/p')
		before=\$(memgate -j gate show fd 7 | json policies 0 params)
		eval \"attach $2 \$words\"
		after=\$(memgate -j gate show fd 7 | json policies 1 params)
		echo \"\$words\" > \"\$out/words\"
		[ -n \"\$words\" ] && [ \"\$before\" = \"\$after\" ] &&
		memgate gate list > /dev/null && echo the same"
}
round "numbers, flags and names" owner \
	"param tgid=4294967295 param start=18446744073709551615 \
	param party[7].by_uid=true param party[7].classes='map|file'"
round "every kind of number" types7 "param u8=200 param s16=-300 \
	param u32=4000000000 param s64=-5000000000 param flag=true \
	param colour=PARAMS_BLUE param text='hi you'"
round "a list of texts" trusted_devices \
	"param trust='pci:0000:00:*,net:eth?,driver:a b'"
round "a text with a comma and a quote" trusted_devices \
	"param trust[0]=\"net:a,b'c\" param trust[1]=net:d"
round "a list with a hole" trusted_devices "param trust[2]=net:a"
round "thousands of bytes" confidential \
	"param tgid=1 param trust[63]=net:zzz param trust[0]=net:a"
works "parameters of a policy that only bpftool knows" "16 bytes of" \
	sh -c 'bpftool struct_ops register "$1" $pins > /dev/null 2>&1 &&
	"$helper" memfd -- sh -c "
		memgate gate attach fd 7 policy two_vms_one_cgroup \
			param max_vms=3 > /dev/null
		setpriv --bounding-set=-sys_admin --inh-caps=-all \
			memgate gate show fd 7"' sh \
	"$bpf/two_vms_one_cgroup.bpf.o"
has "their names may not be read" "whose names may not be read"
works "their names may be read with CAP_SYS_ADMIN" "param max_vms=3" sh7 \
	'attach two_vms_one_cgroup param max_vms=3; memgate gate show fd 7'
works "of a policy that was lost" "param.*went with the policy" sh7 \
	'attach exclusive_kvm param sticky=1 pin /sys/fs/bpf/explain-a
	rm /sys/fs/bpf/explain-a; until_state closed; memgate gate show fd 7'

echo "1..$nr"
exit $failed
