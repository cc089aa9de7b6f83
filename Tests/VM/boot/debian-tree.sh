# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Functions that make Debian trees of this machine's release; make-system.sh and make-guest.sh read this file, in the top
# directory. They need root, and neither loop devices nor the network once a tree is in the cache.

name=${0##*/}

fail() {
    echo "$name: $1" >&2
    exit "${2:-1}"
}

# Sets tree to the folder of a Debian tree with these packages, which stays in the cache. Nobody may change the tree.
find_tree() {
    [ "$(id -u)" -eq 0 ] || fail "it needs root, for chroot"
    packages=$1
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
    echo "$name: debootstrap of $codename, once" >&2
    timeout 900 debootstrap --variant=minbase --include="$packages" "$codename" "$new" "$mirror" >"$tree.log" 2>&1 || {
        tail -n 5 "$tree.log" >&2
        rm -rf --one-file-system "$new"
        fail "debootstrap failed; all its messages are in $tree.log"
    }
    rm -rf "$new/var/cache/apt" "$new/var/lib/apt/lists" "$new/usr/share/doc" "$new/usr/share/man" "$new/usr/share/locale"
    mkdir -p "$new/var/cache/apt/archives/partial" "$new/var/lib/apt/lists/partial"
    mv -T "$new" "$tree" 2>/dev/null || rm -rf --one-file-system "$new"
}

# Copies the tree into a new folder, work/root, and removes that folder at the end of the script. Sets work and root.
copy_tree() {
    work=$(mktemp -d "$(dirname "$tree")/system.XXXXXX")
    root=$work/root
    trap remove_copy EXIT
    trap 'exit 1' HUP INT TERM
    cp -a "$tree" "$root"
}

remove_copy() {
    leave_copy
    rm -rf --one-file-system "$work"
}

# Copies a kernel's modules and its configuration, which the builders of an initramfs ask which compressions it can unpack.
#   $1: a folder with lib/modules/RELEASE; $2: RELEASE; $3: the configuration, or a file that does not exist
add_modules() {
    mkdir -p "$root/lib/modules" "$root/boot"
    cp -a "$1/lib/modules/$2" "$root/lib/modules/"
    if [ -f "$3" ]; then cp "$3" "$root/boot/config-$2"; else echo CONFIG_RD_GZIP=y >"$root/boot/config-$2"; fi
    [ -f "$root/lib/modules/$2/modules.dep" ] || depmod -b "$root" "$2"
}

# Mounts what programs in the copy need.
enter_copy() {
    mount -t proc proc "$root/proc"
    mount -t sysfs sysfs "$root/sys"
    mount -t tmpfs -o mode=755 tmpfs "$root/dev"
    for node in null:1:3 zero:1:5 random:1:8 urandom:1:9; do
        IFS=: read -r file major minor <<NODE
$node
NODE
        mknod -m 666 "$root/dev/$file" c "$major" "$minor"
    done
    ln -s /proc/self/fd "$root/dev/fd"
}

leave_copy() {
    for folder in proc sys dev; do
        ! mountpoint -q "$root/$folder" || umount -l "$root/$folder"
    done
}

# Runs a program in the copy, and shows its warnings.
run() {
    timeout 300 chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@" >"$work/messages" 2>&1 || {
        cat "$work/messages" >&2
        fail "$1 failed"
    }
    grep -E '^W:|^E:|ERROR|FAILED|torpor' "$work/messages" >&2 || :
}

# Installs Torpor, or only its hooks, into the copy.
#   $1: install or install-hooks; $2: the hooks
install_torpor() {
    DESTDIR=$root SBINDIR=/usr/sbin PKGLIBDIR=/usr/lib/torpor MANDIR=/usr/share/man DOCDIR=/usr/share/doc/torpor \
        HOOKS=$2 scripts/install.sh "$1"
}
