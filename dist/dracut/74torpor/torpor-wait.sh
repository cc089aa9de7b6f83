#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A hook `cmdline` of dracut's own init, which reads it with `.`. The loop that waits for devices then ends only when the
# hibernation partition is there, or after 30 seconds. dracut itself gives up on a device of `resume=` after two minutes.
(
    # shellcheck source=dist/boot/resume-functions.sh
    . /usr/lib/torpor/resume-functions.sh
    torpor_settings
    if [ "$torpor_skip" != no ] || [ -z "$torpor_link" ]; then exit 0; fi
    # The file keeps the time at which the wait ends, in seconds since the kernel started.
    read -r uptime _ </proc/uptime
    echo $((${uptime%%.*} + 30)) >/run/torpor-wait
    cat >"${hookdir:?}/initqueue/finished/torpor.sh" <<'WAIT'
. /usr/lib/torpor/resume-functions.sh
torpor_settings
read -r torpor_uptime _ </proc/uptime
read -r torpor_end </run/torpor-wait
[ -b "$torpor_link" ] || [ "${torpor_uptime%%.*}" -ge "$torpor_end" ]
WAIT
)
