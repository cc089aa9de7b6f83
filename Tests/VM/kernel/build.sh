#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the test kernel with the fragment beside this script, or takes the one that TORPOR_TEST_KERNEL names.
#
# usage: build.sh OUTPUT MODULES
#
# Writes OUTPUT as kernel/build.sh does, and the kernel's modules to MODULES/lib/modules/RELEASE. A kernel that
# TORPOR_TEST_KERNEL names has the modules in TORPOR_TEST_MODULES/lib/modules/RELEASE, or none if that variable is not set.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
output=${1:?usage: build.sh OUTPUT MODULES}
modules=${2:?usage: build.sh OUTPUT MODULES}

if [ -z "${TORPOR_TEST_KERNEL:-}" ]; then
    exec "$here/../../../kernel/build.sh" --modules "$modules" "$here/torpor.config" "$output"
fi
mkdir -p "$(dirname "$output")"
cp -- "$TORPOR_TEST_KERNEL" "$output"
rm -rf "$output.map" "$output.config" "$output.release" "$modules"
if [ -n "${TORPOR_TEST_MODULES:-}" ]; then
    mkdir -p "$modules"
    cp -R "$TORPOR_TEST_MODULES/." "$modules/"
    release=$(ls "$modules/lib/modules")
    case $release in
        '' | *"
"*)
            echo "build.sh: $TORPOR_TEST_MODULES/lib/modules must have the modules of one kernel" >&2
            exit 1
            ;;
    esac
    echo "$release" >"$output.release"
fi
echo "$(basename "$output"): $TORPOR_TEST_KERNEL (TORPOR_TEST_KERNEL)"
