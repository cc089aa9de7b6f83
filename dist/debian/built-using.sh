#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the substitution variables for Built-Using and Static-Built-Using (Debian Policy 7.8): the source packages of these
# installed packages, with their versions. A package that is not installed was not linked.
#
# usage: built-using.sh PACKAGE... | --kernel PACKAGE
set -eu

# Prints SOURCE (= VERSION) for each package, once.
sources() {
    for package; do
        # shellcheck disable=SC2016 # dpkg-query expands the names.
        dpkg-query -W -f '${db:Status-Status} ${source:Package} (= ${source:Version})\n' "$package" 2>/dev/null || :
    done | sed -n 's/^installed //p' | LC_ALL=C sort -u
}

# Joins lines with commas.
joined() {
    paste -s -d , | sed 's/,/, /g'
}

if [ "${1-}" = --kernel ]; then
    shift
    printf 'torpor-kernel:Built-Using=%s\n' "$(sources "$@" | joined)"
    exit 0
fi
# Licences that ask for the exact source (LGPL, GPL with GCC's exception).
printf 'torpor:Built-Using=%s\n' "$(sources "$@" | grep -E '^(glibc|util-linux|gcc-[0-9]+) ' | joined)"
printf 'torpor:Static-Built-Using=%s\n' "$(sources "$@" | joined)"
