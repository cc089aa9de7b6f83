#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks that each source file names its licence: SPDX-License-Identifier in the first line, or in the second line of a
# script and of Package.swift.
set -eu
cd "$(dirname "$0")/.."
identifier='SPDX-License-Identifier: Apache-2.0'

# Succeeds for files without a comment syntax, and for data that must not change. LICENSE covers them all.
is_exempt() {
    case $1 in
        LICENSE | NOTICE | VERSION | *.md | *.json | .gitignore | .swift-format | Package.resolved) ;;
        initramfs/* | Tests/Golden/* | Tests/Fuzz/Corpus/*) ;;
        dist/debian/source/format | dist/debian/*copyright) ;;
        *) return 1 ;;
    esac
}

files=$(git ls-files --cached --others --exclude-standard)
status=0
while IFS= read -r file; do
    [ -f "$file" ] || continue
    ! is_exempt "$file" || continue
    case $(head -n 1 "$file") in
        *"$identifier"*) continue ;;
        "#!"* | "// swift-tools-version:"*)
            case $(sed -n 2p "$file") in *"$identifier"*) continue ;; esac
            ;;
    esac
    echo "check-licenses.sh: $file: add the line $identifier at the beginning" >&2
    status=1
done <<LIST
$files
LIST
[ $status = 0 ] || exit $status
echo "licences: each source file has its SPDX line"
