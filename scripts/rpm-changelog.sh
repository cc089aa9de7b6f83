#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the changelog section of the RPM packages: an entry for each release of CHANGES.md, which has the changes themselves.
#
# usage: rpm-changelog.sh
set -eu
cd "$(dirname "$0")/.."
. scripts/package-functions.sh
version=$(cat VERSION)
maintainer=$(sed -n 's/^Maintainer: //p' dist/debian/control)

# VERSION SECONDS
entry() {
    printf '* %s %s - %s-1\n- Release of this version; CHANGES.md lists its changes.\n\n' \
        "$(LC_ALL=C date -u -d "@$2" '+%a %b %d %Y')" "$maintainer" "$1"
}

printf '\n%%changelog\n'
entry "$version" "$(source_date)"
sed -n 's/^## \[\([0-9.]*\)\] - \(....-..-..\)$/\1 \2/p' CHANGES.md | while read -r older date; do
    [ "$older" = "$version" ] || entry "$older" "$(date -u -d "$date" +%s)"
done
