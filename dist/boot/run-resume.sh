#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The program of torpor-resume.service, which resume-generator.sh writes in an initramfs with systemd. The unit has waited for
# the partition.
#
# usage: run-resume.sh SECONDS
# shellcheck source=dist/boot/resume-functions.sh
. /usr/lib/torpor/resume-functions.sh
torpor_settings
torpor_resume "${1:-30}"
