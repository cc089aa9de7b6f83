#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Extracts a kernel without CONFIG_KEXEC_JUMP from Debian's package, to test Torpor's refusals and ordinary starts. Installs
# nothing.
#
# usage: stock.sh OUTPUT
#
# OUTPUT is the kernel. OUTPUT.root is a folder with its lib/modules, OUTPUT.release has its release.
set -eu
output=${1:?usage: stock.sh OUTPUT}

candidate() {
    apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '$1 == "Depends:" { print $2; exit }'
}

package=$(candidate)
if [ -z "$package" ]; then
    as_root=
    [ "$(id -u)" -eq 0 ] || as_root=sudo
    $as_root apt-get -qq update
    package=$(candidate)
fi
[ -n "$package" ] || { echo "stock.sh: apt knows no linux-image-cloud-amd64" >&2; exit 1; }
cache=${XDG_CACHE_HOME:-${HOME:?}/.cache}/torpor/$package.d
if [ ! -d "$cache" ]; then
    work=$(mktemp -d "${TMPDIR:-/tmp}/torpor-stock.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    # apt drops its privileges for a download, and must still be able to write there.
    chmod 755 "$work"
    (cd "$work" && apt-get -qq download "$package" 2>/dev/null)
    dpkg-deb -x "$work"/*.deb "$work/root"
    mkdir -p "$(dirname "$cache")"
    rm -rf "$cache.new"
    mkdir "$cache.new"
    cp "$work"/root/boot/vmlinuz-* "$cache.new/vmlinuz"
    cp -R "$work/root/lib" "$cache.new/"
    mv -T "$cache.new" "$cache"
fi
mkdir -p "$(dirname "$output")"
cp "$cache/vmlinuz" "$output"
# Its modules, for an initramfs.
ln -sfn "$cache" "$output.root"
ls "$cache/lib/modules" >"$output.release"
echo "kernel: $package in $output"
