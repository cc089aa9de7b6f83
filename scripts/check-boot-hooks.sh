#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the hooks for an initramfs (dist/) without an initramfs: in a sandbox, with stand-ins for the functions of
# initramfs-tools, dracut and mkinitcpio, for torpor and for torpor-resume, which record their calls. The machine tests run the
# hooks of initramfs-tools and dracut for real; nothing else runs those of mkinitcpio.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
log=$root/log

fail() {
    echo "check-boot-hooks.sh: $1" >&2
    cat "$log" "$root/output" >&2 2>/dev/null || :
    exit 1
}

# Copies a script into the sandbox. Absolute paths get the sandbox in front, and any file may stand for a block device.
place() {
    mkdir -p "$root/$(dirname "$2")"
    paths='usr/lib/torpor|usr/bin/torpor-resume|scripts/|proc/|dev/|sys/block|etc/torpor|etc/initrd-release|run/'
    sed -E "s#(^|[ \"'=<>(])/($paths)#\1$root/\2#g; s#-b \"#-e \"#g" "$top/dist/$1" >"$root/$2"
    chmod 755 "$root/$2"
}

# Makes a program of the sandbox from standard input.
program() {
    mkdir -p "$root/$(dirname "$1")"
    { printf '#!/bin/sh\n'; cat; } >"$root/$1"
    chmod 755 "$root/$1"
}

# A machine with these parameters on the kernel command line, this name of the partition, and these block devices.
machine() {
    (cd "${root:?}" && rm -rf dev sys etc run initrd)
    mkdir -p "$root/dev/disk/by-partuuid" "$root/dev/disk/by-id" "$root/dev/disk/by-path" "$root/sys/block" "$root/etc/torpor" \
        "$root/proc" "$root/run"
    printf '%s\n' "$1" >"$root/proc/cmdline"
    echo '5.25 1.00' >"$root/proc/uptime"
    rm -f "$root/etc/torpor.conf"
    if [ -n "${2-}" ]; then
        # In the initramfs, and in the system that builds it.
        printf 'device=%s\n' "$2" >"$root/etc/torpor/resume.conf"
        printf 'device = %s\n' "$2" >"$root/etc/torpor.conf"
    fi
    shift 2
    for device; do
        mkdir -p "$root/$(dirname "$device")" && touch "$root/$device"
    done
    : >"$log"
    : >"$root/dev/kmsg"
}

# What a run must have recorded: its name, and lines for the log.
expect() {
    what=$1
    shift
    for line; do printf '%s\n' "$line"; done >"$root/expected"
    diff -u "$root/expected" "$log" >"$root/output" || fail "$what"
}

place boot/resume-functions.sh usr/lib/torpor/resume-functions.sh
place boot/resume-device.sh usr/lib/torpor/resume-device.sh
place boot/resume-generator.sh usr/lib/torpor/resume-generator.sh
place boot/run-resume.sh usr/lib/torpor/run-resume.sh
program usr/bin/torpor-resume <<STUB
printf 'torpor-resume%s\n' "\${*:+ \$*}" >>"$log"
exit 1
STUB
cp "$root/usr/bin/torpor-resume" "$root/usr/lib/torpor/torpor-resume"

# The kernel command line, in the shells that an initramfs may have: name, whether the resume is skipped, device, link.
cat >"$root/parse.sh" <<PARSE
set -eu
. "$root/usr/lib/torpor/resume-functions.sh"
torpor_settings
printf '%s|%s|%s\n' "\$torpor_skip" "\$torpor_device" "\${torpor_link#$root}"
PARSE
parse() {
    machine "$1" "${3-}"
    for shell in sh dash 'busybox ash' bash; do
        command -v "${shell%% *}" >/dev/null || continue
        $shell "$root/parse.sh" >"$log" 2>"$root/output" || fail "$shell: $1: the command line is not read"
        expect "$shell: '$1' and '${3-}' are read in another way" "$2"
    done
}
parse 'quiet root=/dev/sda1' 'no||'
parse 'quiet noresume' 'yes||'
parse 'noresume=1 nonoresume -- noresume torpor.device=PARTUUID=1' 'no||'
parse 'ro' 'no|PARTUUID=AB-CDEF0|/dev/disk/by-partuuid/ab-cdef0' PARTUUID=AB-CDEF0
parse 'torpor.device=PARTUUID=1 torpor.device=PARTUUID=2 x' 'no|PARTUUID=2|/dev/disk/by-partuuid/2' PARTUUID=3
parse 'torpor.device=' 'no|PARTUUID=3|/dev/disk/by-partuuid/3' PARTUUID=3
parse 'torpor.device="PARTLABEL=my nap/1" x' 'no|PARTLABEL=my nap/1|/dev/disk/by-partlabel/my\x20nap\x2f1'
parse '"torpor.device=PARTLABEL=ä~+" noresume' 'yes|PARTLABEL=ä~+|/dev/disk/by-partlabel/ä\x7e+'
touch "$root/proc/vmcore"
parse 'torpor.device=LABEL=nap' 'yes|LABEL=nap|'
rm "$root/proc/vmcore"
parse 'torpor.device=UUID=9f0e6a3c' 'no|UUID=9f0e6a3c|'
parse 'torpor.device=LABEL=nap' 'no|LABEL=nap|' PARTUUID=3
for name in uuid label; do
    parse "torpor.device=$root/dev/disk/by-$name/x" "no|$root/dev/disk/by-$name/x|"
done
parse "torpor.device=$root/dev/vda2" "no|$root/dev/vda2|/dev/vda2"
parse "$(printf 'a\ttorpor.device="LABEL=no end')" 'no|LABEL=no end|'

# The start of torpor-resume, whose failure is nobody's.
cat >"$root/start.sh" <<START
set -eu
. "$root/usr/lib/torpor/resume-functions.sh"
torpor_settings
torpor_resume 7
START
start() { sh "$root/start.sh" >"$root/output" 2>&1 || fail "the start of torpor-resume fails"; }
machine '' '' sys/block/loop0/size
start
expect "without a disk, torpor-resume runs"
machine '' '' sys/block/vda/device
start
expect "without a configured partition, torpor-resume does not run at once" 'torpor-resume --wait 0'
machine '' PARTUUID=1 dev/disk/by-partuuid/1
start
expect "if the partition is there, torpor-resume does not run" 'torpor-resume --device PARTUUID=1 --wait 0'
machine '' UUID=1
start
expect "torpor-resume does not wait for a name that udev does not know" 'torpor-resume --device UUID=1 --wait 7'
machine '' PARTUUID=1
start
expect "without its partition, torpor-resume runs"
[ "$(grep -c '^<3>torpor: PARTUUID=1: .* within 7 seconds' "$root/dev/kmsg")" = 1 ] ||
    fail "a missing partition is no line in the log"
machine noresume PARTUUID=1 dev/disk/by-partuuid/1
start
expect "torpor-resume runs in spite of noresume"

# The name of this machine's partition, when the initramfs is built.
program bin/torpor <<STUB
cat "$root/status"
STUB
partitions() {
    for path; do
        printf '    {\n      "byteCount" : 8,\n      "device" : "%s",\n      "image" : {\n      },\n' "$path"
        printf '      "label" : "a ],"\n    },\n'
    done
}
status() {
    cat <<JSON
{
  "lastReport" : {
    "outcome" : "resumed",
    "warnings" : [

    ]
  },
  "partitions" : [
$(partitions "$@")
  ],
  "unreadable" : [
    {
      "device" : "/dev/sdz",
      "reason" : "Input/output error"
    }
  ],
  "version" : 1
}
JSON
}
name() { PATH="$root/bin:$PATH" "$root/usr/lib/torpor/resume-device.sh" >"$log" 2>"$root/errors"; }
machine '' '' dev/vda2
ln -s ../../vda2 "$root/dev/disk/by-id/virtio-a-part2"
status "$root/dev/vda2" >"$root/status"
name
expect "the partition's link is not its name" "$root/dev/disk/by-id/virtio-a-part2"
ln -s ../../vda2 "$root/dev/disk/by-partuuid/12-02"
name
expect "the partition's PARTUUID is not its name" PARTUUID=12-02
for line in 'device=LABEL=nap' '  device  =  "LABEL=nap" ' "$(printf 'device = LABEL=nap\r')"; do
    printf '# device = LABEL=no\n%s\ncodec = xz\n' "$line" >"$root/etc/torpor.conf"
    name
    expect "the settings '$line' do not win" LABEL=nap
done
rm "$root/etc/torpor.conf"
machine '' ''
for paths in '' '/dev/vda2 /dev/vdb1'; do
    # shellcheck disable=SC2086 # The words are paths.
    status $paths >"$root/status"
    name
    expect "of the partitions '$paths', one is named"
done
grep -q 'several hibernation partitions.*: /dev/vda2 /dev/vdb1' "$root/errors" || fail "several partitions are not named"
echo 'torpor: open: no' >"$root/status"
name
expect "a failure of torpor gives a name"

# initramfs-tools. The machine tests run the rest of the hook.
place initramfs-tools/hook usr/share/initramfs-tools/hooks/torpor
expect_no_files() {
    mkdir -p "$root/initrd/scripts/local-premount"
    touch "$root/initrd/scripts/local-premount/torpor" "$root/initrd/scripts/local-premount/resume"
    DESTDIR=$root/initrd sh "$root/usr/share/initramfs-tools/hooks/torpor" >"$log" 2>&1 || fail "the hook fails"
    expect "the hook says something although $1"
    [ "$(find "$root/initrd" -type f -printf '%P\n')" = scripts/local-premount/resume ] ||
        fail "the initramfs has files of Torpor although $1"
}
machine '' ''
expect_no_files "it was not set up"
machine '' PARTUUID=1
(
    export TORPOR_REMOVAL=yes
    expect_no_files "the setup is being undone"
)
place initramfs-tools/local-premount scripts/local-premount/torpor
program scripts/functions <<STUB
elapsed=0
wait_for_udev() { echo "settle \$1" >>"$log"; }
log_begin_msg() { echo "begin \$1" >>"$log"; }
log_end_msg() { echo end >>"$log"; }
sleep() { echo "sleep \$1" >>"$log"; }
time_elapsed() { cat "$root/run/elapsed"; echo \$((\$(cat "$root/run/elapsed") + 1)) >"$root/run/elapsed"; }
STUB
premount() {
    echo 4 >"$root/run/elapsed"
    ROOTDELAY=${1-} sh "$root/scripts/local-premount/torpor" >"$root/output" 2>&1 || fail "local-premount fails"
}
machine '' PARTUUID=1 dev/disk/by-partuuid/1
premount
expect "local-premount waits for a partition that is there" 'settle 10' 'torpor-resume --device PARTUUID=1 --wait 0'
for delay in '' 7 0.5 40; do
    machine '' PARTUUID=1
    premount "$delay"
    limit=$([ "$delay" = 40 ] && echo 40 || echo 30)
    [ "$(grep -c 'sleep 0.1' "$log")" = $((limit - 4)) ] || fail "rootdelay=$delay: local-premount does not wait until $limit s"
    grep -q "within $limit seconds" "$root/dev/kmsg" || fail "rootdelay=$delay: another time is reported"
done
machine noresume PARTUUID=1
premount
expect "local-premount waits in spite of noresume"
[ -z "$(sh "$root/scripts/local-premount/torpor" prereqs)" ] || fail "local-premount needs another script"
expect "local-premount runs when it is asked for its prerequisites"

. "$top/scripts/check-boot-hooks-systemd.sh"
echo "hooks for initramfs-tools, dracut, mkinitcpio and systemd: they do what they should under stand-ins"
