#!/bin/sh
# Installs those of the named Debian packages that are missing, with apt-get.
#
# usage: install-packages.sh PACKAGE...
#
# A package that this Debian has only in its backports is taken from there, from the mirror that apt already uses.
set -eu

missing=
for package in "$@"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

command -v apt-get >/dev/null || {
    echo "install-packages.sh: these packages are missing, and there is no apt-get to install them:$missing" >&2
    exit 1
}
as_root=
[ "$(id -u)" -eq 0 ] || as_root=sudo

has_candidate() {
    apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'
}

echo "installing:$missing"
$as_root apt-get -qq update
for package in $missing; do
    has_candidate "$package" && continue
    # shellcheck disable=SC1091
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' "Created-By: Packages" |
        awk -v suite="$codename" '$3 == "main" { print $1; exit }')
    [ -n "$mirror" ] || {
        echo "install-packages.sh: $package: apt knows no such package, and no mirror to take backports from" >&2
        exit 1
    }
    echo "deb $mirror $codename-backports main" |
        $as_root tee /etc/apt/sources.list.d/torpor-backports.list >/dev/null
    $as_root apt-get -qq update
    has_candidate "$package" || {
        echo "install-packages.sh: $package: it is not in $codename-backports either" >&2
        exit 1
    }
done
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing >/dev/null
