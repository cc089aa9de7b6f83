#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the products of make, or removes the installed files. The Makefile calls it. HOOKS names the hooks of other programs
# to install: initramfs-tools, dracut, mkinitcpio, kernel-install, kernel (/etc/kernel). `uninstall` removes all of them;
# `install-hooks` installs nothing else.
#
# usage: SBINDIR=… PKGLIBDIR=… MANDIR=… DOCDIR=… [BASHCOMPDIR=… ZSHCOMPDIR=… FISHCOMPDIR=…] [DESTDIR=…] [INSTALL=…] [HOOKS=…]
#        install.sh ACTION
# ACTION is install, install-hooks or uninstall. Without their folders, the completions for shells are left out.
set -eu
cd "$(dirname "$0")/.."
: "${SBINDIR:?}" "${PKGLIBDIR:?}" "${MANDIR:?}" "${DOCDIR:?}"
destdir=${DESTDIR-}
version=$(cat VERSION)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for page in man/*.[578]; do
    sed "s/@VERSION@/$version/" "$page" >"$work/${page##*/}"
done
# The hooks name Torpor's folder, and the units its program.
cp -R dist "$work/dist"
find "$work/dist" -type f -exec sed -i "s|/usr/lib/torpor|$PKGLIBDIR|g; s|/usr/sbin/torpor|$SBINDIR/torpor|g" {} +

# Each file to install: its mode and its source, a tab, and its destination.
files() {
    cat <<LIST
755 build/torpor	$SBINDIR/torpor
755 build/init	$PKGLIBDIR/init
644 build/rootfs.gz	$PKGLIBDIR/rootfs.gz
755 mkinitramfs.sh	$PKGLIBDIR/mkinitramfs.sh
755 mkinitramfs-drivers.sh	$PKGLIBDIR/mkinitramfs-drivers.sh
755 mkinitramfs-modules.sh	$PKGLIBDIR/mkinitramfs-modules.sh
644 LICENSE	$DOCDIR/LICENSE
644 NOTICE	$DOCDIR/NOTICE
644 README.md	$DOCDIR/README.md
644 CHANGES.md	$DOCDIR/CHANGES.md
LIST
    for page in man/*.[578]; do
        printf '644 %s\t%s\n' "$work/${page##*/}" "$MANDIR/man${page##*.}/${page##*/}"
    done
    [ -z "${BASHCOMPDIR-}" ] || printf '644 build/completion/torpor.bash\t%s\n' "$BASHCOMPDIR/torpor"
    [ -z "${ZSHCOMPDIR-}" ] || printf '644 build/completion/torpor.zsh\t%s\n' "$ZSHCOMPDIR/_torpor"
    [ -z "${FISHCOMPDIR-}" ] || printf '644 build/completion/torpor.fish\t%s\n' "$FISHCOMPDIR/torpor.fish"
    # The small kernel, if `make kernel` was called, and its configuration under the name by which torpor finds it.
    if [ -f build/vmlinuz-torpor ]; then
        printf '644 build/vmlinuz-torpor\t%s\n' "$PKGLIBDIR/vmlinuz"
        printf '644 build/vmlinuz-torpor.config\t%s\n' "$PKGLIBDIR/config-$(cat build/vmlinuz-torpor.release)"
        scripts/builtin-modules.sh build/vmlinuz-torpor.map >"$work/builtin"
        printf '644 %s\t%s\n' "$work/builtin" "$PKGLIBDIR/builtin-$(cat build/vmlinuz-torpor.release)"
    fi
    if [ "$action" = uninstall ]; then
        for file in "$destdir$PKGLIBDIR/vmlinuz" "$destdir$PKGLIBDIR"/config-*-torpor "$destdir$PKGLIBDIR"/builtin-*-torpor; do
            printf '644 none\t%s\n' "${file#"$destdir"}"
        done
    fi
    find initramfs -type f | LC_ALL=C sort | while IFS= read -r file; do printf '644 %s\t%s\n' "$file" "$PKGLIBDIR/$file"; done
    # Units that do nothing in this place: an administrator's command copies them to /etc/systemd.
    (cd "$work/dist" && find systemd -type f) | LC_ALL=C sort | while IFS= read -r file; do
        printf '644 %s\t%s\n' "$work/dist/$file" "$PKGLIBDIR/$file"
    done
    find docs -type f | LC_ALL=C sort | while IFS= read -r file; do printf '644 %s\t%s\n' "$file" "$DOCDIR/$file"; done
}

# The files of one hook, in the same form. Other programs search fixed folders, independent of PREFIX.
hook_files() {
    dist=$work/dist
    case $1 in
        initramfs-tools)
            cat <<LIST
755 $dist/initramfs-tools/hook	/usr/share/initramfs-tools/hooks/torpor
755 $dist/initramfs-tools/local-premount	/usr/share/initramfs-tools/scripts/local-premount/torpor
LIST
            ;;
        dracut)
            for file in module-setup.sh torpor-wait.sh torpor-resume.sh; do
                printf '755 %s\t%s\n' "$dist/dracut/74torpor/$file" "/usr/lib/dracut/modules.d/74torpor/$file"
            done
            ;;
        mkinitcpio)
            for file in install/torpor install/sd-torpor hooks/torpor; do
                printf '644 %s\t%s\n' "$dist/mkinitcpio/$file" "/usr/lib/initcpio/$file"
            done
            printf '755 %s\t%s\n' "$dist/mkinitcpio/post/torpor" /usr/lib/initcpio/post/torpor
            ;;
        kernel-install)
            printf '755 %s\t%s\n' "$dist/kernel-install/60-torpor.install" /usr/lib/kernel/install.d/60-torpor.install
            ;;
        kernel)
            for folder in postinst postrm; do
                printf '755 %s\t%s\n' "$dist/kernel/$folder" "/etc/kernel/$folder.d/torpor"
            done
            ;;
        *)
            echo "install.sh: HOOKS: there is no hook $1; choose from $all_hooks" >&2
            return 1
            ;;
    esac
    case $1 in
        kernel* | mkinitcpio) printf '755 %s\t%s\n' "$dist/kernel/update-rootfs.sh" "$PKGLIBDIR/update-rootfs.sh" ;;
    esac
    case $1 in
        kernel*) ;;
        *)
            printf '644 %s\t%s\n' "$dist/boot/resume-functions.sh" "$PKGLIBDIR/resume-functions.sh"
            for file in resume-device.sh resume-generator.sh run-resume.sh; do
                printf '755 %s\t%s\n' "$dist/boot/$file" "$PKGLIBDIR/$file"
            done
            ;;
    esac
}

all_hooks="initramfs-tools dracut mkinitcpio kernel-install kernel"
hooks=${HOOKS-}
action=${1-}
: >"$work/files"
case $action in
    install) files >"$work/files" ;;
    install-hooks) ;;
    uninstall)
        hooks=$all_hooks
        files >"$work/files"
        ;;
    *)
        echo "usage: install.sh install|install-hooks|uninstall" >&2
        exit 2
        ;;
esac
for hook in $hooks; do
    hook_files "$hook" >>"$work/files"
done

tab=$(printf '\t')
if [ "$action" != uninstall ]; then
    while IFS=$tab read -r from to; do
        # -D makes the directories with mode 755, independent of the umask.
        # shellcheck disable=SC2086 # INSTALL is a command with its options.
        ${INSTALL:-install} -D -m "${from%% *}" "${from#* }" "$destdir$to"
    done <"$work/files"
    # The same program under the name by which an initramfs starts it.
    [ "$action" = install-hooks ] || ln -f "$destdir$PKGLIBDIR/init" "$destdir$PKGLIBDIR/torpor-resume"
    exit 0
fi

printf 'torpor-resume\t%s\n' "$PKGLIBDIR/torpor-resume" >>"$work/files"
# A foreign file in Torpor's directories stays, and so does its directory.
while IFS=$tab read -r from to; do
    rm -f "$destdir$to"
    case $to in
        "$PKGLIBDIR"/* | "$DOCDIR"/*) ;;
        */dracut/modules.d/74torpor/*)
            rmdir "$destdir${to%/*}" 2>/dev/null || :
            continue
            ;;
        *) continue ;;
    esac
    directory=${to%/*}
    while [ "$directory" != "${PKGLIBDIR%/*}" ] && [ "$directory" != "${DOCDIR%/*}" ]; do
        rmdir "$destdir$directory" 2>/dev/null || break
        directory=${directory%/*}
    done
done <"$work/files"
