#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Extracts a kernel without CONFIG_KEXEC_JUMP from Debian's package, to test Torpor's refusals. Installs nothing.
#
# usage: stock.sh OUTPUT
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
cache=${XDG_CACHE_HOME:-${HOME:?}/.cache}/torpor/$package
if [ ! -f "$cache" ]; then
    work=$(mktemp -d "${TMPDIR:-/tmp}/torpor-stock.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    # apt drops its privileges for a download, and must still be able to write there.
    chmod 755 "$work"
    (cd "$work" && apt-get -qq download "$package" 2>/dev/null)
    dpkg-deb -x "$work"/*.deb "$work/root"
    mkdir -p "$(dirname "$cache")"
    cp "$work"/root/boot/vmlinuz-* "$cache.new"
    mv "$cache.new" "$cache"
fi
mkdir -p "$(dirname "$output")"
cp "$cache" "$output"
echo "kernel: $package in $output"
