#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks that the programs, headers and libraries for `make` are installed. Names missing ones, and their packages.
#
# Needs no package manager. SWIFT is the swift program (default: swift), STATIC_LIBDIR a directory of static libraries that
# is searched before the system's.
set -eu
swift=${SWIFT:-swift}

# Each line: a requirement, and the packages of Debian, Fedora and Arch that have it; - if none has it. Fedora and Arch
# remove some static libraries from their packages.
needs() {
    cat <<'TABLE'
program gcc gcc gcc gcc
program objcopy binutils binutils binutils
program readelf binutils binutils binutils
program strip binutils binutils binutils
program cpio cpio cpio cpio
program gzip gzip gzip gzip
header stdlib.h libc6-dev glibc-devel glibc
header linux/types.h linux-libc-dev kernel-headers linux-api-headers
header blkid/blkid.h libblkid-dev libblkid-devel util-linux-libs
header lzma.h liblzma-dev xz-devel xz
header zstd.h libzstd-dev libzstd-devel zstd
header lz4.h liblz4-dev lz4-devel lz4
header xxhash.h libxxhash-dev xxhash-devel xxhash
library libc.a libc6-dev glibc-static glibc
library libm.a libc6-dev glibc-static glibc
library libstdc++.a g++ libstdc++-static gcc
library libblkid.a libblkid-dev - -
library liblzma.a liblzma-dev xz-static -
library libzstd.a libzstd-dev libzstd-static -
library liblz4.a liblz4-dev lz4-static -
TABLE
}

# Succeeds if the requirement is installed. Without gcc, checks only programs.
is_there() {
    case $1 in
        program) command -v "$2" >/dev/null ;;
        header) [ "$has_gcc" = no ] || echo "#include <$2>" | gcc -E - >/dev/null 2>&1 ;;
        library)
            # gcc prints the bare name if it does not find the file.
            [ "$has_gcc" = no ] ||
                case $(gcc ${STATIC_LIBDIR:+"-B$STATIC_LIBDIR/"} "-print-file-name=$2") in */*) ;; *) return 1 ;; esac
            ;;
    esac
}

missing=$(
    if command -v gcc >/dev/null; then has_gcc=yes; else has_gcc=no; fi
    needs | while read -r kind name debian fedora arch; do
        is_there "$kind" "$name" || printf '  %-15s %-15s %-17s %s\n' "$name" "$debian" "$fedora" "$arch"
    done
)
status=0
if [ -n "$missing" ]; then
    {
        echo "Torpor needs these programs, headers and static libraries, which are missing here:"
        printf '  %-15s %-15s %-17s %s\n' "" "Debian package" "Fedora package" "Arch package"
        echo "$missing"
        echo "If no package of your distribution has a library (-), build it and call make STATIC_LIBDIR=DIRECTORY; see NOTICE."
    } >&2
    status=1
fi

if command -v "$swift" >/dev/null; then
    # The toolchain has three standard libraries: shared, static, and for Embedded Swift.
    resources=$("${swift}c" -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p')
    for file in "${resources}_static/linux/static-executable-args.lnk" \
        "$resources/embedded/x86_64-unknown-linux-gnu/libswiftUnicodeDataTables.a"; do
        [ -e "$file" ] && continue
        echo "Torpor needs a Swift toolchain with $file; the toolchains of swift.org have it." >&2
        status=1
    done
else
    echo "Torpor needs Swift 6.3, but there is no program $swift; install it: https://www.swift.org/install/" >&2
    status=1
fi
exit $status
