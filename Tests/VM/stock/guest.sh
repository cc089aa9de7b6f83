#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The test in a Debian guest: hibernates it while pgbench loads PostgreSQL, and looks whether everything goes on afterwards.
# Runs as a service. The kernel's command line chooses: torpor-guest=own|small|kernel[,direct].
#
#   own      kernels B and C are kernel A's kernel, with a rootfs.gz that has the drivers
#   small    kernels B and C are Torpor's small kernel
#   kernel   the kernel's own hibernation, on a swap partition
#   direct   the boot loader starts kernel C at the next start
set -u
# shellcheck source=Tests/VM/stock/guest-functions.sh
. /usr/local/lib/torpor-guest/guest-functions.sh
partition=/dev/disk/by-partuuid/00000000-0000-4000-9000-000100000002
choice=$(sed -n 's/.*torpor-guest=\([^ ]*\).*/\1/p' /proc/cmdline)

begin
release=$(uname -r)
options=()
case $choice in
    kernel*)
        expect swap mkswap "$partition"
        expect swapon swapon "$partition"
        ;;
    *)
        expect format torpor format "$partition"
        mkdir -p /var/lib/torpor
        if [[ $choice = own* ]]; then
            expect rootfs /usr/lib/torpor/mkinitramfs.sh --kernel-version "$release" --output "/var/lib/torpor/rootfs-$release.gz"
            options=(--kernel "/boot/vmlinuz-$release")
        fi
        expect check torpor check "${options[@]}"
        if [[ $choice = *direct ]]; then
            expect entry torpor boot-entry --install "${options[@]}"
            sh /etc/grub.d/42_torpor >>/boot/grub/grub.cfg
            options+=(--direct-start)
        fi
        ;;
esac
begin_load
say trigger
case $choice in
    kernel*)
        echo shutdown >/sys/power/disk
        echo 0 >/sys/power/image_size
        expect hibernate sh -c 'echo disk >/sys/power/state'
        ;;
    *) expect hibernate torpor hibernate "${options[@]}" ;;
esac
say woke
end_load
say "done"
systemctl poweroff
