#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks the promises about rootfs.gz: at most 1.25 MiB, the header by which torpor recognizes it, no unexpected files, and the
# same bytes from two builds.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

limit=$((5 << 18))
size=$(stat -c %s build/rootfs.gz)
if [ "$size" -gt "$limit" ]; then
    echo "build/rootfs.gz has $size bytes, more than the limit of $limit" >&2
    exit 1
fi

# gzip with only FNAME, and the size in the field for the time; then extra flags, system, and the name.
start=$(od -An -v -tx1 -N4 build/rootfs.gz | tr -d ' \n')
length=$(od -An -v -tu4 --endian=little -j4 -N4 build/rootfs.gz | tr -d ' \n')
name=$(tail -c +11 build/rootfs.gz | head -c 14 | tr '\0' '#')
if [ "$start" != 1f8b0808 ] || [ "$length" != "$size" ] || [ "$name" != "torpor-rootfs#" ]; then
    echo "build/rootfs.gz does not begin with a gzip header with the name torpor-rootfs and the size of the file" >&2
    exit 1
fi

# Another time, another umask, another directory: the same bytes.
(umask 077 && TMPDIR=$work ./mkinitramfs.sh --init build/init --output "$work/again.gz")
cmp build/rootfs.gz "$work/again.gz"

{
    echo init
    find initramfs -mindepth 1 -printf '%P\n'
} | LC_ALL=C sort >"$work/expected"
gzip -dc build/rootfs.gz | cpio --quiet -t | LC_ALL=C sort >"$work/found"
diff -u "$work/expected" "$work/found"

if ./mkinitramfs.sh --init /bin/ls --output "$work/dynamic.gz" 2>"$work/refusal"; then
    echo "mkinitramfs.sh accepts an /init that is not static" >&2
    exit 1
fi
grep -q 'it is not static' "$work/refusal"
echo "build/rootfs.gz: $size bytes"
