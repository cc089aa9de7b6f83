#!/bin/sh
# Checks what is promised of rootfs.gz: at most 1 MiB, only what belongs there, the same bytes from two builds.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

limit=$((1 << 20))
size=$(stat -c %s build/rootfs.gz)
if [ "$size" -gt "$limit" ]; then
    echo "build/rootfs.gz has $size bytes, more than $limit" >&2
    exit 1
fi

# Another time, another umask, another place: the same bytes.
(umask 077 && TMPDIR=$work ./mkinitramfs.sh --init build/init --output "$work/again.gz")
cmp build/rootfs.gz "$work/again.gz"

{
    echo init
    find initramfs -mindepth 1 -printf '%P\n'
} | LC_ALL=C sort >"$work/expected"
gzip -dc build/rootfs.gz | cpio --quiet -t | LC_ALL=C sort >"$work/found"
diff -u "$work/expected" "$work/found"

if ./mkinitramfs.sh --init /bin/ls --output "$work/dynamic.gz" 2>"$work/refusal"; then
    echo "mkinitramfs.sh takes an /init that is not static" >&2
    exit 1
fi
grep -q 'it is not static' "$work/refusal"
echo "build/rootfs.gz: $size bytes"
