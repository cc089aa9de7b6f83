# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Functions of the scripts that make packages; each reads this file with `.`, in the top directory.

name=${0##*/}

fail() {
    echo "$name: $1" >&2
    exit 1
}

# Prints the time of the source, in seconds since 1970, which is the same for each build of it: SOURCE_DATE_EPOCH, else the time
# of the last commit, else the date of the release in CHANGES.md.
source_date() {
    if [ -n "${SOURCE_DATE_EPOCH-}" ]; then
        echo "$SOURCE_DATE_EPOCH"
    elif [ -e .git ]; then
        git log -1 --format=%ct
    else
        release=$(sed -n "s/^## \[$(cat VERSION)\] - \(....-..-..\)$/\1/p" CHANGES.md)
        if [ -n "$release" ]; then date -u -d "$release" +%s; else stat -c %Y VERSION; fi
    fi
}

# Prints the paths of the source's files: those of git, or all but the products.
source_files() {
    if [ -e .git ]; then
        # A file may be deleted and not yet committed.
        git ls-files --cached --others --exclude-standard | while IFS= read -r file; do
            if [ -e "$file" ] || [ -L "$file" ]; then printf '%s\n' "$file"; fi
        done
    else
        find . -mindepth 1 \( -path ./build -o -path './.build*' -o -path ./debian -o -path ./dist/debian/changelog \) -prune \
            -o \( -type f -o -type l \) -print
    fi | sed 's|^\./||' | LC_ALL=C sort
}

# Writes the source as an archive to standard output. The same files give the same bytes.
#   $1: the folder of all files in the archive; $2: their time
source_archive() {
    source_files | tar -c -f - --no-recursion --verbatim-files-from -T - --transform "flags=r;s|^|$1/|" --mtime "@$2" \
        --owner 0 --group 0 --numeric-owner --mode u=rwX,go=rX --format gnu
}

# Fails unless `make all kernel` has made all products.
require_products() {
    for file in init torpor rootfs.gz completion/torpor.bash vmlinuz-torpor; do
        [ -e "build/$file" ] || fail "build/$file is missing; run: make all kernel"
    done
}
