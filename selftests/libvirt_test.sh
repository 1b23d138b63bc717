#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The emulator for libvirt: what it makes of command lines, and a domain that
# libvirt itself starts with it, without any privilege.  Needs root; TAP on
# stdout.
#
# Functions are called by name, through works and refused.
# shellcheck disable=SC2317
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=recipes_util.sh
. "$here/recipes_util.sh"

# ---- command lines -----------------------------------------------------------

# In the place of QEMU: one line for each argument.
cat >"$work/show" <<'END'
#!/bin/sh
printf '%s\n' "$@"
END
chmod 755 "$work/show"
emulator=$work/emulator
cp "$here/../loader/examples/memgate-emulator" "$emulator"
printf 'qemu %s\n' "$work/show" >"$emulator.conf"

fd='/proc/self/fd/[0-9]+'
# As libvirt 9.0 and 11.3 write it.
memfd='{"qom-type":"memory-backend-memfd","id":"pc.ram","share":true,"x-use-canonical-path-for-ramblock-id":false,"size":2097152}'
works 'memory: a memfd as JSON' \
	"^\{\"qom-type\":\"memory-backend-file\",\"mem-path\":\"$fd\",\"share\":true,\"id\":\"pc.ram\",\"x-use-canonical-path-for-ramblock-id\":false,\"size\":2097152\}$" \
	"$emulator" -name guest=a -object "$memfd"
works 'memory: what has no source is memory too' \
	"\"mem-path\":\"$fd\",\"share\":true,\"id\":\"pc.ram\",\"size\":2097152\}$" \
	"$emulator" -object \
	'{"qom-type":"memory-backend-ram","id":"pc.ram","size":2097152}'
# As libvirt 6 and before.
works 'memory: a memfd as a list' \
	"^memory-backend-file,id=pc.ram,size=2097152,host-nodes=0,policy=bind,share=on,mem-path=$fd$" \
	"$emulator" -object \
	memory-backend-memfd,id=pc.ram,share=yes,size=2097152,host-nodes=0,policy=bind
works 'memory: huge pages' \
	"\"share\":true,\"id\":\"pc.ram\",\"prealloc\":true,\"size\":2097152\}$" \
	"$emulator" -object \
	'{"qom-type":"memory-backend-memfd","id":"pc.ram","hugetlb":true,"hugetlbsize":2097152,"share":true,"prealloc":true,"size":2097152}'
works 'memory: other arguments stay, blanks and all' '^a  b$' \
	"$emulator" -append 'a  b' -object "$memfd"
works 'memory: other objects stay' '^\{"qom-type":"secret","id":"m"\}$' \
	"$emulator" -object '{"qom-type":"secret","id":"m"}' -object "$memfd"
refused 'memory: two of them are too many' 'more than one memory backend' \
	"$emulator" -object "$memfd" -object "$memfd"
refused 'memory: a file is refused' 'memory from a file' "$emulator" -object \
	'{"qom-type":"memory-backend-file","id":"pc.ram","mem-path":"/x","size":4096}'
refused 'memory: a machine without is not started' 'not started' \
	"$emulator" -machine q35 -m 128
works 'questions: what can this QEMU do?' '^none,accel=kvm:tcg$' \
	"$emulator" -S -no-user-config -nodefaults -nographic \
	-machine none,accel=kvm:tcg -qmp unix:/x -daemonize
works 'questions: its version' '^-version$' "$emulator" -version
works 'questions: its devices' '^help$' "$emulator" -device help
printf 'run policy nothing\nqemu %s\n' "$work/show" >"$emulator.conf"
refused 'configuration: other policies' "no policy 'nothing' is loaded" \
	"$emulator" -object "$memfd"
echo 'rum policy nothing' >"$emulator.conf"
refused 'configuration: a mistake' "'qemu' or 'run', not 'rum'" \
	"$emulator" -object "$memfd"
rm "$emulator.conf"

# ---- libvirt -------------------------------------------------------------------

command -v virt-qemu-run >/dev/null || {
	nr=$((nr + 1))
	echo "ok $nr libvirt # SKIP no virt-qemu-run"
	echo "1..$nr"
	exit $failed
}
chmod 666 /dev/kvm
cat >"$work/domain.xml" <<END
<domain type='kvm'>
  <name>gated</name>
  <memory unit='MiB'>128</memory>
  <memoryBacking>
    <source type='memfd'/>
    <access mode='shared'/>
  </memoryBacking>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>$guest_kernel</kernel>
    <initrd>$tools/guest.cpio</initrd>
    <cmdline>console=ttyS0 quiet panic=-1</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='host-passthrough'/>
  <devices>
    <emulator>$emulator</emulator>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    <serial type='file'><source path='$work/home/serial'/></serial>
  </devices>
</domain>
END
mkdir -p "$work/home/root/etc"
# Without virtlogd.
echo 'stdio_handler = "file"' >"$work/home/root/etc/qemu.conf"
chown -R $nobody:$nobody "$work/home"

# A user's own libvirt, which is part of that program.
libvirt() {
	cd "$work/home" && exec setpriv --reuid $nobody --regid $nobody \
		--clear-groups --inh-caps=-all --bounding-set=-all \
		env HOME="$work/home" LC_ALL=C \
		virt-qemu-run --root="$work/home/root" "$work/domain.xml"
}

says() { # FILE PATTERN PID
	local end=$((SECONDS + patience))

	until grep -aE -e "$2" "$1" 2>/dev/null; do
		if ! kill -0 "$3" || [ "$SECONDS" -ge "$end" ]; then
			cat "$work/libvirt" "$work/home/root/log/qemu/"*.log
			return 1
		fi
		sleep 0.2
	done
}

libvirt </dev/null >"$work/libvirt" 2>&1 &
runner=$!
works 'libvirt: starts a domain, whose guest boots' 'guest: hello' \
	says "$work/home/serial" 'guest: hello' $runner
vm=$(memgate gate list | sed -n 's/^  consumer  kvm .* pid \([0-9]*\)$/\1/p')
stray=$vm
fd=$(memfd_of "$vm" | head -n 1)
works 'libvirt: it is the process that libvirt takes for QEMU' "^$vm$" \
	cat "$work/home/root/run/qemu/gated.pid"
works 'libvirt: its memory has a gate, frozen' ', frozen' \
	memgate gate show pid "$vm"
works 'libvirt: and the policies' 'class     kvm .*decided by exclusive_kvm' \
	memgate gate show pid "$vm"
refused 'libvirt: root does not map it' 'mmap: Permission denied' \
	"$tools/peek" map "$vm" "$fd" x
refused 'libvirt: nor read it' 'Permission denied' \
	"$tools/peek" read "$vm" "$fd" x
kill -TERM $runner
wait $runner 2>/dev/null
gone() { ! memgate gate list | grep gate; }
for ((i = 0; i < 50; i++)); do
	! gone >/dev/null || break
	sleep 0.1
done
works 'libvirt: when it is told to end, nothing is left' '' gone

memgate policy unload owner >/dev/null
libvirt </dev/null >"$work/libvirt" 2>&1 &
runner=$!
works 'libvirt: says why a domain does not start' \
	"no policy 'owner' is loaded" \
	says "$work/libvirt" "no policy 'owner' is loaded" $runner
wait $runner 2>/dev/null

echo "1..$nr"
exit $failed
