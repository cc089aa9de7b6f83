#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A hook `pre-mount` of dracut's own init, which reads it with `.` before it checks and mounts the root file system.
(
    # shellcheck source=dist/boot/resume-functions.sh
    . /usr/lib/torpor/resume-functions.sh
    torpor_settings
    torpor_resume 30
)
