#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the test kernel from Debian's source package with the fragment beside this script.
#
# usage: build.sh OUTPUT
#
# Copies the bzImage to OUTPUT, and System.map beside it. The script keeps built kernels outside the tree, in
# ${XDG_CACHE_HOME:-$HOME/.cache}/torpor, by the fragment, this script and the version of the source package, so that a
# second call only copies.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
output=${1:?usage: build.sh OUTPUT}
case $output in /*) ;; *) output=$PWD/$output ;; esac

if [ -n "${TORPOR_TEST_KERNEL:-}" ]; then
    mkdir -p "$(dirname "$output")"
    cp -- "$TORPOR_TEST_KERNEL" "$output"
    rm -f "$(dirname "$output")/System.map"
    echo "kernel: $TORPOR_TEST_KERNEL (TORPOR_TEST_KERNEL)"
    exit 0
fi

source_package=linux-source-6.12
"$here/../../../scripts/install-packages.sh" flex bison bc libelf-dev libssl-dev gcc make xz-utils lz4 "$source_package"
tarball=/usr/src/$source_package.tar.xz
[ -f "$tarball" ] || { echo "build.sh: $tarball is missing although $source_package is installed" >&2; exit 1; }
version=$(dpkg-query -W -f '${Version}' "$source_package")
# Comments do not change the kernel.
key=$({ grep -hv '^ *#' "$here/torpor.config" "$here/build.sh" && echo "$version"; } | sha256sum | cut -c 1-16)
cache=${XDG_CACHE_HOME:-${HOME:?}/.cache}/torpor/kernel-$key

if [ ! -f "$cache/bzImage" ]; then
    work=$(mktemp -d "${TMPDIR:-/tmp}/torpor-kernel.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    echo "kernel: unpacking $tarball"
    tar -C "$work" --strip-components=1 -xf "$tarball"
    cd "$work"
    make -s tinyconfig
    scripts/kconfig/merge_config.sh -m .config "$here/torpor.config" >/dev/null
    make -s olddefconfig

    # olddefconfig silently removes a symbol whose dependency is missing: fail instead.
    missing=$(grep -E '^CONFIG_[A-Z0-9_]+=' "$here/torpor.config" | while IFS= read -r line; do
        case $line in
            *=n) ! grep -q "^${line%=n}=" .config || echo "$line" ;;
            *) grep -qxF -- "$line" .config || echo "$line" ;;
        esac
    done)
    if [ -n "$missing" ]; then
        printf 'build.sh: these lines of torpor.config did not take effect:\n%s\n' "$missing" >&2
        exit 1
    fi

    jobs=$(nproc)
    echo "kernel: building with $jobs jobs (minutes; the log is $cache.log)"
    mkdir -p "$(dirname "$cache")"
    if ! make -j"$jobs" KBUILD_BUILD_USER=torpor KBUILD_BUILD_HOST=torpor bzImage >"$cache.log" 2>&1; then
        tail -n 30 "$cache.log" >&2
        exit 1
    fi
    rm -rf "$cache.new"
    mkdir -p "$cache.new"
    cp arch/x86/boot/bzImage System.map .config "$cache.new/"
    make -s kernelrelease >"$cache.new/release"
    mv -T "$cache.new" "$cache"
fi
mkdir -p "$(dirname "$output")"
cp "$cache/bzImage" "$output"
cp "$cache/System.map" "$(dirname "$output")/"
echo "kernel: $(cat "$cache/release") in $output"
