#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The part of mkinitramfs.sh that adds a kernel's modules: finds them, unpacks them and writes the list by which /init loads
# them. kmod's modprobe decides which modules depend on which, in which order they are loaded and with which options.
#
# usage: mkinitramfs-modules.sh VERSION FROM SYSTEM OUTPUT [NAME]...
#
# FROM has lib/modules/VERSION. Without NAMEs, the modules are those that the machine in SYSTEM needs, a directory with its
# proc, sys and dev. Makes OUTPUT/root/lib/modules/VERSION/… with the modules, and OUTPUT/list/etc/torpor/modules: a line
# "kernel VERSION", then a line for each module in load order, with its path in rootfs.gz and, behind a space, its options.
set -eu
PATH=$PATH:/usr/sbin:/sbin
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
version=$1
from=$2
system=$3
mkdir -p "$4"
# modprobe prints absolute paths.
output=$(cd "$4" && pwd)
shift 4

fail() {
    echo "mkinitramfs.sh: $1" >&2
    exit 1
}

for program in modprobe modinfo; do
    # busybox has programs of the same names.
    $program --version 2>/dev/null | grep -q '^kmod' ||
        fail "--kernel-version $version: kmod's program $program is missing; install kmod"
done

folder=${from%/}/lib/modules/$version
[ -d "$folder" ] ||
    fail "--kernel-version $version: there is no $folder; install that kernel's modules, or name their root with --modules-from"
for index in modules.dep modules.dep.bin; do
    if [ ! -f "$folder/$index" ] || [ ! -r "$folder/$index" ]; then
        fail "$folder/$index: it cannot be read; run depmod $version as root"
    fi
done
# libkmod/libkmod-index.c, INDEX_MAGIC.
[ "$(od -An -v -tx1 -N4 "$folder/modules.dep.bin" | tr -d ' \n')" = b007f457 ] ||
    fail "$folder/modules.dep.bin: it is no index of modules; run depmod $version as root"

# Programs of kmod search lib/modules or usr/lib/modules, as their distribution built them.
tree=$output/tree
mkdir -p "$output/root"
for place in lib/modules usr/lib/modules; do
    mkdir -p "$tree/$place"
    ln -s "$(readlink -f "$folder")" "$tree/$place/$version"
done

# Appends what modprobe would do for a module's name or a modalias.
plan() {
    LC_ALL=C modprobe -d "$tree" -S "$version" --show-depends -- "$1" >>"$output/plan" 2>"$output/error"
}

# kmod says nothing about an index that is cut off: it finds no module.
last=$(sed -n '$ s|^.*/\([^/:]*\)\.ko[^:/]*:.*|\1|p' "$folder/modules.dep")
: >"$output/plan"
if [ -n "$last" ]; then
    plan "$last" || fail "$folder/modules.dep.bin: module $last of modules.dep is not in it; run depmod $version as root"
fi

: >"$output/plan"
for name; do
    plan "$name" || fail "--module $name: kernel $version has no such module; find $folder shows those that it has"
done
if [ $# -eq 0 ]; then
    "$here/mkinitramfs-drivers.sh" "$system" >"$output/drivers" || exit 1
    [ -s "$output/drivers" ] ||
        fail "--kernel-version $version: there is no disk in use that has a driver; name the modules with --module"
    while read -r name modalias; do
        # The driver that runs the device. A modalias may find others that want the same device.
        if [ "$name" != - ] && plan "$name"; then continue; fi
        if [ "$modalias" != - ] && plan "$modalias"; then continue; fi
        # Some drivers cannot be modules, and kmod does not know them.
        [ "$name" = - ] || echo "mkinitramfs.sh: warning: kernel $version does not have this machine's driver $name" >&2
    done <"$output/drivers"
fi

# Unpacks a module: FILE OUTPUT. The signature is behind the module itself and stays.
unpack() {
    case $1 in
        *.ko) program=cat package=coreutils ;;
        *.ko.xz) program=xz package=xz-utils ;;
        *.ko.zst) program=zstd package=zstd ;;
        *.ko.gz) program=gzip package=gzip ;;
        *) fail "$1: it is compressed in a way that mkinitramfs.sh does not know; install it without compression" ;;
    esac
    command -v "$program" >/dev/null || fail "$1: the program $program is missing, which unpacks it; install $package"
    [ $program = cat ] || program="$program -dc"
    $program <"$1" >"$2" 2>"$output/error" || fail "$1: it cannot be unpacked: $(head -n 1 "$output/error")"
}

list=$output/list/etc/torpor/modules
mkdir -p "$(dirname "$list")"
echo "kernel $version" >"$list"
while read -r action path options; do
    case $action in
        # Built into the kernel.
        builtin) continue ;;
        insmod) ;;
        *)
            fail "modprobe.d has the command \"$path${options:+ $options}\" to load a module, but kernels B and C run no \
commands; remove that line from modprobe.d"
            ;;
    esac
    case $path in
        "$tree"/lib/modules/*) path=${path#"$tree"} ;;
        "$tree"/usr/lib/modules/*) path=${path#"$tree"/usr} ;;
        *) fail "$path: it is not in $folder; run depmod $version as root" ;;
    esac
    target=${path%.ko*}.ko
    ! grep -qE "^$(printf %s "$target" | sed 's/[.+]/\\&/g')( |\$)" "$list" || continue
    entry=${path#/lib/modules/"$version"/}
    file=$folder/$entry
    # modprobe leaves out a module whose file is missing, although others depend on it.
    for needed in $(awk -v entry="$entry:" '$1 == entry { $1 = ""; print }' "$folder/modules.dep") "$entry"; do
        [ -f "$folder/$needed" ] ||
            fail "$folder/$needed: modules.dep names it, but it is not there; run depmod $version as root"
    done
    mkdir -p "$(dirname "$output/root$target")"
    unpack "$file" "$output/root$target"
    magic=$(modinfo -F vermagic "$output/root$target" 2>/dev/null) || fail "$file: it is no kernel module"
    magic=${magic%% *}
    [ "$magic" = "$version" ] ||
        fail "$file: it is a module for kernel ${magic:-without a version}, not for $version; install the modules of kernel $version"
    echo "$target${options:+ $options}" >>"$list"
done <"$output/plan"
