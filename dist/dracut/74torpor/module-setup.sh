#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A module of dracut(8): it puts torpor-resume into the initramfs, and the name of this machine's hibernation partition.
#
# shellcheck disable=SC2154 # dracut sets the variables.

# Called by dracut: whether the initramfs gets this module.
check() {
    # An initramfs that mounts something else, as kdump's does after a crash.
    [[ ${mount_needs-} ]] && return 1
    [[ -x "${dracutsysrootdir-}/usr/lib/torpor/torpor-resume" ]] || return 1
    # 255: on a machine that was not set up for hibernation, only if somebody asks for the module.
    [[ -e "${dracutsysrootdir-}/etc/torpor.conf" ]] || return 255
    # `torpor setup` sets it while it undoes what it did.
    [[ ${TORPOR_REMOVAL-} ]] && return 255
    return 0
}

# Called by dracut: the modules that this one needs.
depends() {
    # dracut-ng has the loop that waits for devices in a module of its own.
    if ! dracut_module_included systemd && compgen -G "$dracutbasedir/modules.d/*initqueue" >/dev/null; then
        echo initqueue
    fi
    return 0
}

# Called by dracut: adds the files.
install() {
    local device

    inst_simple /usr/lib/torpor/torpor-resume /usr/bin/torpor-resume
    inst_simple /usr/lib/torpor/resume-functions.sh

    device=$(/usr/lib/torpor/resume-device.sh)
    if [[ $device ]]; then
        # `rd.hostonly=0` removes the file: the boot of another machine then waits for no partition.
        mark_hostonly /etc/torpor/resume.conf
        mkdir -p "$initdir/etc/torpor"
        printf 'device=%s\n' "$device" >"$initdir/etc/torpor/resume.conf"
    fi

    if dracut_module_included systemd; then
        inst_simple /usr/lib/torpor/run-resume.sh
        inst_script /usr/lib/torpor/resume-generator.sh "$systemdutildir/system-generators/torpor-resume-generator"
        inst_multiple sh cat ln mkdir systemd-escape
    else
        inst_hook cmdline 30 "$moddir/torpor-wait.sh"
        # Before the kernel's own hibernation, 10-resume.sh.
        inst_hook pre-mount 05 "$moddir/torpor-resume.sh"
    fi
}
