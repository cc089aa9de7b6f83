#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks the Debian packages in build/deb: lintian finds no error and no warning that is not explained, a second build gives the
# same bytes, and a Debian system can install, upgrade, remove and purge them, after which nothing is left. It needs root.
#
# usage: check-deb.sh
set -eu
cd "$(dirname "$0")/.."
. Tests/VM/boot/debian-tree.sh
. scripts/setup-stand-in.sh
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
        -o -path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./var/cache -o -path ./var/log \
        -o -path "./boot/initrd.img-$kernel" -o -path ./var/lib/initramfs-tools \) -prune -o \
        -printf '%y %m %p ' \( -type f -exec sha256sum {} \; -o -printf '%l\n' \) | LC_ALL=C sort)
}
# Prints the files of Torpor in the initramfs of the system.
initramfs_files() {
    rm -rf "$root/tmp/unpacked"
    must unmkinitramfs "/boot/initrd.img-$kernel" /tmp/unpacked
    find "$root/tmp/unpacked" -name '*torpor*' -type f -printf '%P\n' | sed 's|^main/||' | LC_ALL=C sort
}
# Fails if the system is not as it was before.
nothing_left() {
    list_files | diff -u "$work/before" - >"$work/difference" || {
        cat "$work/difference" >&2
        fail "$1 leaves or changes files"
    }
    must dpkg --audit
    ! grep -q . "$work/messages" || fail "$1: dpkg finds a package in a wrong state"
}
apt_install() { must apt-get install -y --no-install-recommends "$@"; }

# Folders of other packages that setup writes to, and an initramfs.
mkdir -p "$root/etc/grub.d" "$root/etc/systemd/system/multi-user.target.wants"
must update-initramfs -c -k "$kernel"
list_files >"$work/before"

# Installed, and not set up: nothing happens.
apt_install "/packages/torpor_${version}_amd64.deb" "/packages/torpor-kernel_${version}_amd64.deb"
must torpor --version
grep -qx "$version" "$work/messages" || fail "torpor --version prints something else than $version"
must /usr/lib/torpor/mkinitramfs.sh --output /tmp/rootfs.gz
cmp "$root/tmp/rootfs.gz" "$root/usr/lib/torpor/rootfs.gz" || fail "the installed mkinitramfs.sh makes another rootfs.gz"
must /etc/kernel/postinst.d/torpor "$kernel"
[ ! -e "$root/var/lib/torpor" ] || fail "the hook for kernels builds something before torpor setup"
must update-initramfs -u -k "$kernel"
[ -z "$(initramfs_files)" ] || fail "the initramfs gets files before torpor setup: $(initramfs_files | tr '\n' ' ')"
for folder in etc/systemd lib/systemd usr/lib/systemd; do
    [ -z "$(find "$root/$folder" -name '*torpor*')" ] || fail "the package makes something active below /$folder"
done
apt_install "/packages/torpor_${newer}_amd64.deb" "/packages/torpor-kernel_${newer}_amd64.deb"
! grep -q '^torpor: ' "$work/messages" || fail "the upgrade of a package that was not set up says something"
must apt-get purge -y torpor torpor-kernel
nothing_left "install and purge"
echo "$name: install, upgrade and purge on a system that was not set up: nothing happens, nothing is left"

# Set up. The scripts call `torpor setup`, for which a program stands that records its arguments.
use_stand_in() {
    must dpkg-divert --local --rename --divert /usr/sbin/torpor.real --add /usr/sbin/torpor
    write_stand_in usr/sbin/torpor
}
# What setup leaves on a machine, and what `torpor setup --remove` takes away if it works.
set_up() {
    mkdir -p "$root/etc/torpor" "$root/var/lib/torpor" "$root/run/torpor" "$root/boot/torpor"
    echo 'device = PARTUUID=01' >"$root/etc/torpor.conf"
    echo '--module nvme' >"$root/etc/torpor/mkinitramfs.conf"
    for file in setup.json "rootfs-$kernel.gz"; do echo x >"$root/var/lib/torpor/$file"; done
    for unit in systemd-hibernate systemd-suspend-then-hibernate systemd-hybrid-sleep systemd-logind; do
        mkdir -p "$root/etc/systemd/system/$unit.service.d"
        echo '[Unit]' >"$root/etc/systemd/system/$unit.service.d/50-torpor.conf"
    done
    mkdir -p "$root/etc/systemd/sleep.conf.d"
    echo '[Sleep]' >"$root/etc/systemd/sleep.conf.d/50-torpor.conf"
    echo '[Unit]' >"$root/etc/systemd/system/torpor-check.service"
    ln -sf ../torpor-check.service "$root/etc/systemd/system/multi-user.target.wants/torpor-check.service"
    printf '#!/bin/sh\n# Written by torpor boot-entry\n' >"$root/etc/grub.d/42_torpor"
    for file in vmlinuz rootfs.gz; do echo x >"$root/boot/torpor/$file"; done
}

for result in works fails; do
    apt_install "/packages/torpor_${version}_amd64.deb" "/packages/torpor-kernel_${version}_amd64.deb"
    use_stand_in
    set_up
    [ $result = works ] || : >"$root/tmp/broken"
    must update-initramfs -u -k "$kernel"
    initramfs_files >"$work/found"
    printf '%s\n' scripts/local-premount/torpor usr/bin/torpor-resume | diff -u - "$work/found" >&2 ||
        fail "the initramfs of a system that was set up has other files of Torpor"
    must env TORPOR_REMOVAL=yes update-initramfs -u -k "$kernel"
    [ -z "$(initramfs_files)" ] || fail "the initramfs has files of Torpor although the setup is being undone"
    apt_install "/packages/torpor_${newer}_amd64.deb" "/packages/torpor-kernel_${newer}_amd64.deb"
    expect_calls "an upgrade does not renew what was set up, or does more" "setup --refresh"
    grep -q "update-initramfs: Generating /boot/initrd.img-$kernel" "$work/messages" ||
        fail "an upgrade does not renew the initramfs"
    apt_install --allow-downgrades "/packages/torpor-kernel_${version}_amd64.deb"
    expect_calls "an upgrade of the kernel's package does not renew its copy" "setup --refresh"
    must apt-get remove -y torpor torpor-kernel
    [ $result = works ] || grep -q '^torpor: not all .* is removed' "$work/messages" || fail "a removal that fails says nothing"
    expect_calls "the removal does not undo what was set up, or does more" "setup --remove --keep-configuration"
    [ -e "$root/etc/torpor.conf" ] || fail "the removal takes away the configuration"
    [ -z "$(initramfs_files)" ] || fail "after the removal, the initramfs has files of Torpor"
    must "/etc/kernel/postinst.d/torpor" "$kernel"
    rm "$root/usr/sbin/torpor"
    must dpkg-divert --local --rename --remove /usr/sbin/torpor
    must apt-get purge -y torpor torpor-kernel
    expect_calls "the purge calls torpor"
    rm -rf "$root/tmp/broken"
    nothing_left "the purge after torpor setup, whose removal $result,"
done
echo "$name: upgrade, removal and purge on a system that was set up: they renew and undo it, nothing is left"
