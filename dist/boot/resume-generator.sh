#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A systemd generator for an initramfs (systemd.generator(7)). It writes torpor-resume.service, which runs before any file
# system is checked or mounted, at the place of systemd-hibernate-resume.service.
#
# usage: resume-generator.sh NORMAL-DIR EARLY-DIR LATE-DIR
set -eu
# The same file must do nothing in the system itself.
[ -e /etc/initrd-release ] || exit 0
units=${1:?usage: resume-generator.sh NORMAL-DIR EARLY-DIR LATE-DIR}
# The longest time that the boot waits for the partition, as in initramfs-tools.
seconds=30

# shellcheck source=dist/boot/resume-functions.sh
. /usr/lib/torpor/resume-functions.sh
torpor_settings
[ "$torpor_skip" = no ] || exit 0

# A hibernation partition lies on no encrypted device: nobody should have to type a passphrase before a resume.
before='cryptsetup-pre.target '
wants=$before
if [ -n "$torpor_link" ]; then
    device=$(systemd-escape --path --suffix=device -- "$torpor_link")
    wants="$wants$device"
    after=$device
    mkdir -p "$units/$device.d"
    printf '[Unit]\nJobRunningTimeoutSec=%s\n' "$seconds" >"$units/$device.d/40-torpor.conf"
elif [ -n "$torpor_device" ]; then
    # torpor-resume itself waits for a name that udev does not know.
    after=systemd-udev-trigger.service
else
    # Drivers are loaded in the background. Disks are there when the root file system's is, which may be an encrypted one.
    after=initrd-root-device.target
    wants=$after
    before=
fi

cat >"$units/torpor-resume.service" <<UNIT
[Unit]
Description=Resume of a session that Torpor saved
Documentation=man:torpor-resume(8)
DefaultDependencies=no
Wants=local-fs-pre.target $wants
After=$after
Before=${before}local-fs-pre.target systemd-fsck-root.service sysroot.mount sysusr-usr.mount dracut-pre-mount.service
ConditionPathExists=/etc/initrd-release

[Service]
Type=oneshot
# Never a second time: file systems may be mounted then.
RemainAfterExit=yes
ExecStart=-/bin/sh /usr/lib/torpor/run-resume.sh $seconds
# It may ask a person, who takes as long as the policy allows.
TimeoutStartSec=infinity
StandardOutput=journal+console
StandardError=journal+console
UNIT
mkdir -p "$units/sysinit.target.wants"
ln -sf ../torpor-resume.service "$units/sysinit.target.wants/torpor-resume.service"
