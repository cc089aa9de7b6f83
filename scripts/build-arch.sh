#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the Arch Linux packages in build/arch from the products in build/, which `make all kernel` has made, and the files from
# which makepkg makes them without these products: PKGBUILD, the source and the install scripts. It needs no Arch Linux system.
#
# usage: build-arch.sh
set -eu
cd "$(dirname "$0")/.."
. scripts/package-functions.sh
require_products
version=$(cat VERSION)
output=build/arch
SOURCE_DATE_EPOCH=$(source_date)
export SOURCE_DATE_EPOCH

rm -rf "$output"
mkdir -p "$output"
source_archive "torpor-$version" "$SOURCE_DATE_EPOCH" | gzip -9n >"$output/torpor-$version.tar.gz"
sum=$(sha256sum <"$output/torpor-$version.tar.gz")
sed "s/@VERSION@/$version/; s/@SHA256@/${sum%% *}/" dist/arch/PKGBUILD >"$output/PKGBUILD"
cp dist/arch/*.install "$output/"

# makepkg does not work as root, and a user may not be able to read the checkout. The package contains the path, so that is
# always the same one.
work=/tmp/torpor-arch
mkdir "$work" || fail "$work: it exists; if no other build runs, remove it"
trap 'rm -rf "$work"' EXIT
cp -R "$output/." "$work/"
mkdir "$work/products" "$work/home"
cp -R build/init build/torpor build/rootfs.gz build/completion build/vmlinuz-torpor* "$work/products/"
as_user=
if [ "$(id -u)" -eq 0 ]; then
    chown -R nobody: "$work"
    as_user="setpriv --reuid nobody --regid $(id -g nobody) --clear-groups"
fi
maintainer=$(sed -n 's/^Maintainer: //p' dist/debian/control)
# Another system than Arch's has no packages that makepkg could look for.
without_database=
pacman -Q pacman >/dev/null 2>&1 || without_database=--nodeps
# shellcheck disable=SC2086 # words
(cd "$work" && $as_user env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u DESTDIR HOME="$work/home" \
    PACKAGER="$maintainer" PKGDEST="$work" BUILDDIR="$work/build" \
    TORPOR_BUILD="$work/products" CARCH=x86_64 PKGEXT=.pkg.tar.zst makepkg $without_database) >"$output/log" 2>&1 || {
    tail -n 30 "$output/log" >&2
    fail "makepkg failed; all its messages are in $output/log"
}
cp "$work"/*.pkg.tar.zst "$output/"
for package in "$output"/*.pkg.tar.zst; do echo "$package: $(stat -c %s "$package") bytes"; done
