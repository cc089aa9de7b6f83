#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds rootfs.gz, the initramfs of kernels B and C: the static /init, the files of initramfs/, and the files of --add. In
# front of it are the microcode and the ACPI tables, which the kernel reads from an initrd before it unpacks anything
# (Documentation/arch/x86/microcode.rst, Documentation/admin-guide/acpi/initrd_table_override.rst), and the list of the modules
# that /init loads: its archive is not compressed, so that `torpor check` can read it. Two builds of the same files give the
# same bytes. The script does not need root, except to search disks for a hibernation partition.
set -eu

usage() {
    cat <<TEXT
usage: mkinitramfs.sh [--output FILE] [--init FILE] [--add FILE[:PATH]]... [--microcode FILE]... [--acpi-tables FILE]...
                      [--kernel-version V [--module NAME]... [--modules-from DIR] [--system DIR]]

  --output FILE       the file to write (default: $built/rootfs.gz)
  --init FILE         the static /init (default: $built/init; in a checkout, make builds it if it is missing)
  --add FILE[:PATH]   add FILE at PATH (default: its own path); a directory is added with all its contents
  --microcode FILE    load this microcode early, as kernel A does: a file of the processor's vendor, a directory of such
                      files (microcode for other processors only takes space), or an initrd that contains microcode
  --acpi-tables FILE  replace these ACPI tables, as kernel A does: a compiled table (.aml), a directory of such files,
                      or an initrd that contains tables
  --kernel-version V  let kernels B and C load modules of kernel V: those that this machine's hibernation partition, its
                      disks in use and its watchdogs need
  --module NAME       let them load this module and the modules that it needs, and no others; may be repeated
  --modules-from DIR  take the modules from DIR/lib/modules/V (default: from /lib/modules/V)
  --system DIR        look for disks and watchdogs in DIR/proc, DIR/sys and DIR/dev, to build an image for another machine
  --help              show this
TEXT
}

fail() {
    echo "mkinitramfs.sh: $1" >&2
    exit "${2:-1}"
}

top=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
# In a checkout, the products are in build/; `make install` puts /init and rootfs.gz beside this script.
built=$top
[ ! -f "$top/Makefile" ] || built=$top/build
output=$built/rootfs.gz
init=
version=
modules=
modules_from=
system=
for program in cpio gzip; do
    command -v "$program" >/dev/null || fail "the program $program is missing; install the package $program"
done
work=$(mktemp -d "${TMPDIR:-/tmp}/torpor-rootfs.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
root=$work/root
mkdir "$root"

add() {
    file=${1%%:*}
    path=$file
    case $1 in *:*) path=${1#*:} ;; esac
    [ -e "$file" ] || fail "--add $1: there is no file $file"
    case $path in
        /*) ;;
        *) fail "--add $1: the path in rootfs.gz must begin with /; use --add $file:/PATH" ;;
    esac
    case /$path/ in */../*) fail "--add $1: the path must not contain .." ;; esac
    mkdir -p "$root$(dirname "$path")"
    # -L: copy the target of a link, because it would be missing in rootfs.gz.
    if [ -d "$file" ]; then
        mkdir -p "$root$path"
        cp -RL "$file/." "$root$path/"
    else
        cp -L "$file" "$root$path"
    fi
}

# Microcode and ACPI tables, by their paths in the initrd.
early=$work/early
mkdir "$early"

# Prints bytes of a file as hexadecimal digits: FILE OFFSET COUNT.
digits() {
    od -An -v -tx1 -j "$2" -N "$3" "$1" | tr -d ' \n'
}

# Prints a little-endian number in a file, nothing behind its end: FILE OFFSET BYTES.
number() {
    od -An -v "-tu$3" --endian=little -j "$2" -N "$3" "$1" 2>/dev/null | tr -d ' '
}

# Prints bytes of a file: FILE OFFSET COUNT.
part() {
    tail -c "+$(($2 + 1))" "$1" | head -c "$3"
}

# Prints a field of an archive's header, which has hexadecimal digits, as a number.
header_field() {
    echo $((0x$(printf %s "$header" | cut -c "$1")))
}

# Extracts the files of one directory from the uncompressed archives at the beginning of an initrd. The kernel searches all
# archives (lib/earlycpio.c, find_cpio_data), but cpio only the first.
unpack_early() {
    unpacked=$(mktemp -d "$work/unpacked.XXXXXX")
    offset=0
    size=$(stat -L -c %s "$1")
    while [ $((offset + 110)) -le "$size" ]; do
        bytes=$(digits "$1" "$offset" 512)
        case $bytes in
            00*)
                # Skip the zeros between archives; entries begin at multiples of 4.
                zeros=${bytes%%[!0]*}
                skipped=$((${#zeros} / 8))
                [ $skipped -gt 0 ] || skipped=1
                offset=$((offset + skipped * 4))
                continue
                ;;
            303730373031* | 303730373032*) ;;
            *) break ;;
        esac
        header=$(part "$1" "$offset" 110 | tr -cd 0-9A-Fa-f)
        [ ${#header} -eq 110 ] || break
        mode=$(header_field 15-22)
        content_size=$(header_field 55-62)
        name_size=$(header_field 95-102)
        content=$(((offset + 110 + name_size + 3) / 4 * 4))
        if [ "$name_size" -eq 0 ] || [ $((content + content_size)) -gt "$size" ]; then break; fi
        name=$(part "$1" $((offset + 110)) $((name_size - 1)) | tr -d '\0')
        name=${name#./}
        base=${name##*/}
        # If several files have one name, the kernel takes the first.
        if [ "$name" = "$2/$base" ] && [ -n "$base" ] && [ $((mode & 0170000)) -eq $((0100000)) ] &&
            [ ! -e "$unpacked/$name" ]; then
            mkdir -p "$unpacked/$2"
            part "$1" "$content" "$content_size" >"$unpacked/$name"
        fi
        offset=$(((content + content_size + 3) / 4 * 4))
    done
    [ -d "$unpacked/$2" ]
}

# Appends microcode to the blob of one vendor; the kernel searches the whole blob.
add_microcode_blob() {
    size=$(stat -L -c %s "$1")
    # A truncated file would shift the microcode after it.
    [ $((size % 4)) -eq 0 ] || fail "--microcode $1: it is cut off: its size of $size bytes is not a multiple of 4"
    mkdir -p "$early/kernel/x86/microcode"
    cat "$1" >>"$early/kernel/x86/microcode/$2.bin"
}

# Returns 1 if the file is not microcode.
add_microcode_file() {
    case $(digits "$1" 0 4) in
        # 0x00414d44, an AMD container (arch/x86/kernel/cpu/microcode/amd.c, UCODE_MAGIC).
        444d4100) add_microcode_blob "$1" AuthenticAMD ;;
        # Header version 1, and loader revision 1 at byte 20 (arch/x86/include/asm/cpu.h, microcode_header_intel).
        01000000)
            [ "$(digits "$1" 20 4)" = 01000000 ] || return 1
            add_microcode_blob "$1" GenuineIntel
            ;;
        # An archive, 070701 or 070702.
        30373037)
            unpack_early "$1" kernel/x86/microcode ||
                fail "--microcode $1: there is no microcode in the uncompressed archives at its beginning"
            for blob in "$unpacked"/kernel/x86/microcode/*.bin; do
                [ -f "$blob" ] || continue
                maker=$(basename "$blob" .bin)
                case $maker in GenuineIntel | AuthenticAMD) add_microcode_blob "$blob" "$maker" ;; esac
            done
            ;;
        *) return 1 ;;
    esac
}

add_microcode() {
    [ -e "$1" ] || fail "--microcode $1: there is no such file"
    if [ -d "$1" ]; then
        found=no
        for entry in "$1"/*; do
            [ -f "$entry" ] || continue
            if add_microcode_file "$entry"; then found=yes; fi
        done
        [ $found = yes ] || fail "--microcode $1: there is no microcode in it; unpack compressed files"
    else
        add_microcode_file "$1" ||
            fail "--microcode $1: it is no microcode of Intel or AMD, and no initrd; unpack a compressed file"
    fi
}

# Returns 1 if the file is not a table: a table has its length at byte 4, and the sum of its bytes is 0 (ACPI specification,
# "System Description Table Header").
add_acpi_table() {
    size=$(stat -L -c %s "$1")
    [ "$size" -ge 36 ] || return 1
    length=$(number "$1" 4 4)
    [ "$length" -eq "$size" ] || return 1
    sum=$(od -An -v -tu1 -w1 "$1" | awk '{ sum += $1 } END { print sum % 256 }')
    [ "$sum" -eq 0 ] || return 1
    name=$(basename "$1")
    # lib/earlycpio.c, MAX_CPIO_FILE_NAME.
    [ ${#name} -lt 18 ] || fail "--acpi-tables $1: the kernel accepts names of at most 17 bytes; rename the file"
    mkdir -p "$early/kernel/firmware/acpi"
    [ ! -e "$early/kernel/firmware/acpi/$name" ] || fail "--acpi-tables $1: two tables have this name; rename one"
    cp -L "$1" "$early/kernel/firmware/acpi/$name"
}

add_acpi_tables() {
    [ -e "$1" ] || fail "--acpi-tables $1: there is no such file"
    folder=$1
    if [ -f "$1" ]; then
        if [ "$(digits "$1" 0 4)" != 30373037 ]; then
            add_acpi_table "$1" || fail "--acpi-tables $1: it is no compiled ACPI table and no initrd; compile it with iasl"
            return
        fi
        unpack_early "$1" kernel/firmware/acpi ||
            fail "--acpi-tables $1: there is no ACPI table in the uncompressed archives at its beginning"
        folder=$unpacked/kernel/firmware/acpi
    fi
    found=no
    for entry in "$folder"/*; do
        [ -f "$entry" ] || continue
        if add_acpi_table "$entry"; then found=yes; fi
    done
    [ $found = yes ] || fail "--acpi-tables $1: there is no compiled ACPI table in it"
    # drivers/acpi/tables.c, NR_ACPI_INITRD_TABLES.
    count=$(find "$early/kernel/firmware/acpi" -type f | wc -l)
    [ "$count" -le 64 ] || fail "--acpi-tables $1: there are $count tables, but the kernel accepts at most 64"
}

# Requires a kernel's version, which becomes part of paths.
set_version() {
    case $1 in
        '' | .* | */* | *[[:space:]]*) fail "--kernel-version $1: that is no kernel's version; uname -r shows one" ;;
    esac
    version=$1
}

add_module() {
    case $1 in
        '' | -* | *[!A-Za-z0-9_-]*) fail "--module $1: that is no module's name; lsmod shows names" ;;
    esac
    modules="$modules $1"
}

while [ $# -gt 0 ]; do
    case $1 in
        --help)
            usage
            exit 0
            ;;
        --output | --init | --add | --microcode | --acpi-tables | --kernel-version | --module | --modules-from | --system)
            [ $# -ge 2 ] || fail "$1 needs a value; see --help" 2
            case $1 in
                --output) output=$2 ;;
                --init) init=$2 ;;
                --add) add "$2" ;;
                --microcode) add_microcode "$2" ;;
                --acpi-tables) add_acpi_tables "$2" ;;
                --kernel-version) set_version "$2" ;;
                --module) add_module "$2" ;;
                --modules-from) modules_from=$2 ;;
                --system) system=$2 ;;
            esac
            shift 2
            ;;
        *) fail "$1: unknown option; see --help" 2 ;;
    esac
done

if [ -z "$version" ] && [ -n "$modules$modules_from$system" ]; then
    fail "--module, --modules-from and --system need a kernel's version; add --kernel-version" 2
fi
if [ -n "$modules" ] && [ -n "$system" ]; then
    fail "--system: the modules do not depend on a machine if --module names them; leave one of the two out" 2
fi

if [ -z "$init" ]; then
    init=$built/init
    [ -f "$init" ] || [ "$built" = "$top" ] || make -s -C "$top" build/init >&2
fi
[ -f "$init" ] || fail "$init: there is no such file; build it with make"
# readelf would do, but administrators seldom have it. The offsets are those of Elf64_Ehdr and Elf64_Phdr (elf(5)).
[ "$(digits "$init" 0 4)" = 7f454c46 ] || fail "$init: it is not an ELF program"
# ELFCLASS64, EM_X86_64
[ "$(digits "$init" 4 1) $(digits "$init" 18 2)" = "02 3e00" ] || fail "$init: it is not a program for x86_64"
header=$(number "$init" 32 8)
count=$(number "$init" 56 2)
[ -n "$count" ] || fail "$init: it is cut off"
while [ "$count" -gt 0 ]; do
    case $(number "$init" "$header" 4) in
        # PT_DYNAMIC, PT_INTERP
        2 | 3)
            fail "$init: it is not static, and kernels B and C have no libraries; build it with: make build/init"
            ;;
        '') fail "$init: it is cut off" ;;
    esac
    header=$((header + $(number "$init" 54 2)))
    count=$((count - 1))
done

if [ -n "$version" ]; then
    # shellcheck disable=SC2086 # names of modules have no spaces
    "$top/mkinitramfs-modules.sh" "$version" "${modules_from:-/}" "${system:-/}" "$work/modules" $modules || exit 1
    cp -R "$work/modules/root/." "$root/"
fi

cp -RL "$top/initramfs/." "$root/"
cp "$init" "$root/init"
chmod 755 "$root/init"
# Prints an archive of a directory. The same files always give the same bytes. The archive ends at a multiple of 512 bytes,
# because the kernel expects the next one at a multiple of 4 (lib/earlycpio.c).
archive() {
    find "$1" -type d -exec chmod 755 {} +
    find "$1" -type f ! -perm -u+x -exec chmod 644 {} +
    find "$1" -type f -perm -u+x -exec chmod 755 {} +
    find "$1" -exec touch -h -d @0 {} +
    # Remove ./ from the names: the kernel compares them literally.
    (cd "$1" && find . -mindepth 1 | sed 's|^\./||' | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 --reproducible)
}

mkdir -p "$(dirname "$output")"
archive "$root" >"$work/cpio"
: >"$work/rootfs.gz"
[ ! -d "$early/kernel" ] || archive "$early" >"$work/rootfs.gz"
[ -z "$version" ] || archive "$work/modules/list" >>"$work/rootfs.gz"
# `torpor hibernate` recognizes the file by the name in this gzip header (RFC 1952: FNAME) and by the size of the gzip file,
# which is in the field for the time: data after that size is not ours. The kernel ignores both fields.
gzip -9n <"$work/cpio" >"$work/cpio.gz"
size=$(($(stat -c %s "$work/cpio.gz") + 14))
{
    printf '\037\213\010\010'
    for shift in 0 8 16 24; do
        # shellcheck disable=SC2059 # The format is the byte.
        printf "\\$(printf %03o $((size >> shift & 255)))"
    done
    printf '\002\003torpor-rootfs\000'
    tail -c +11 "$work/cpio.gz"
} >>"$work/rootfs.gz"
mv "$work/rootfs.gz" "$output"
