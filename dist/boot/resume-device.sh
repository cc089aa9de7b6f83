#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the name of the hibernation partition that an initramfs of this machine has to wait for: `device` of
# /etc/torpor.conf; without it, the only hibernation partition that `torpor status` finds, by a name that udev knows. It prints
# nothing if there is none, or if there are several. It always succeeds: an initramfs must be built anyway.
set -u

if [ -r /etc/torpor.conf ]; then
    # As torpor reads it: spaces around key and value, perhaps a carriage return, and quotation marks around the value.
    name=$(sed -n 's/^[[:blank:]]*device[[:blank:]]*=[[:blank:]]*//p' /etc/torpor.conf | tail -n 1 |
        sed 's/[[:space:]]*$//; s/^"\(.*\)"$/\1/')
    if [ -n "$name" ]; then
        printf '%s\n' "$name"
        exit 0
    fi
fi

# The paths in the array `partitions` (docs/json.md), which two spaces indent. Keys of the other arrays have the same name.
status=$(timeout 60 torpor status --json 2>/dev/null) || status=
devices=$(printf '%s\n' "$status" | sed -n '/^  "partitions" : \[/,/^  \]/s/^      "device" : "\(.*\)",\{0,1\}$/\1/p' |
    sed 's|\\/|/|g')
case $devices in
    '') exit 0 ;;
    *'
'*)
        {
            printf 'torpor: initramfs: there are several hibernation partitions, so it waits for none; name one with a line '
            printf 'device = NAME in /etc/torpor.conf: %s\n' "$(printf '%s' "$devices" | tr '\n' ' ')"
        } >&2
        exit 0
        ;;
esac

# Names that stay the same when disks are found in another order.
for link in /dev/disk/by-partuuid/* /dev/disk/by-id/* /dev/disk/by-path/*; do
    [ "$(readlink -f "$link")" = "$devices" ] || continue
    case $link in
        */by-partuuid/*) printf 'PARTUUID=%s\n' "${link##*/}" ;;
        *) printf '%s\n' "$link" ;;
    esac
    exit 0
done
printf 'torpor: initramfs: %s has no lasting name; its number may change when the machine starts again\n' "$devices" >&2
printf '%s\n' "$devices"
