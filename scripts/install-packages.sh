#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs missing Debian packages with apt-get.
#
# usage: install-packages.sh PACKAGE...
#
# Takes a package that this Debian has only in its backports from there, from the mirror that apt already uses. Without dpkg,
# it installs nothing: install the same programs from the packages of your distribution.
set -eu

command -v dpkg-query >/dev/null || {
    echo "install-packages.sh: there is no dpkg; install the equivalents of these Debian packages yourself: $*" >&2
    exit 0
}

missing=
for package in "$@"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

command -v apt-get >/dev/null || {
    echo "install-packages.sh: there is no apt-get to install these missing packages:$missing" >&2
    exit 1
}
as_root=
[ "$(id -u)" -eq 0 ] || as_root=sudo

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
options=

# Succeeds if apt knows the package, from the system's files or from those of use_backports.
has_candidate() {
    # shellcheck disable=SC2086
    apt-cache $options policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'
}

# Makes the backports of this release visible to apt, for this run only: the system's sources and lists do not change.
use_backports() {
    # shellcheck disable=SC1091
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' "Created-By: Packages" |
        awk -v suite="$codename" '$3 == "main" && $2 == suite { print $1; exit }')
    [ -n "$mirror" ] || {
        echo "install-packages.sh: $1: apt knows neither such a package nor a mirror to take backports from" >&2
        exit 1
    }
    # apt drops its privileges for a download, and must still be able to read and write there.
    chmod 755 "$work"
    mkdir -p "$work/parts" "$work/lists/partial"
    cp /etc/apt/sources.list.d/* "$work/parts/" 2>/dev/null || :
    rm -f "$work/parts/torpor-backports.list"
    echo "deb $mirror $codename-backports main" >"$work/parts/torpor-backports.list"
    options="-o Dir::Etc::SourceParts=$work/parts -o Dir::State::Lists=$work/lists"
    # shellcheck disable=SC2086
    $as_root apt-get -qq $options update
}

echo "installing:$missing"
$as_root apt-get -qq update
for package in $missing; do
    has_candidate "$package" && continue
    [ -n "$options" ] || use_backports "$package"
    has_candidate "$package" || {
        echo "install-packages.sh: $package: it is in neither $codename nor $codename-backports" >&2
        exit 1
    }
done
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq $options install -y --no-install-recommends $missing >/dev/null
