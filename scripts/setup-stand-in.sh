# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# A stand-in for torpor in the checks of packages: it records its calls, except `torpor status`, with which the hooks of an
# initramfs look for the partition. Read with `.` behind debian-tree.sh, whose $root and $work it uses.
#
# shellcheck disable=SC2154

# Puts the stand-in into the tree: PATH. It fails while the tree has /tmp/broken.
write_stand_in() {
    cat >"$root/$1" <<'STUB'
#!/bin/sh
[ "$1" = status ] || echo "$*" >>/tmp/calls
[ ! -e /tmp/broken ] || exit 1
[ "$1 $2" != "setup --remove" ] || rm -f /var/lib/torpor/setup.json
STUB
    chmod 755 "$root/$1"
    : >"$root/tmp/calls"
}

# Whether the calls since the last time are one or more of this one: WHAT [CALL].
expect_calls() {
    LC_ALL=C sort -u "$root/tmp/calls" >"$work/calls"
    [ "$(cat "$work/calls")" = "${2-}" ] || {
        cat "$work/calls" "$work/messages" >&2
        fail "$1"
    }
    : >"$root/tmp/calls"
}
