#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes an initrd that initramfs-tools or dracut builds with Torpor's hook, in a Debian tree (debian-tree.sh).
#
# usage: make-system.sh BUILDER OUTPUT --modules-from DIR --kernel-version V [--device NAME] [--program FILE]
#
# BUILDER is initramfs-tools, dracut (with systemd, as in Debian and Fedora) or dracut-init (dracut's own init).
#   --modules-from DIR    DIR has lib/modules/V, and may have boot/config-V
#   --kernel-version V    the kernel that boots the initrd
#   --device NAME         the hibernation partition, as /etc/torpor.conf names it; without it, none is configured
#   --program FILE        the file to install as torpor-resume (default: build/init)
set -eu
cd "$(dirname "$0")/../../.."
. Tests/VM/boot/debian-tree.sh
usage="usage: make-system.sh initramfs-tools|dracut|dracut-init OUTPUT [OPTION]...; see the beginning of the file"

[ $# -ge 2 ] || fail "$usage" 2
builder=$1
output=$2
shift 2
modules='' version='' device='' program=build/init
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || fail "$1 needs a value; $usage" 2
    case $1 in
        --modules-from) modules=$2 ;;
        --kernel-version) version=$2 ;;
        --device) device=$2 ;;
        --program) program=$2 ;;
        *) fail "$1: unknown option; $usage" 2 ;;
    esac
    shift 2
done
case $builder in
    initramfs-tools | dracut | dracut-init) ;;
    *) fail "$builder: unknown; $usage" 2 ;;
esac
if [ -z "$modules" ] || [ -z "$version" ]; then fail "$builder needs --modules-from and --kernel-version" 2; fi
[ -d "$modules/lib/modules/$version" ] || fail "$modules/lib/modules/$version: there is no such folder"
[ -f "$program" ] || fail "$program: there is no such program; build it with make"

# dracut-core can be installed beside initramfs-tools, dracut cannot.
find_tree initramfs-tools,dracut-core,systemd-sysv,kmod,udev,busybox,e2fsprogs,fdisk,zstd
copy_tree
add_modules "$modules" "$version" "$modules/boot/config-$version"

# Torpor as `make install HOOKS="initramfs-tools dracut"` installs it, without the programs that no initramfs needs.
cp "$program" "$work/torpor-resume"
chmod 755 "$work/torpor-resume"
install_torpor install-hooks "initramfs-tools dracut"
install -D -m 755 "$work/torpor-resume" "$root/usr/lib/torpor/torpor-resume"
# What tells the hooks that this machine was set up.
touch "$root/etc/torpor.conf"
if [ -n "$device" ]; then
    printf 'device = %s\n' "$device" >"$root/etc/torpor.conf"
fi

# The initramfs checks the root file system, as that of an installed system does.
echo FSTYPE=ext4 >"$root/etc/initramfs-tools/conf.d/fstype"

enter_copy
case $builder in
    initramfs-tools) run mkinitramfs -c gzip -o /initrd "$version" ;;
    dracut) run dracut --force --no-hostonly --gzip --kver "$version" /initrd ;;
    dracut-init)
        run dracut --force --no-hostonly --gzip --kver "$version" \
            --omit "systemd systemd-initrd dracut-systemd crypt" /initrd
        ;;
esac
mkdir -p "$(dirname "$output")"
cp "$root/initrd" "$output.new"
mv "$output.new" "$output"
