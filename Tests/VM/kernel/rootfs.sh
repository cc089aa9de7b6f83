#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds what the machines need whose disks are on NVMe or AHCI: those drivers are modules of the test kernel.
#
# usage: rootfs.sh KERNEL MODULES INIT FOLDER
#
# Makes FOLDER/rootfs-modules.gz for kernels B and C, and FOLDER/modules for kernel A: root with the unpacked modules, and
# list with their list. Without MODULES, removes them: a kernel that TORPOR_TEST_KERNEL names may have all drivers built in.
set -eu
top=$(cd "$(dirname "$0")/../../.." && pwd)
kernel=${1:?usage: rootfs.sh KERNEL MODULES INIT FOLDER}
modules=${2:?usage: rootfs.sh KERNEL MODULES INIT FOLDER}
init=${3:?usage: rootfs.sh KERNEL MODULES INIT FOLDER}
folder=${4:?usage: rootfs.sh KERNEL MODULES INIT FOLDER}

rm -rf "$folder/modules"
if [ ! -d "$modules" ]; then
    rm -f "$folder/rootfs-modules.gz"
    exit 0
fi
release=$(cat "$kernel.release")
mkdir -p "$folder/modules"
"$top/mkinitramfs.sh" --init "$init" --output "$folder/rootfs-modules.gz" --kernel-version "$release" \
    --modules-from "$modules" --module nvme --module ahci
"$top/mkinitramfs-modules.sh" "$release" "$modules" / "$folder/modules" nvme ahci
