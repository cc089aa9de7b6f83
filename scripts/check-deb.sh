#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks the Debian packages in build/deb: lintian finds no error and no warning that is not explained, a second build gives the
# same bytes, and a Debian system can install, upgrade, remove and purge them, after which nothing is left. It needs root.
#
# usage: check-deb.sh
set -eu
cd "$(dirname "$0")/.."
. Tests/VM/boot/debian-tree.sh
version=$(cat VERSION)
set -- build/deb/torpor_"$version"_amd64.deb build/deb/torpor-kernel_"$version"_amd64.deb
for package; do [ -f "$package" ] || fail "$package is missing; run: make deb"; done

# lintian. A paragraph of overrides begins with its explanation.
for file in dist/debian/*.lintian-overrides; do
    awk '/^#/ { if ($0 !~ /SPDX/) explained = 1; last = "#"; next }
        /./ { if (!explained) { print; bad = 1 } last = "tag" }
        !/./ { explained = 0 }
        END { exit bad }' "$file" >&2 || fail "$file: these overrides have no explanation"
done
# Root is what the rest needs.
lintian --allow-root --fail-on error,warning --display-info build/deb/*.changes >build/deb/lintian 2>&1 || {
    cat build/deb/lintian >&2
    fail "lintian finds errors or warnings"
}
echo "$name: lintian: $(grep -c '^I: ' build/deb/lintian || :) informations, no warnings, no errors;" \
    "$(cat dist/debian/*.lintian-overrides | grep -c '^torpor') explained overrides"

# The same bytes.
DEB_OUTPUT=build/deb-again scripts/build-deb.sh >/dev/null
for package; do cmp "$package" "build/deb-again/${package##*/}" || fail "a second build makes another package"; done
echo "$name: a second build gives the same packages"
newer=$version+1
DEB_VERSION=$newer DEB_OUTPUT=build/deb-again scripts/build-deb.sh >/dev/null

# A Debian system with both builders of an initramfs.
find_tree initramfs-tools,dracut-core,systemd-sysv,kmod,udev,busybox,zstd,xz-utils,cpio
copy_tree
mkdir "$root/packages"
cp "$@" build/deb-again/*.deb "$root/packages/"
# A kernel without modules, for which an initramfs can be built.
kernel=9.9.9-test
mkdir -p "$root/lib/modules/$kernel" "$root/boot"
for file in order builtin builtin.modinfo; do : >"$root/lib/modules/$kernel/modules.$file"; done
depmod -b "$root" "$kernel"
printf 'CONFIG_RD_GZIP=y\nCONFIG_RD_ZSTD=y\n' >"$root/boot/config-$kernel"
: >"$root/boot/vmlinuz-$kernel"
enter_copy

inside() {
    timeout 300 chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        "$@" >"$work/messages" 2>&1
}
must() {
    inside "$@" || {
        cat "$work/messages" >&2
        fail "$* failed"
    }
}
# All files with their modes and contents, except what dpkg and apt write for every package.
list_files() {
    (cd "$root" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./packages -o -path ./tmp \
        -o -path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./var/cache -o -path ./var/log \) -prune -o \
        -printf '%y %m %p ' \( -type f -exec sha256sum {} \; -o -printf '%l\n' \) | LC_ALL=C sort)
}
# Builds the initramfs with both builders and prints the files of Torpor in it.
initramfs_files() {
    must mkinitramfs -o /tmp/initrd "$kernel"
    must sh -c 'rm -rf /tmp/unpacked && unmkinitramfs /tmp/initrd /tmp/unpacked'
    must dracut --force --no-hostonly --no-kernel --modules 'base torpor' --add torpor --kver "$kernel" /tmp/initrd.dracut
    must sh -c 'rm -rf /tmp/dracut && mkdir /tmp/dracut && cd /tmp/dracut && lsinitrd --unpack /tmp/initrd.dracut'
    find "$root/tmp/unpacked" -name '*torpor*'
}
apt_install() { must apt-get install -y --no-install-recommends "$@"; }

# A build now, so that what the builders leave in the system is there before as well.
must update-initramfs -c -k "$kernel"
list_files >"$work/before"
initrd_sum() { sha256sum <"$root/boot/initrd.img-$kernel"; }
sum=$(initrd_sum)

# Installed, and not set up: nothing happens.
apt_install "/packages/torpor_${version}_amd64.deb" "/packages/torpor-kernel_${version}_amd64.deb"
must torpor --version
grep -qx "$version" "$work/messages" || fail "torpor --version prints something else than $version"
must /usr/lib/torpor/mkinitramfs.sh --output /tmp/rootfs.gz
cmp "$root/tmp/rootfs.gz" "$root/usr/lib/torpor/rootfs.gz" || fail "the installed mkinitramfs.sh makes another rootfs.gz"
must /etc/kernel/postinst.d/torpor "$kernel"
[ ! -e "$root/var/lib/torpor" ] || fail "the hook for kernels builds something before torpor setup"
must update-initramfs -u -k "$kernel"
must sh -c 'rm -rf /tmp/unpacked && unmkinitramfs /boot/initrd.img-'$kernel' /tmp/unpacked'
[ -z "$(find "$root/tmp/unpacked" -name '*torpor*')" ] || fail "the initramfs gets torpor-resume before torpor setup"
for folder in etc/systemd lib/systemd usr/lib/systemd; do
    [ -z "$(find "$root/$folder" -name '*torpor*')" ] || fail "the package makes something active below /$folder"
done
apt_install "/packages/torpor_${newer}_amd64.deb" "/packages/torpor-kernel_${newer}_amd64.deb"
! grep -q '^torpor: ' "$work/messages" || fail "the upgrade of a package that was not set up says something"
must apt-get purge -y torpor torpor-kernel
rm -f "$root/boot/initrd.img-$kernel.dpkg-bak"
must update-initramfs -u -k "$kernel"
list_files | diff -u "$work/before" - >"$work/difference" || {
    cat "$work/difference" >&2
    fail "install and purge leave or change files"
}
[ "$(initrd_sum)" = "$sum" ] || echo "$name: note: the initramfs is not reproducible here" >&2
must dpkg --audit
echo "$name: install, upgrade and purge on a system that was not set up: nothing happens, nothing is left"
