#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the names of the modules that are built into a kernel, from its symbol table: each has an initcall, whose symbol has the
# module's name (include/linux/init.h of Linux 6.12, `__initcall_id`).
#
# usage: builtin-modules.sh SYSTEM.MAP
set -eu
map=${1:?usage: builtin-modules.sh SYSTEM.MAP}
names=$(sed -n 's/^[0-9a-f]* . __initcall__kmod_\([A-Za-z0-9_]*\)__[0-9]*_[0-9]*_.*/\1/p' "$map" | LC_ALL=C sort -u)
[ -n "$names" ] || { echo "builtin-modules.sh: $map has no initcalls" >&2; exit 1; }
printf '%s\n' "$names"
