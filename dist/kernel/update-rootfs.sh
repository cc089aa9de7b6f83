#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds or removes the rootfs.gz of one kernel version, /var/lib/torpor/rootfs-VERSION.gz, when that kernel is installed or
# removed. Options for mkinitramfs.sh, for example `--microcode /lib/firmware/intel-ucode`, stand in
# /etc/torpor/mkinitramfs.conf, one on each line. A build that fails changes nothing. The exit status is then 1.
#
# usage: update-rootfs.sh add|remove VERSION
set -eu
usage="usage: update-rootfs.sh add|remove VERSION"
[ $# -eq 2 ] || { echo "$usage" >&2; exit 2; }
action=$1
version=$2
state=/var/lib/torpor
file=$state/rootfs-$version.gz

fail() {
    echo "torpor: rootfs.gz for Linux $version: $1" >&2
    exit 1
}

case $version in
    '' | . | .. | */* | -*) fail "this is no kernel version; give a folder of /lib/modules" ;;
esac

build() {
    set --
    if [ -r /etc/torpor/mkinitramfs.conf ]; then
        while read -r option value || [ -n "$option" ]; do
            case $option in
                '' | '#'*) ;;
                *) set -- "$@" "$option" ${value:+"$value"} ;;
            esac
        done </etc/torpor/mkinitramfs.conf
    fi
    mkdir -p "$state"
    # Beside the old file, so that the new one replaces it at once.
    work=$(mktemp -d "$state/.new.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' HUP INT TERM
    if ! /usr/lib/torpor/mkinitramfs.sh --kernel-version "$version" "$@" --output "$work/rootfs.gz" >"$work/messages" 2>&1; then
        reason=$(tail -n 1 "$work/messages")
        fail "it was not built: ${reason:-mkinitramfs.sh gave no reason}; then run: $0 add $version"
    fi
    chmod 644 "$work/rootfs.gz"
    sync "$work/rootfs.gz"
    mv -f "$work/rootfs.gz" "$file"
    echo "torpor: $file is built"
}

case $action in
    add) build ;;
    remove) rm -f "$file" ;;
    *)
        echo "$usage" >&2
        exit 2
        ;;
esac
