#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs, upgrades and removes the packages in build/rpm and build/arch with rpm and pacman in a tree of this Debian, whose
# packages do not matter: it checks the files and the scripts. A stand-in takes the place of torpor and records its arguments.
# It needs root.
#
# usage: check-other-packages.sh rpm|arch
set -eu
cd "$(dirname "$0")/.."
. Tests/VM/boot/debian-tree.sh
. scripts/setup-stand-in.sh
format=${1:?usage: check-other-packages.sh rpm|arch}
version=$(cat VERSION)

find_tree initramfs-tools,dracut-core,systemd-sysv,kmod,udev,busybox,zstd,xz-utils,cpio
copy_tree
case $format in
    rpm)
        set -- "build/rpm/torpor-$version-1.x86_64.rpm" "build/rpm/torpor-kernel-$version-1.x86_64.rpm"
        run_rpm() { rpm --root "$root" --nodeps --define "_install_script_path $path" "$@"; }
        add() { run_rpm --install "$@"; }
        renew() { run_rpm --upgrade --force "$@"; }
        remove() { run_rpm --erase "$@"; }
        ;;
    arch)
        set -- "build/arch/torpor-$version-1-x86_64.pkg.tar.zst" "build/arch/torpor-kernel-$version-1-x86_64.pkg.tar.zst"
        printf '[options]\nArchitecture = x86_64\nSigLevel = Never\nLocalFileSigLevel = Never\n' >"$work/pacman.conf"
        mkdir -p "$root/var/lib/pacman"
        run_pacman() { PATH=$path pacman --config "$work/pacman.conf" --root "$root" --noconfirm --noprogressbar "$@"; }
        add() { run_pacman -U -dd "$@"; }
        renew() { run_pacman -U -dd "$@"; }
        remove() { run_pacman -R -dd "$@"; }
        ;;
    *) fail "$format: choose rpm or arch" ;;
esac
for package; do [ -f "$package" ] || fail "$package is missing; run: make $format"; done
enter_copy

# Runs one of the functions, which must succeed.
must() {
    "$@" >"$work/messages" 2>&1 || {
        cat "$work/messages" >&2
        fail "$* failed"
    }
    ! grep -iE 'error|warning: .*(scriptlet|directory permissions)' "$work/messages" >&2 || fail "$*: it has these problems"
}
# All files but the databases, and Torpor's folders. Other folders belong to packages that this tree does not have.
list_files() {
    (cd "$root" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./tmp -o -path ./root/.rpmdb \
        -o -path ./var/lib/rpm -o -path ./usr/lib/sysimage -o -path ./var/lib/pacman -o -path ./var/cache -o -path ./var/log \
        \) -prune -o \( -type d ! -path '*torpor*' \) -o -printf '%y %m %p ' \( -type f -exec sha256sum {} \; \
        -o -printf '%l\n' \) | LC_ALL=C sort)
}
# Fails if the tree is not as it was before: WHAT.
nothing_left() {
    list_files | diff -u "$work/before" - >"$work/difference" || {
        cat "$work/difference" >&2
        fail "$1 leaves or changes files"
    }
}
# The scripts find the stand-in first, as the installed program is replaced before they run.
mkdir "$root/tmp/bin"
write_stand_in tmp/bin/torpor
path=/tmp/bin:/usr/sbin:/usr/bin:/sbin:/bin
list_files >"$work/before"
must add "$@"
[ "$(chroot "$root" torpor --version)" = "$version" ] || fail "the installed torpor has another version than $version"
cmp build/rootfs.gz "$root/usr/lib/torpor/rootfs.gz" || fail "the package has another rootfs.gz"
cmp build/init "$root/usr/lib/torpor/torpor-resume" || fail "the package has another torpor-resume"
cmp build/vmlinuz-torpor "$root/usr/lib/torpor/vmlinuz" || fail "the package has another kernel"
[ ! -e "$root/var/lib/torpor" ] || fail "the package makes files before torpor setup"
[ -z "$(find "$root/etc" -name '*torpor*')" ] || fail "the package makes something active"
must renew "$@"
expect_calls "an upgrade calls torpor although nothing was set up"
must remove torpor torpor-kernel
nothing_left "install and removal"

for result in works fails; do
    must add "$@"
    mkdir -p "$root/var/lib/torpor"
    touch "$root/var/lib/torpor/setup.json" "$root/var/lib/torpor/rootfs-6.1.gz"
    [ $result = works ] || : >"$root/tmp/broken"
    must renew "$@"
    expect_calls "an upgrade does not renew what was set up, or does more" "setup --refresh"
    [ $result = works ] || grep -q 'torpor: what was set up .* is not renewed' "$work/messages" ||
        fail "an upgrade that fails says nothing"
    must renew "$2"
    expect_calls "an upgrade of the kernel's package does not renew its copy" "setup --refresh"
    must remove torpor torpor-kernel
    expect_calls "the removal does not undo what was set up, or does more" "setup --remove --keep-configuration"
    [ $result = works ] || grep -q 'torpor: not all .* is removed' "$work/messages" || fail "a removal that fails says nothing"
    rm -rf "$root/tmp/broken" "$root/var/lib/torpor"
    nothing_left "the removal after torpor setup, which $result,"
done
echo "$name: $format: install, upgrade and removal do what they should, nothing is left"
