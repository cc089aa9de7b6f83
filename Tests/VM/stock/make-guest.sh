#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes a Debian system with systemd and PostgreSQL for the machine tests, with Torpor installed and its hook in the initramfs.
#
# usage: make-guest.sh KERNEL MODULES DEVICE OUTPUT-DIR
#        make-guest.sh --packages KERNEL MODULES PACKAGES OUTPUT-DIR
#
#   KERNEL       a kernel, with KERNEL.config and KERNEL.release beside it
#   MODULES      a folder with lib/modules/RELEASE
#   DEVICE       the hibernation partition, as /etc/torpor.conf names it
#   PACKAGES     a folder with Torpor's packages, `newer` with newer ones and `kernel` with a kernel's: the system gets them
#                in /packages, and nothing else of Torpor
#   OUTPUT-DIR   gets root.ext4, the root file system, and initrd, the initramfs that initramfs-tools builds
#
# The system's service torpor-guest runs guest.sh or, with --packages, package.sh; both are in this folder.
set -eu
cd "$(dirname "$0")/../../.."
. Tests/VM/boot/debian-tree.sh
script=guest.sh
if [ "${1-}" = --packages ]; then
    script=package.sh
    shift
fi
[ $# -eq 4 ] || fail "usage: make-guest.sh [--packages] KERNEL MODULES DEVICE-OR-PACKAGES OUTPUT-DIR" 2
kernel=$1 modules=$2 device=$3 output=$4
release=$(cat "$kernel.release")

find_tree initramfs-tools,systemd-sysv,kmod,udev,busybox,e2fsprogs,fdisk,zstd,xz-utils,cpio,dbus,postgresql
copy_tree
add_modules "$modules" "$release" "$kernel.config"
# The system has no package of GRUB: the test makes the disk with the boot loader.
mkdir -p "$root/etc/grub.d"
if [ $script = package.sh ]; then
    mkdir "$root/packages" "$root/packages/newer"
    cp "$device"/*.deb "$root/packages/"
    cp "$device"/newer/*.deb "$root/packages/newer/"
    cp -r "$device/kernel" "$root/packages/"
else
    install_torpor install initramfs-tools
    printf 'device = %s\n' "$device" >"$root/etc/torpor.conf"
fi

# Partitions of the first disk, as Tests/VM/Machines/PartitionedDisk.swift numbers them.
cat >"$root/etc/fstab" <<'LINES'
PARTUUID=00000000-0000-4000-9000-000300000001 / ext4 errors=remount-ro 0 1
PARTUUID=00000000-0000-4000-9000-000200000001 /boot ext4 defaults 0 2
LINES
echo FSTYPE=ext4 >"$root/etc/initramfs-tools/conf.d/fstype"
echo torpor-guest >"$root/etc/hostname"
# Not the first boot of an image, which would enable services anew.
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
printf '[Journal]\nStorage=persistent\nForwardToConsole=no\n' >"$root/etc/systemd/journald.conf"
install -m 755 Tests/VM/stock/$script "$root/usr/local/sbin/torpor-guest"
install -D -m 644 -t "$root/usr/local/lib/torpor-guest" Tests/VM/stock/guest-functions.sh
cat >"$root/etc/systemd/system/torpor-guest.service" <<'LINES'
[Unit]
After=postgresql.service
Wants=postgresql.service
[Service]
ExecStart=/usr/local/sbin/torpor-guest
[Install]
WantedBy=multi-user.target
LINES

enter_copy
run systemctl enable torpor-guest.service
# Nothing else needs the second serial port, or the time of an emulated machine.
run systemctl mask serial-getty@ttyS0.service serial-getty@ttyS1.service getty@tty1.service apt-daily.timer \
    apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service systemd-timesyncd.service dpkg-db-backup.timer
# update-initramfs renews only an initramfs that it knows.
echo 'COMPRESS=gzip' >"$root/etc/initramfs-tools/conf.d/compress"
run update-initramfs -c -k "$release"
# The guest builds its own initramfs several times, on slow emulated CPUs, so only the modules for its own devices go in.
if [ $script = package.sh ]; then
    echo 'MODULES=list' >"$root/etc/initramfs-tools/conf.d/modules"
    printf '%s\n' nvme ahci sd_mod ext4 >>"$root/etc/initramfs-tools/modules"
fi
leave_copy
mkdir -p "$output"
mv "$root/boot/initrd.img-$release" "$output/initrd"
rm -f "$output/root.ext4"
truncate -s 2G "$output/root.ext4"
/sbin/mke2fs -q -F -t ext4 -d "$root" "$output/root.ext4"
