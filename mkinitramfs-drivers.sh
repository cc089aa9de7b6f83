#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the drivers that a machine's disks in use, its hibernation partitions and its watchdogs hang on, for
# mkinitramfs-modules.sh. A line for each driver has its module and its device's modalias, "-" if there is none: the module is
# known if it can be loaded or has parameters, and the modalias finds it in a kernel that builds it otherwise.
#
# usage: mkinitramfs-drivers.sh [DIR]
#
# DIR has the machine's proc, sys and dev; the default is the running machine's /.
set -eu

fail() {
    echo "mkinitramfs.sh: $1" >&2
    exit 1
}

root=$(readlink -f "${1:-/}")
root=${root%/}
sys=$root/sys
if [ ! -d "$sys/class/block" ] || [ ! -r "$root/proc/self/mountinfo" ]; then
    fail "${root:-/}: there is no proc or no sys in it; mount both, or name the modules with --module"
fi
tab=$(printf '\t')

work=$(mktemp -d "${TMPDIR:-/tmp}/torpor-drivers.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# Prints the folder in sysfs of a device file, if it is a block device of this machine.
block_folder() {
    node=$(readlink -f "$root$1") || return 0
    if [ -b "$node" ]; then
        number=$(stat -c '0x%t 0x%T' "$node")
        folder=$sys/dev/block/$((${number% *})):$((${number#* }))
    else
        # A copy of /dev has names only. A / in a device's name is a ! in sysfs.
        folder=$sys/class/block/$(printf %s "${node#"$root"/dev/}" | tr / '!')
    fi
    if [ -e "$folder" ]; then readlink -f "$folder"; fi
}

# Prints the folders of mounted devices. A file system on several devices has no device number of its own; it names them as
# its source or in options, separated by colons (bcachefs), or in sysfs (Btrfs). An external log is named in an option.
mounted() {
    awk '{ if ($3 !~ /^0:/) print $3 }' "$root/proc/self/mountinfo" | while IFS= read -r number; do
        if [ -e "$sys/dev/block/$number" ]; then readlink -f "$sys/dev/block/$number"; fi
    done
    sed 's/^.* - [^ ]* //; s/[ ,=:]/\n/g' "$root/proc/self/mountinfo" | grep '^/dev/.' | LC_ALL=C sort -u |
        while IFS= read -r path; do block_folder "$path"; done
    for member in "$sys"/fs/btrfs/*/devices/*; do
        if [ -e "$member" ]; then readlink -f "$member"; fi
    done
}

# Prints the folders of swap devices. A swap file lies on a mounted file system.
swap() {
    [ ! -e "$root/proc/swaps" ] || awk 'NR > 1 && $2 == "partition" { print $1 }' "$root/proc/swaps" |
        while IFS= read -r path; do block_folder "$path"; done
}

# Prints the folders of devices that device mapper, MD or bcache uses, and of hibernation partitions (the magic at the
# beginning of the superblock). Those are partitions of disks.
used() {
    for entry in "$sys"/class/block/*; do
        [ -e "$entry" ] || continue
        folder=$(readlink -f "$entry")
        for holder in "$folder"/holders/*; do
            if [ -e "$holder" ]; then
                echo "$folder"
                break
            fi
        done
        case $folder in
            "$sys"/devices/virtual/nvme-subsystem/*) ;;
            "$sys"/devices/virtual/*) continue ;;
        esac
        # An empty drive has size 0.
        [ "$(cat "$folder/size" 2>/dev/null || echo 0)" != 0 ] || continue
        node=$root/dev/$(basename "$entry" | tr '!' /)
        [ -e "$node" ] || continue
        [ -r "$node" ] ||
            fail "$node: it cannot be read, and may be a hibernation partition; run this as root, or name the modules with --module"
        if [ "$(head -c 8 "$node" 2>/dev/null | tr -d '\0')" = TorporHP ]; then echo "$folder"; fi
    done
}

# Prints the drivers of a device and of all devices above it.
drivers() {
    device=$1
    while [ "${device#"$sys"/devices/}" != "$device" ]; do
        # The driver of a PCI bridge is never a module; a bridge's modalias would find hot-plug drivers.
        if [ -e "$device/driver" ] && [ "$(basename "$(readlink "$device/driver")")" != pcieport ]; then
            module=-
            [ ! -e "$device/driver/module" ] || module=$(basename "$(readlink -f "$device/driver/module")")
            modalias=-
            [ ! -s "$device/modalias" ] || modalias=$(cat "$device/modalias")
            printf '%s\t%s\n' "$module" "$modalias"
        fi
        above=${device%/*}
        # An NVMe namespace that several controllers can reach is below its subsystem, which has links to them.
        if [ "${above##*/}" = nvme-subsystem ]; then
            for link in "$device"/nvme*; do
                if [ -L "$link" ]; then readlink -f "$link" >>"$work/more"; fi
            done
        fi
        device=$above
    done
}

{
    mounted
    swap
} >"$work/more"
used >>"$work/more"
for watchdog in "$sys"/class/watchdog/*; do
    if [ -e "$watchdog/device" ]; then readlink -f "$watchdog/device" >>"$work/more"; fi
done

: >"$work/seen"
: >"$work/drivers"
while [ -s "$work/more" ]; do
    LC_ALL=C sort -u "$work/more" >"$work/now"
    : >"$work/more"
    while IFS= read -r device; do
        ! grep -qxF -- "$device" "$work/seen" || continue
        echo "$device" >>"$work/seen"
        # A partition has the layers of its disk.
        for below in "$device"/slaves/* "$device"/../slaves/*; do
            if [ -e "$below" ]; then readlink -f "$below" >>"$work/more"; fi
        done
        drivers "$device" >>"$work/drivers"
    done <"$work/now"
done
# The order of mounts must not change rootfs.gz.
LC_ALL=C sort -u "$work/drivers" | grep -v "^-$tab-\$" || :
