#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the hooks for new kernels (dist/kernel, dist/kernel-install) in a sandbox, with a stand-in for mkinitramfs.sh.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
state=$root/var/lib/torpor

fail() {
    echo "check-kernel-hooks.sh: $1" >&2
    cat "$root/log" "$root/output" >&2 2>/dev/null || :
    exit 1
}

mkdir -p "$root/usr/lib/torpor" "$root/etc/torpor"
for file in kernel/update-rootfs.sh kernel/postinst kernel/postrm kernel-install/60-torpor.install \
    mkinitcpio/post/torpor; do
    to=$root/usr/lib/torpor/${file##*/}
    sed -E "s#(^|[ \"'=<>])/(usr/lib/torpor|var/lib/torpor|etc/torpor|lib/modules)#\1$root/\2#g" "$top/dist/$file" >"$to"
    chmod 755 "$to"
done
cat >"$root/usr/lib/torpor/mkinitramfs.sh" <<STUB
#!/bin/sh
set -eu
for argument; do printf '[%s]' "\$argument" | sed 's#$root.*/rootfs.gz#OUTPUT#'; done >>"$root/log"
echo >>"$root/log"
for output; do :; done
case \$output in "$state"/*) ;; *) echo "another file system" >>"$root/log" ;; esac
echo "half of it" >"\$output"
[ ! -e "$root/broken" ] || { echo "first line" >&2; echo "mkinitramfs.sh: nvme.ko: it is missing" >&2; exit 1; }
echo "for \$2" >"\$output"
STUB
chmod 755 "$root/usr/lib/torpor/mkinitramfs.sh"

# Runs a hook, which must succeed. The rest are its arguments.
hook() {
    : >"$root/log"
    name=$1
    shift
    "$root/usr/lib/torpor/$name" "$@" >"$root/output" 2>&1 || fail "$name $*: it fails"
}
# Whether the folder has these files and nothing else.
holds() {
    [ "$(find "$state" -mindepth 1 -printf '%P\n' | sort | tr '\n' ' ')" = "${*:+$* }" ]
}

# A machine that was not set up.
mkdir -p "$root/lib/modules/6.1.0-1"
touch "$root/lib/modules/6.1.0-1/modules.dep"
hook postinst 6.1.0-1 /boot/vmlinuz-6.1.0-1
hook 60-torpor.install add 6.1.0-1 /efi/x /boot/vmlinuz
KERNELVERSION=6.1.0-1 hook torpor /boot/vmlinuz /boot/initramfs.img
hook postrm 6.1.0-1
hook 60-torpor.install remove 6.1.0-1 /efi/x
[ ! -e "$state" ] || fail "a hook builds although Torpor was not set up"
rm -r "$root/lib/modules/6.1.0-1"
touch "$root/etc/torpor.conf"

hook postinst 6.1.0-1 /boot/vmlinuz-6.1.0-1
holds rootfs-6.1.0-1.gz || fail "postinst builds no rootfs.gz, or leaves something"
grep -qx 'for 6.1.0-1' "$state/rootfs-6.1.0-1.gz" || fail "postinst builds for another version"
grep -qxF '[--kernel-version][6.1.0-1][--output][OUTPUT]' "$root/log" || fail "mkinitramfs.sh gets other arguments"
[ "$(stat -c %a "$state/rootfs-6.1.0-1.gz")" = 644 ] || fail "others cannot read rootfs.gz"

# The options of this machine.
printf '# comment\n\n--microcode /lib/firmware/intel ucode\n--module nvme\n' >"$root/etc/torpor/mkinitramfs.conf"
hook 60-torpor.install add 6.2 /efi/x/6.2 /boot/vmlinuz
grep -qxF '[--kernel-version][6.2][--microcode][/lib/firmware/intel ucode][--module][nvme][--output][OUTPUT]' "$root/log" ||
    fail "mkinitramfs.sh does not get the options of mkinitramfs.conf"
holds rootfs-6.1.0-1.gz rootfs-6.2.gz || fail "60-torpor.install builds no rootfs.gz"

# A build that fails leaves the old file, and is one sentence.
touch "$root/broken"
for name in 'postinst 6.1.0-1' '60-torpor.install add 6.1.0-1 /efi/x'; do
    # shellcheck disable=SC2086 # The words are arguments.
    hook $name
    grep -qx 'for 6.1.0-1' "$state/rootfs-6.1.0-1.gz" || fail "$name: a build that fails destroys the old file"
    holds rootfs-6.1.0-1.gz rootfs-6.2.gz || fail "$name: a build that fails leaves something"
    [ "$(wc -l <"$root/output")" = 1 ] || fail "$name: a build that fails is not one line"
    grep -q '^torpor: rootfs.gz for Linux 6.1.0-1: it was not built: mkinitramfs.sh: nvme.ko: it is missing; .* add 6.1.0-1$' \
        "$root/output" || fail "$name: a build that fails gives no reason"
done
! "$root/usr/lib/torpor/update-rootfs.sh" add 6.1.0-1 >"$root/output" 2>&1 || fail "update-rootfs.sh hides a failure"
rm "$root/broken"

# dpkg's actions.
export DEB_MAINT_PARAMS="'abort-upgrade' '6.1'"
hook postinst 6.9
! grep -q . "$root/log" || fail "postinst builds although nothing was configured"
DEB_MAINT_PARAMS="'upgrade' '6.1'"
hook postrm 6.2
holds rootfs-6.1.0-1.gz rootfs-6.2.gz || fail "postrm removes the file of a kernel that is upgraded"
DEB_MAINT_PARAMS="'remove'"
hook postrm 6.2
holds rootfs-6.1.0-1.gz || fail "postrm does not remove the file"
unset DEB_MAINT_PARAMS
hook 60-torpor.install remove 6.1.0-1 /efi/x
holds || fail "60-torpor.install does not remove the file"
hook 60-torpor.install inspect
hook postinst
! grep -q . "$root/log" || fail "a hook builds without a version"

# mkinitcpio: several images of one kernel, and a kernel that is gone.
mkdir -p "$root/lib/modules/6.5" "$root/lib/modules/6.6"
touch -d '1 hour ago' "$root/lib/modules/6.5/modules.dep" "$root/lib/modules/6.6/modules.dep" "$root/usr/lib/torpor/init"
for version in 6.5 6.6; do KERNELVERSION=$version hook torpor /boot/vmlinuz /boot/initramfs.img; done
holds rootfs-6.5.gz rootfs-6.6.gz || fail "mkinitcpio's post hook does not build rootfs.gz"
KERNELVERSION=6.6 hook torpor /boot/vmlinuz /boot/initramfs-fallback.img
! grep -q . "$root/log" || fail "mkinitcpio's post hook builds for each image of a kernel"
touch "$root/usr/lib/torpor/init"
KERNELVERSION=6.6 hook torpor /boot/vmlinuz /boot/initramfs.img
grep -q . "$root/log" || fail "mkinitcpio's post hook does not build after an upgrade of Torpor"
rm -r "$root/lib/modules/6.5"
touch "$root/broken"
KERNELVERSION=6.6 hook torpor
KERNELVERSION=none hook torpor
holds rootfs-6.6.gz || fail "mkinitcpio's post hook keeps the file of a kernel that is gone"
rm "$root/broken" "$state/rootfs-6.6.gz"

touch "$state/rootfs-x.gz"
for version in '' .. x/../../y -x; do
    ! "$root/usr/lib/torpor/update-rootfs.sh" remove "$version" >"$root/output" 2>&1 || fail "'$version' is a version"
done
! "$root/usr/lib/torpor/update-rootfs.sh" build 6.1 2>/dev/null || fail "update-rootfs.sh accepts any action"
holds rootfs-x.gz || fail "something is removed that is no version"
echo "hooks for new kernels: they build and remove rootfs.gz, and do not break the kernel's installation"
