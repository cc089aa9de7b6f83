#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks the promises about the small kernel, if `make kernel` has built it: at most 8 MiB, no modules, no network, and the
# options that kernels B and C need.
set -eu
cd "$(dirname "$0")/.."
kernel=build/vmlinuz-torpor
[ -f $kernel ] || exit 0

fail() {
    echo "check-kernel.sh: $kernel: $1" >&2
    exit 1
}

limit=$((8 << 20))
size=$(stat -c %s $kernel)
[ "$size" -le $limit ] || fail "it has $size bytes, more than the limit of $limit"
for option in KEXEC KEXEC_JUMP CRASH_DUMP PROC_VMCORE DEVMEM FIRMWARE_MEMMAP X86_5LEVEL RELOCATABLE RD_GZIP EFI_STUB \
    BLK_DEV_NVME SATA_AHCI; do
    grep -qx "CONFIG_$option=y" $kernel.config || fail "CONFIG_$option is not built in"
done
for option in MODULES NET MD_AUTODETECT; do
    ! grep -q "^CONFIG_$option=" $kernel.config || fail "CONFIG_$option is set"
done
# The release in the setup header (Documentation/arch/x86/boot.rst, kernel_version) is the one in the configuration's name.
start=$(($(od -An -tu2 --endian=little -j 526 -N 2 $kernel) + 512))
release=$(tail -c "+$((start + 1))" $kernel | head -c 64 | tr '\0' ' ' | cut -d ' ' -f 1)
[ "$release" = "$(cat $kernel.release)" ] || fail "its release is $release, and $kernel.release has $(cat $kernel.release)"
echo "$kernel: $release, $size bytes"
