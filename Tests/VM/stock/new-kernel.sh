#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Downloads Debian's kernel as packages, once, for a guest that upgrades its kernel. It has no CONFIG_KEXEC_JUMP: it starts
# the machine, and the session of another kernel continues.
#
# usage: new-kernel.sh OUTPUT-DIR
set -eu
output=${1:?usage: new-kernel.sh OUTPUT-DIR}

dependency() { apt-cache depends "$1" 2>/dev/null | awk '$1 == "Depends:" { print $2; exit }'; }

package=$(dependency linux-image-amd64)
[ -n "$package" ] || { echo "new-kernel.sh: apt knows no linux-image-amd64; run: apt-get update" >&2; exit 1; }
cache=${XDG_CACHE_HOME:-${HOME:?}/.cache}/torpor/$package.packages
if [ ! -d "$cache" ]; then
    work=$(mktemp -d "${TMPDIR:-/tmp}/torpor-kernel.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    # apt drops its privileges for a download, and must still be able to write there.
    chmod 755 "$work"
    (cd "$work" && apt-get -qq download "$package" linux-base 2>/dev/null)
    rm -rf "$cache.new"
    mkdir -p "$cache.new"
    cp "$work"/*.deb "$cache.new/"
    mv -T "$cache.new" "$cache"
fi
mkdir -p "$output"
rm -f "$output"/*.deb
cp "$cache"/*.deb "$output/"
