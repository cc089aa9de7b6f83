#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the products of make, or removes the installed files. The Makefile calls it.
#
# usage: SBINDIR=… PKGLIBDIR=… MANDIR=… DOCDIR=… [DESTDIR=…] [INSTALL=…] install.sh install|uninstall
set -eu
cd "$(dirname "$0")/.."
: "${SBINDIR:?}" "${PKGLIBDIR:?}" "${MANDIR:?}" "${DOCDIR:?}"
destdir=${DESTDIR-}
version=$(cat VERSION)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed "s/@VERSION@/$version/" man/torpor.8 >"$work/torpor.8"

# Each file to install: its mode and its source, a tab, and its destination.
files() {
    cat <<LIST
755 build/torpor	$SBINDIR/torpor
755 build/init	$PKGLIBDIR/init
644 build/rootfs.gz	$PKGLIBDIR/rootfs.gz
755 mkinitramfs.sh	$PKGLIBDIR/mkinitramfs.sh
755 mkinitramfs-drivers.sh	$PKGLIBDIR/mkinitramfs-drivers.sh
755 mkinitramfs-modules.sh	$PKGLIBDIR/mkinitramfs-modules.sh
644 $work/torpor.8	$MANDIR/man8/torpor.8
644 LICENSE	$DOCDIR/LICENSE
644 NOTICE	$DOCDIR/NOTICE
644 README.md	$DOCDIR/README.md
644 CHANGES.md	$DOCDIR/CHANGES.md
LIST
    # The small kernel, if `make kernel` was called, and its configuration under the name by which torpor finds it.
    if [ -f build/vmlinuz-torpor ]; then
        printf '644 build/vmlinuz-torpor\t%s\n' "$PKGLIBDIR/vmlinuz"
        printf '644 build/vmlinuz-torpor.config\t%s\n' "$PKGLIBDIR/config-$(cat build/vmlinuz-torpor.release)"
    fi
    if [ "$1" = uninstall ]; then
        for file in "$destdir$PKGLIBDIR/vmlinuz" "$destdir$PKGLIBDIR"/config-*-torpor; do
            printf '644 none\t%s\n' "${file#"$destdir"}"
        done
    fi
    find initramfs -type f | LC_ALL=C sort | while IFS= read -r file; do printf '644 %s\t%s\n' "$file" "$PKGLIBDIR/$file"; done
    find docs -type f | LC_ALL=C sort | while IFS= read -r file; do printf '644 %s\t%s\n' "$file" "$DOCDIR/$file"; done
}

tab=$(printf '\t')
files "${1-}" >"$work/files"
case ${1-} in
    install)
        while IFS=$tab read -r from to; do
            # -D makes the directories with mode 755, independent of the umask.
            # shellcheck disable=SC2086 # INSTALL is a command with its options.
            ${INSTALL:-install} -D -m "${from%% *}" "${from#* }" "$destdir$to"
        done <"$work/files"
        ;;
    uninstall)
        # A foreign file in Torpor's directories stays, and so does its directory.
        while IFS=$tab read -r from to; do
            rm -f "$destdir$to"
            case $to in
                "$PKGLIBDIR"/* | "$DOCDIR"/*) ;;
                *) continue ;;
            esac
            directory=${to%/*}
            while [ "$directory" != "${PKGLIBDIR%/*}" ] && [ "$directory" != "${DOCDIR%/*}" ]; do
                rmdir "$destdir$directory" 2>/dev/null || break
                directory=${directory%/*}
            done
        done <"$work/files"
        ;;
    *)
        echo "usage: install.sh install|uninstall" >&2
        exit 2
        ;;
esac
