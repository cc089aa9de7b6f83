# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154,SC1091 # check-boot-hooks.sh, which reads this file, has the variables.
# The second half: the generator for systemd, dracut and mkinitcpio.

# The generator.
program bin/systemd-escape <<'STUB'
for last; do :; done
printf '%s.device\n' "$(printf %s "${last#/}" | sed 's/-/\\x2d/g; s|/|-|g')"
STUB
generate() {
    rm -rf "$root/units"
    mkdir "$root/units"
    [ $# -gt 0 ] || touch "$root/etc/initrd-release"
    PATH="$root/bin:$PATH" sh "$root/usr/lib/torpor/resume-generator.sh" "$root/units" x y >"$root/output" 2>&1 ||
        fail "the generator fails"
}
unit=$root/units/torpor-resume.service
machine noresume PARTUUID=1-2
generate
[ -z "$(ls "$root/units")" ] || fail "the generator writes units in spite of noresume"
machine '' PARTUUID=1-2
generate outside
[ -z "$(ls "$root/units")" ] || fail "the generator writes units outside an initramfs"
generate
device=$(printf '%s-dev-disk-by\\x2dpartuuid-1\\x2d2.device' "$(printf %s "${root#/}" | sed 's|/|-|g')")
grep -qxF "After=$device" "$unit" || fail "the unit does not wait for the partition"
grep -qxF "Wants=local-fs-pre.target cryptsetup-pre.target $device" "$unit" || fail "the unit does not want the partition"
for name in cryptsetup-pre.target local-fs-pre.target systemd-fsck-root.service sysroot.mount; do
    grep -q "^Before=\(.* \)\{0,1\}$name\( \|$\)" "$unit" || fail "the unit is not ordered before $name"
done
grep -qx 'RemainAfterExit=yes' "$unit" || fail "systemd may start the unit again"
grep -qx 'JobRunningTimeoutSec=30' "$root/units/$device.d/40-torpor.conf" || fail "systemd waits for ever"
[ -f "$root/units/sysinit.target.wants/torpor-resume.service" ] || fail "nothing starts the unit"
machine 'torpor.device=UUID=1' PARTUUID=1-2
generate
grep -qx 'After=systemd-udev-trigger.service' "$unit" || fail "the unit waits for a link that udev does not make"
machine '' ''
generate
grep -qx 'After=initrd-root-device.target' "$unit" || fail "without a configured partition, the disks are not there"
! grep -q cryptsetup "$unit" || fail "the unit waits for the root device, which waits for the unit"
: >"$log"
touch "$root/dev/disk/by-partuuid/9"
echo torpor.device=PARTUUID=9 >"$root/proc/cmdline"
sh "$root/usr/lib/torpor/run-resume.sh" 30
expect "the unit's program does not run torpor-resume" 'torpor-resume --device PARTUUID=9 --wait 0'

# dracut. Its own init reads the hooks with `.`.
for file in module-setup.sh torpor-wait.sh torpor-resume.sh; do
    place "dracut/74torpor/$file" "dracut/74torpor/$file"
done
export root log
cat >"$root/dracut/build" <<'BUILD'
record() { echo "$*" | sed "s#$root##g" >>"$log"; }
for name in inst_simple inst_script inst_multiple inst_hook mark_hostonly; do eval "$name() { record $name \"\$@\"; }"; done
dracut_module_included() { [[ $1 == "$INIT" ]]; }
dracutsysrootdir=$root dracutbasedir=$root/dracutbase moddir=$root/dracut/74torpor
initdir=$root/initrd systemdutildir=/lib/systemd
. "$moddir/module-setup.sh"
check && depends >>"$log" && install
BUILD
dracut_module() { INIT=$1 PATH="$root/bin:$PATH" bash "$root/dracut/build"; }
machine '' PARTUUID=1
dracut_module systemd
expect "dracut with systemd gets other files" 'inst_simple /usr/lib/torpor/torpor-resume /usr/bin/torpor-resume' \
    'inst_simple /usr/lib/torpor/resume-functions.sh' 'mark_hostonly /etc/torpor/resume.conf' \
    'inst_simple /usr/lib/torpor/run-resume.sh' \
    'inst_script /usr/lib/torpor/resume-generator.sh /lib/systemd/system-generators/torpor-resume-generator' \
    'inst_multiple sh cat ln mkdir systemd-escape'
machine '' ''
mkdir -p "$root/dracutbase/modules.d/73initqueue"
status=0
dracut_module none || status=$?
[ "$status" = 255 ] || fail "dracut gets the module although Torpor was not set up"
expect "dracut gets files although Torpor was not set up"
touch "$root/etc/torpor.conf"
status=0
TORPOR_REMOVAL=yes dracut_module none || status=$?
[ "$status" = 255 ] || fail "dracut gets the module although the setup is being undone"
expect "dracut gets files although the setup is being undone"
dracut_module none
expect "dracut's own init gets other files" initqueue 'inst_simple /usr/lib/torpor/torpor-resume /usr/bin/torpor-resume' \
    'inst_simple /usr/lib/torpor/resume-functions.sh' 'inst_hook cmdline 30 /dracut/74torpor/torpor-wait.sh' \
    'inst_hook pre-mount 05 /dracut/74torpor/torpor-resume.sh'
dracut_init() (
    hookdir=$root/run/hooks
    mkdir -p "$hookdir/initqueue/finished"
    . "$root/dracut/74torpor/torpor-wait.sh"
    for uptime in 20.0 34.9 35.0; do
        echo "$uptime 1.0" >"$root/proc/uptime"
        [ ! -e "$hookdir/initqueue/finished/torpor.sh" ] || (. "$hookdir/initqueue/finished/torpor.sh") || continue
        echo "loop ends at $uptime" >>"$log"
        break
    done
    . "$root/dracut/74torpor/torpor-resume.sh"
)
machine '' PARTUUID=1
dracut_init
expect "dracut's loop does not end after 30 s" 'loop ends at 35.0'
machine '' PARTUUID=1 dev/disk/by-partuuid/1
dracut_init
expect "dracut's loop waits for a partition that is there" 'loop ends at 20.0' 'torpor-resume --device PARTUUID=1 --wait 0'
machine noresume PARTUUID=1
dracut_init
expect "dracut waits in spite of noresume" 'loop ends at 20.0'

# mkinitcpio: the builder's functions, then busybox's init.
for file in install/torpor install/sd-torpor hooks/torpor; do place "mkinitcpio/$file" "initcpio/$file"; done
cat >"$root/initcpio/build" <<'BUILD'
record() { echo "$*" | sed "s#$root##g" >>"$log"; }
for name in add_binary add_file add_symlink add_runscript; do eval "$name() { record $name \"\$@\"; }"; done
add_dir() { mkdir -p "$BUILDROOT/${1#"$root"}"; }
BUILDROOT=$root/initrd
. "$root/initcpio/install/$1"
build && help >"$root/output"
BUILD
mkinitcpio_build() { PATH="$root/bin:$PATH" bash "$root/initcpio/build" "$1"; }
machine '' PARTUUID=1
mkinitcpio_build torpor
expect "mkinitcpio's image has other files" 'add_binary /usr/lib/torpor/torpor-resume /usr/bin/torpor-resume' \
    'add_file /usr/lib/torpor/resume-functions.sh' 'add_runscript'
grep -qx device=PARTUUID=1 "$root/initrd/etc/torpor/resume.conf" || fail "mkinitcpio's image has no name of the partition"
machine '' ''
mkinitcpio_build sd-torpor
expect "mkinitcpio's image with systemd has other files" 'add_binary /usr/lib/torpor/torpor-resume /usr/bin/torpor-resume' \
    'add_file /usr/lib/torpor/resume-functions.sh' 'add_file /usr/lib/torpor/run-resume.sh' \
    'add_binary /usr/lib/torpor/resume-generator.sh /usr/lib/systemd/system-generators/torpor-resume-generator 755' \
    'add_binary systemd-escape' 'add_binary /usr/lib/initcpio/busybox /usr/bin/busybox' 'add_symlink /usr/bin/sh busybox' \
    'add_binary /usr/lib/initcpio/busybox /usr/bin/busybox' 'add_symlink /usr/bin/cat busybox' \
    'add_binary /usr/lib/initcpio/busybox /usr/bin/busybox' 'add_symlink /usr/bin/ln busybox' \
    'add_binary /usr/lib/initcpio/busybox /usr/bin/busybox' 'add_symlink /usr/bin/mkdir busybox'
[ ! -e "$root/initrd/etc/torpor" ] || fail "mkinitcpio's image has a name although there is no partition"
cat >"$root/initcpio/init" <<INIT
# getarg: newer versions have it, older ones a variable for each parameter.
[ -z "\${NEW-}" ] || getarg() { if [ "\$1" = rootdelay ]; then echo "\$NEW"; fi; }
[ -z "\${OLD-}" ] || rootdelay=\$OLD
poll_device() { echo "poll \${1#$root} \$2" >>"$log"; [ -e "\$1" ]; }
. "$root/initcpio/hooks/torpor"
run_hook
INIT
for shell in dash 'busybox ash'; do
    command -v "${shell%% *}" >/dev/null || continue
    machine '' PARTUUID=1 dev/disk/by-partuuid/1
    $shell "$root/initcpio/init"
    expect "$shell: mkinitcpio's hook" 'poll /dev/disk/by-partuuid/1 10' 'torpor-resume --device PARTUUID=1 --wait 0'
    machine '' PARTUUID=1
    NEW=25 $shell "$root/initcpio/init"
    expect "$shell: mkinitcpio's hook ignores rootdelay=" 'poll /dev/disk/by-partuuid/1 25'
    OLD=20 $shell "$root/initcpio/init"
    expect "$shell: mkinitcpio's hook ignores an older version's rootdelay" 'poll /dev/disk/by-partuuid/1 25' \
        'poll /dev/disk/by-partuuid/1 20'
    machine noresume PARTUUID=1
    $shell "$root/initcpio/init"
    expect "$shell: mkinitcpio's hook waits in spite of noresume"
done
