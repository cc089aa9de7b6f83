#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the parts of a Debian system for the machine tests: an initrd that initramfs-tools or dracut builds with Torpor's hook,
# or a root file system. It builds in a Debian tree of this machine's release, from the mirror that apt uses, which it keeps in
# the cache. It needs root, and neither loop devices nor the network once the tree is there.
#
# usage: make-system.sh BUILDER OUTPUT --modules-from DIR --kernel-version V [--device NAME] [--program FILE]
#        make-system.sh root OUTPUT-DIR
#
# BUILDER is initramfs-tools, dracut (with systemd, as in Debian and Fedora) or dracut-init (dracut's own init).
#   --modules-from DIR    DIR has lib/modules/V, and may have boot/config-V
#   --kernel-version V    the kernel that boots the initrd
#   --device NAME         the hibernation partition, as /etc/torpor/resume.conf names it; without it, none is configured
#   --program FILE        the file to install as torpor-resume (default: build/init)
set -eu
cd "$(dirname "$0")/../../.."
usage="usage: make-system.sh initramfs-tools|dracut|dracut-init|root OUTPUT [OPTION]...; see the beginning of the file"
# dracut-core can be installed beside initramfs-tools, dracut cannot.
packages=initramfs-tools,dracut-core,systemd,kmod,udev,busybox,e2fsprogs,fdisk,zstd

fail() {
    echo "make-system.sh: $1" >&2
    exit "${2:-1}"
}

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
[ "$(id -u)" -eq 0 ] || fail "it needs root, for chroot"
case $builder in
    root) [ ! -e "$output" ] || fail "$output: it exists; name a new folder" ;;
    initramfs-tools | dracut | dracut-init)
        if [ -z "$modules" ] || [ -z "$version" ]; then fail "$builder needs --modules-from and --kernel-version" 2; fi
        [ -d "$modules/lib/modules/$version" ] || fail "$modules/lib/modules/$version: there is no such folder"
        [ -f "$program" ] || fail "$program: there is no such program; build it with make"
        ;;
    *) fail "$builder: unknown; $usage" 2 ;;
esac

# The folder with the Debian tree.
make_tree() {
    # shellcheck disable=SC1091
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    tree=${XDG_CACHE_HOME:-${HOME:?}/.cache}/torpor/debian-$codename-$(printf %s "$packages" | sha256sum | cut -c 1-12)
    [ ! -d "$tree" ] || return 0
    scripts/install-packages.sh debootstrap >&2
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' "Created-By: Packages" |
        awk -v suite="$codename" '$3 == "main" && $2 == suite { print $1; exit }')
    [ -n "$mirror" ] || fail "apt has no mirror of $codename; run: apt-get update"
    mkdir -p "$(dirname "$tree")"
    # In the cache itself: /tmp may be mounted with nodev.
    new=$(mktemp -d "$tree.XXXXXX")
    chmod 755 "$new"
    echo "make-system.sh: debootstrap of $codename, once" >&2
    timeout 900 debootstrap --variant=minbase --include="$packages" "$codename" "$new" "$mirror" >"$tree.log" 2>&1 || {
        tail -n 5 "$tree.log" >&2
        rm -rf --one-file-system "$new"
        fail "debootstrap failed; all its messages are in $tree.log"
    }
    rm -rf "$new/var/cache/apt" "$new/var/lib/apt/lists" "$new/usr/share/doc" "$new/usr/share/man" "$new/usr/share/locale"
    mkdir -p "$new/var/cache/apt/archives/partial" "$new/var/lib/apt/lists/partial"
    mv -T "$new" "$tree" 2>/dev/null || rm -rf --one-file-system "$new"
}

make_tree
if [ "$builder" = root ]; then
    mkdir -p "$(dirname "$output")"
    cp -a "$tree" "$output.new"
    mv -T "$output.new" "$output"
    exit 0
fi

work=$(mktemp -d "$(dirname "$tree")/system.XXXXXX")
root=$work/root
finish() {
    for folder in proc sys dev; do
        ! mountpoint -q "$root/$folder" || umount -l "$root/$folder"
    done
    rm -rf --one-file-system "$work"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM
cp -a "$tree" "$root"

# The kernel's modules, and its configuration: both builders ask it which compressions the kernel can unpack.
mkdir -p "$root/lib/modules" "$root/boot"
cp -a "$modules/lib/modules/$version" "$root/lib/modules/"
if [ -f "$modules/boot/config-$version" ]; then
    cp "$modules/boot/config-$version" "$root/boot/"
else
    echo CONFIG_RD_GZIP=y >"$root/boot/config-$version"
fi
[ -f "$root/lib/modules/$version/modules.dep" ] || depmod -b "$root" "$version"

# Torpor as `make install HOOKS="initramfs-tools dracut"` installs it, without the programs that no initramfs needs.
cp "$program" "$work/torpor-resume"
chmod 755 "$work/torpor-resume"
DESTDIR=$root SBINDIR=/usr/sbin PKGLIBDIR=/usr/lib/torpor MANDIR=/usr/share/man DOCDIR=/usr/share/doc/torpor \
    HOOKS="initramfs-tools dracut" scripts/install.sh install-hooks
install -D -m 755 "$work/torpor-resume" "$root/usr/lib/torpor/torpor-resume"
if [ -n "$device" ]; then
    mkdir -p "$root/etc/torpor"
    printf 'device=%s\n' "$device" >"$root/etc/torpor/resume.conf"
fi

# The initramfs checks the root file system, as that of an installed system does.
echo FSTYPE=ext4 >"$root/etc/initramfs-tools/conf.d/fstype"

mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for node in null:1:3 zero:1:5 random:1:8 urandom:1:9; do
    IFS=: read -r name major minor <<NODE
$node
NODE
    mknod -m 666 "$root/dev/$name" c "$major" "$minor"
done
ln -s /proc/self/fd "$root/dev/fd"

run() {
    timeout 300 chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@" >"$work/messages" 2>&1 || {
        cat "$work/messages" >&2
        fail "$1 failed"
    }
    grep -E '^W:|^E:|ERROR|FAILED|torpor' "$work/messages" >&2 || :
}
case $builder in
    initramfs-tools) run mkinitramfs -c gzip -o /initrd "$version" ;;
    dracut) run dracut --force --no-hostonly --gzip --kver "$version" /initrd ;;
    dracut-init)
        run dracut --force --no-hostonly --gzip --kver "$version" \
            --omit "systemd systemd-initrd dracut-systemd" /initrd
        ;;
esac
mkdir -p "$(dirname "$output")"
cp "$root/initrd" "$output.new"
mv "$output.new" "$output"
