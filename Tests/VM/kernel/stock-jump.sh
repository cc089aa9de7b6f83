#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds a kernel with Debian's own configuration and CONFIG_KEXEC_JUMP, with the modules of stock-modules.txt: the drivers of
# QEMU's machines, and the modules that a Debian guest loads. Takes half an hour, once.
#
# usage: stock-jump.sh OUTPUT MODULES
#
# Writes OUTPUT as kernel/build.sh does, and the modules to MODULES/lib/modules/RELEASE.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
output=${1:?usage: stock-jump.sh OUTPUT MODULES}
modules=${2:?usage: stock-jump.sh OUTPUT MODULES}

package=linux-config-6.12
"$here/../../../scripts/install-packages.sh" $package
config=/usr/src/$package/config.amd64_none_amd64.xz
[ -f "$config" ] || { echo "stock-jump.sh: $config is missing although $package is installed" >&2; exit 1; }
exec "$here/../../../kernel/build.sh" --base "$config" --lsmod "$here/stock-modules.txt" --modules "$modules" \
    "$here/stock-jump.config" "$output"
