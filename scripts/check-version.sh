#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks that no other file than VERSION contains the version, and that all programs and documents show this version.
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "check-version.sh: $1" >&2
    exit 1
}

version=$(cat VERSION)
echo "$version" | grep -qxE '(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2}' ||
    fail "VERSION has \"$version\", which is not MAJOR.MINOR.PATCH"
[ "$(wc -c <VERSION)" -eq $((${#version} + 1)) ] || fail "VERSION must have exactly one line"

# The newest entry: "## [1.2.3] - 2026-12-31", or "## [Unreleased]" with the sentence "The next release is 1.2.3." below it.
entry=$(grep -m1 '^## ' CHANGES.md) || fail "CHANGES.md has no entry"
case $entry in
    "## [Unreleased]")
        said=$(awk '/^## /{ entries++ } entries == 1' CHANGES.md | sed -n 's/^The next release is \(.*\)\.$/\1/p')
        [ "$said" = "$version" ] || fail "CHANGES.md: below [Unreleased], the sentence must be: The next release is $version."
        ;;
    "## [$version] - "????-??-??) ;;
    *) fail "CHANGES.md: the newest entry is \"$entry\", and VERSION has $version" ;;
esac

grep -qE '^\.TH TORPOR 8 "[0-9-]+" "Torpor @VERSION@" ' man/torpor.8 ||
    fail "man/torpor.8: the version in .TH must be @VERSION@"
for file in $(find Sources man -type f) Makefile Package.swift mkinitramfs*.sh; do
    ! grep -nF "\"$version\"" "$file" || fail "$file: it contains the version; take it from VERSION"
done

[ "$(build/torpor --version)" = "$version" ] || fail "build/torpor --version prints $(build/torpor --version); call make"
grep -qaF "$version" build/init || fail "build/init does not contain the version; call make"
echo "VERSION: $version"
