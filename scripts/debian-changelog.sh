#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the changelog that Debian's tools read: an entry for each release of CHANGES.md, which has the changes themselves. The
# newest entry has the time of the source.
#
# usage: debian-changelog.sh [VERSION [CONTROL]]
#
# VERSION is that of the package (default: that in VERSION); CONTROL names the maintainer (default: dist/debian/control).
set -eu
cd "$(dirname "$0")/.."
. scripts/package-functions.sh
released=$(cat VERSION)
version=${1:-$released}
maintainer=$(sed -n 's/^Maintainer: //p' "${2:-dist/debian/control}")

# VERSION SECONDS
entry() {
    cat <<ENTRY
torpor ($1) unstable; urgency=medium

  * Release of this version; CHANGES.md lists its changes.

 -- $maintainer  $(LC_ALL=C date -u -d "@$2" '+%a, %d %b %Y %H:%M:%S +0000')

ENTRY
}

entry "$version" "$(source_date)"
sed -n 's/^## \[\([0-9.]*\)\] - \(....-..-..\)$/\1 \2/p' CHANGES.md | while read -r older date; do
    [ "$older" = "$released" ] || entry "$older" "$(date -u -d "$date" +%s)"
done
