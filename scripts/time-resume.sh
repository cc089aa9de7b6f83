#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Measures how long torpor-resume takes on this machine if there is nothing to resume: the milliseconds of each of 9 runs, and the
# median. It only reads disks. Needs root and build/init.
set -eu
cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || { echo "time-resume.sh: it needs root, for mount and chroot" >&2; exit 1; }
[ -f build/init ] || { echo "time-resume.sh: build/init is missing; build it with make" >&2; exit 1; }
# shellcheck disable=SC2016 # the inner shell expands them
exec unshare --mount --propagation private sh -euc '
    root=$(mktemp -d)
    # torpor-resume runs only in an initramfs, whose root file system is in memory.
    mount -t tmpfs tmpfs "$root"
    mkdir "$root/proc" "$root/sys" "$root/dev"
    mount -t proc proc "$root/proc"
    mount -t sysfs -o ro sysfs "$root/sys"
    mount --rbind /dev "$root/dev"
    cp build/init "$root/torpor-resume"
    for _ in 1 2 3 4 5 6 7 8 9; do
        start=$(date +%s%N)
        chroot "$root" /torpor-resume noresume-is-no-option 2>/dev/null || :
        middle=$(date +%s%N)
        chroot "$root" /torpor-resume
        end=$(date +%s%N)
        # Without the time of chroot and of a start that ends at once.
        echo $(((end - middle - (middle - start)) / 1000))
    done | sort -n | awk "{ all[NR] = \$1 / 1000; printf \"%.1f \", all[NR] } END { printf \"ms; median %.1f ms\n\", all[5] }"
'
