#!/bin/sh
# Puts a stripped copy of a program in place, unless the same is there already.
#
# usage: install-program.sh PROGRAM COPY
set -eu
mkdir -p "$(dirname "$2")"
strip -o "$2.new" "$1"
if cmp -s "$2.new" "$2"; then rm "$2.new"; else mv "$2.new" "$2"; fi
