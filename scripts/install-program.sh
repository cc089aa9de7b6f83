#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs a stripped copy of a program, unless the same copy exists.
#
# usage: install-program.sh [--without-unwind-tables] PROGRAM COPY
#
# --without-unwind-tables fills the tables for unwinding a stack with zeros. /init never unwinds, and the tables would be a
# sixteenth of rootfs.gz.
set -eu
keeps_tables=yes
if [ "$1" = --without-unwind-tables ]; then
    keeps_tables=no
    shift
fi
mkdir -p "$(dirname "$2")"
strip -R .comment -o "$2.new" "$1"
if [ "$keeps_tables" = no ]; then
    for section in .eh_frame .eh_frame_hdr; do
        size=$(readelf -SW "$2.new" | sed 's/^ *\[ *[0-9]*\]//' | awk -v name="$section" '$1 == name { print $5 }')
        [ -n "$size" ] || continue
        head -c "$((0x$size))" /dev/zero >"$2.zeros"
        objcopy --update-section "$section=$2.zeros" "$2.new"
        rm "$2.zeros"
    done
fi
if cmp -s "$2.new" "$2"; then rm "$2.new"; else mv "$2.new" "$2"; fi
