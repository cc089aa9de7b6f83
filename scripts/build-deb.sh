#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the Debian packages in build/deb from the products in build/, which `make all kernel` has made. Two runs with the same
# products give the same packages.
#
# usage: build-deb.sh
#
# DEB_VERSION is the version of the packages (default: that in VERSION), and DEB_OUTPUT another folder than build/deb.
# DEBFULLNAME and DEBEMAIL name the maintainer of packages that you give to others.
set -eu
cd "$(dirname "$0")/.."
. scripts/package-functions.sh
require_products
version=${DEB_VERSION:-$(cat VERSION)}
output=${DEB_OUTPUT:-build/deb}
SOURCE_DATE_EPOCH=$(source_date)
export SOURCE_DATE_EPOCH
products=$PWD/build

rm -rf "$output"
mkdir -p "$output"
tree=$output/torpor-$version
source_archive "torpor-$version" "$SOURCE_DATE_EPOCH" | tar -x -C "$output"
cp -R "$tree/dist/debian" "$tree/debian"
if [ -n "${DEBEMAIL-}" ]; then
    sed -i "s|^Maintainer: .*|Maintainer: ${DEBFULLNAME:?DEBEMAIL needs DEBFULLNAME} <$DEBEMAIL>|" "$tree/debian/control"
fi
scripts/debian-changelog.sh "$version" "$tree/debian/control" >"$tree/debian/changelog"

# The environment of make: its options are not for the make of debian/rules.
(cd "$tree" && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u DESTDIR LC_ALL=C.UTF-8 TORPOR_BUILD="$products" \
    dpkg-buildpackage --build=binary --unsigned-changes --unsigned-buildinfo --build-profiles=pkg.torpor.prebuilt) \
    >"$output/log" 2>&1 || {
    tail -n 30 "$output/log" >&2
    fail "dpkg-buildpackage failed; all its messages are in $output/log"
}
rm -rf "$tree"
for package in "$output"/*.deb; do echo "$package: $(stat -c %s "$package") bytes"; done
