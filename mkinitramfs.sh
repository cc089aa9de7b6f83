#!/bin/sh
# Builds rootfs.gz, the initial RAM file system of kernels B and C: the static /init, what lies in initramfs/, and
# what is added with --add. Two builds of the same files give the same bytes. It needs no root.
set -eu

usage() {
    cat <<'TEXT'
usage: mkinitramfs.sh [--output FILE] [--init FILE] [--add FILE[:PATH]]...

  --output FILE       where to write (default: build/rootfs.gz)
  --init FILE         the static /init (default: build/init, built with make if it is not there)
  --add FILE[:PATH]   put FILE in as well, at PATH (default: its own path); a directory goes in with all that is in it
  --help              show this
TEXT
}

fail() {
    echo "mkinitramfs.sh: $1" >&2
    exit "${2:-1}"
}

top=$(cd "$(dirname "$0")" && pwd)
output=$top/build/rootfs.gz
init=
work=$(mktemp -d "${TMPDIR:-/tmp}/torpor-rootfs.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
root=$work/root
mkdir "$root"

add() {
    file=${1%%:*}
    path=$file
    case $1 in *:*) path=${1#*:} ;; esac
    [ -e "$file" ] || fail "--add $1: there is no $file"
    case $path in
        /*) ;;
        *) fail "--add $1: the path in rootfs.gz must begin with /; use --add $file:/PATH" ;;
    esac
    case /$path/ in */../*) fail "--add $1: the path must not contain .." ;; esac
    mkdir -p "$root$(dirname "$path")"
    # -L: what is linked to goes in, as the link's target would not be there.
    if [ -d "$file" ]; then
        mkdir -p "$root$path"
        cp -RL "$file/." "$root$path/"
    else
        cp -L "$file" "$root$path"
    fi
}

while [ $# -gt 0 ]; do
    case $1 in
        --help)
            usage
            exit 0
            ;;
        --output | --init | --add)
            [ $# -ge 2 ] || fail "$1 needs a value; see --help" 2
            case $1 in
                --output) output=$2 ;;
                --init) init=$2 ;;
                --add) add "$2" ;;
            esac
            shift 2
            ;;
        *) fail "$1: there is no such option; see --help" 2 ;;
    esac
done

if [ -z "$init" ]; then
    init=$top/build/init
    [ -f "$init" ] || make -s -C "$top" build/init >&2
fi
[ -f "$init" ] || fail "$init: there is no such file; build it with make"
headers=$(readelf -hl "$init" 2>/dev/null) || fail "$init: it is no program"
case $headers in
    *X86-64*) ;;
    *) fail "$init: it is no program for x86_64" ;;
esac
case $headers in
    *"program interpreter"* | *DYNAMIC*)
        fail "$init: it is not static; kernels B and C have no libraries, so build it with: make build/init"
        ;;
esac

cp -RL "$top/initramfs/." "$root/"
cp "$init" "$root/init"
chmod 755 "$root/init"
find "$root" -type d -exec chmod 755 {} +
find "$root" -type f ! -perm -u+x -exec chmod 644 {} +
find "$root" -type f -perm -u+x -exec chmod 755 {} +
find "$root" -exec touch -h -d @0 {} +

mkdir -p "$(dirname "$output")"
(cd "$root" && find . -mindepth 1 | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 --reproducible) >"$work/cpio"
gzip -9n <"$work/cpio" >"$work/rootfs.gz"
mv "$work/rootfs.gz" "$output"
