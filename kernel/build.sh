#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds a kernel from Debian's source package, with the options of a fragment.
#
# usage: build.sh [--base CONFIG] [--lsmod LIST] [--modules DIR] FRAGMENT OUTPUT
#
#   --base CONFIG   the configuration that the fragment changes (default: that of `make tinyconfig`); .xz is unpacked
#   --lsmod LIST    leave out modules that are not in LIST, which has the form of lsmod's output (`make localmodconfig`)
#   --modules DIR   copy the modules to DIR/lib/modules/RELEASE
#
# Copies the bzImage to OUTPUT, and its configuration, symbol table and release to OUTPUT.config, OUTPUT.map and
# OUTPUT.release. The script keeps built kernels outside the tree, in ${XDG_CACHE_HOME:-$HOME/.cache}/torpor, by its options,
# itself and the version of the source package, so that a second call only copies.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

fail() {
    echo "build.sh: $1" >&2
    exit 1
}

# Prints a path that stays right in another directory.
absolute() {
    case $1 in
        /*) echo "$1" ;;
        *) echo "$PWD/$1" ;;
    esac
}

base=
list=
modules=
while [ $# -gt 2 ]; do
    case $1 in
        --base) base=$(absolute "$2") ;;
        --lsmod) list=$(absolute "$2") ;;
        --modules) modules=$(absolute "$2") ;;
        *) fail "$1: unknown option" ;;
    esac
    shift 2
done
fragment=$(absolute "${1:?usage: build.sh [OPTION]... FRAGMENT OUTPUT}")
output=$(absolute "${2:?usage: build.sh [OPTION]... FRAGMENT OUTPUT}")
name=$(basename "$output")

source_package=linux-source-6.12
"$here/../scripts/install-packages.sh" flex bison bc libelf-dev libssl-dev openssl gcc make xz-utils lz4 kmod "$source_package"
tarball=/usr/src/$source_package.tar.xz
[ -f "$tarball" ] || fail "$tarball is missing although $source_package is installed"
version=$(dpkg-query -W -f '${Version}' "$source_package")
# Comments do not change the kernel.
key=$({
    grep -hv '^ *#' "$fragment" "$here/build.sh"
    for file in "$base" "$list"; do [ -z "$file" ] || cat "$file"; done
    echo "$version"
} | sha256sum | cut -c 1-16)
cache=${XDG_CACHE_HOME:-${HOME:?}/.cache}/torpor/kernel-$key

# Prints the lines of the fragment that are not in .config. olddefconfig silently removes a symbol whose dependency is missing.
missing_lines() {
    grep -E '^CONFIG_[A-Z0-9_]+=' "$fragment" | while IFS= read -r line; do
        case $line in
            *=n) ! grep -q "^${line%=n}=" .config || echo "$line" ;;
            *) grep -qxF -- "$line" .config || echo "$line" ;;
        esac
    done
}

# The configuration, in .config.
configure() {
    case $base in
        '') make -s tinyconfig ;;
        *.xz) xz -dc "$base" >.config ;;
        *) cp "$base" .config ;;
    esac
    scripts/kconfig/merge_config.sh -m .config "$fragment" >/dev/null
    make -s olddefconfig
    if [ -n "$list" ]; then
        make -s LSMOD="$list" localmodconfig </dev/null >/dev/null
        make -s olddefconfig
    fi
    missing=$(missing_lines)
    [ -z "$missing" ] || fail "these lines of $(basename "$fragment") did not take effect:
$missing"
}

if [ ! -f "$cache/bzImage" ]; then
    work=$(mktemp -d "${TMPDIR:-/tmp}/torpor-kernel.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    echo "$name: unpacking $tarball"
    tar -C "$work" --strip-components=1 -xf "$tarball"
    cd "$work"
    configure

    jobs=$(nproc)
    targets=bzImage
    ! grep -qx CONFIG_MODULES=y .config || targets="bzImage modules"
    echo "$name: building with $jobs jobs (minutes; the log is $cache.log)"
    mkdir -p "$(dirname "$cache")"
    # shellcheck disable=SC2086 # several targets
    if ! make -j"$jobs" KBUILD_BUILD_USER=torpor KBUILD_BUILD_HOST=torpor $targets >"$cache.log" 2>&1; then
        tail -n 30 "$cache.log" >&2
        exit 1
    fi
    rm -rf "$cache.new"
    mkdir -p "$cache.new/modules"
    cp arch/x86/boot/bzImage System.map .config "$cache.new/"
    make -s kernelrelease >"$cache.new/release"
    if [ "$targets" != bzImage ]; then
        # A user's PATH may lack depmod, which modules_install runs.
        PATH=$PATH:/usr/sbin:/sbin make -s INSTALL_MOD_PATH="$cache.new/modules" INSTALL_MOD_STRIP=1 modules_install \
            >>"$cache.log" 2>&1
        # A link to the source, which is removed.
        rm -f "$cache.new/modules/lib/modules/"*/build
    fi
    mv -T "$cache.new" "$cache"
fi

mkdir -p "$(dirname "$output")"
cp "$cache/bzImage" "$output"
cp "$cache/.config" "$output.config"
cp "$cache/System.map" "$output.map"
cp "$cache/release" "$output.release"
if [ -n "$modules" ]; then
    rm -rf "$modules"
    mkdir -p "$modules"
    cp -R "$cache/modules/." "$modules/"
fi
echo "$name: $(cat "$cache/release"), $(stat -c %s "$output") bytes"
