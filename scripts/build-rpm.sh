#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the RPM packages in build/rpm from the products in build/, which `make all kernel` has made, and the source package,
# from which rpmbuild makes them without these products. rpmlint, if it is there, looks at all of them. It needs no RPM system.
#
# usage: build-rpm.sh
set -eu
cd "$(dirname "$0")/.."
. scripts/package-functions.sh
require_products
version=$(cat VERSION)
output=$PWD/build/rpm
SOURCE_DATE_EPOCH=$(source_date)
export SOURCE_DATE_EPOCH

rm -rf "$output"
mkdir -p "$output/SOURCES" "$output/SPECS"
source_archive "torpor-$version" "$SOURCE_DATE_EPOCH" | gzip -9n >"$output/SOURCES/torpor-$version.tar.gz"
# The version stands in the copy, so that rpmbuild takes the source package alone.
{
    echo "%global torpor_version $version"
    cat dist/rpm/torpor.spec
    scripts/rpm-changelog.sh
} >"$output/SPECS/torpor.spec"
# Another system than RPM's has no packages that rpmbuild could look for.
without_database=
rpm -q rpm >/dev/null 2>&1 || without_database=--nodeps
# shellcheck disable=SC2086 # no or one option
env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u DESTDIR rpmbuild -ba $without_database \
    --define "_topdir $output" --define "torpor_build $PWD/build" --define "clamp_mtime_to_source_date_epoch 1" \
    --define "use_source_date_epoch_as_buildtime 1" --define "_buildhost torpor" \
    --define "packager $(sed -n 's/^Maintainer: //p' dist/debian/control)" \
    "$output/SPECS/torpor.spec" >"$output/log" 2>&1 || {
    tail -n 30 "$output/log" >&2
    fail "rpmbuild failed; all its messages are in $output/log"
}
find "$output" -name '*.rpm' -exec mv {} "$output/" \;
rm -rf "$output/BUILD" "$output/BUILDROOT" "$output/RPMS" "$output/SRPMS"
for package in "$output"/*.rpm; do echo "${package#"$PWD/"}: $(stat -c %s "$package") bytes"; done

command -v rpmlint >/dev/null || exit 0
rpmlint --config dist/rpm/rpmlint.toml "$output"/*.rpm "$output/SPECS/torpor.spec" >"$output/rpmlint" 2>&1 || {
    cat "$output/rpmlint" >&2
    fail "rpmlint finds errors"
}
tail -n 1 "$output/rpmlint"
