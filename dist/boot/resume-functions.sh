# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Functions for the scripts that start torpor-resume in an initramfs, before any file system is mounted. They use only what
# every shell there has built in. Each script waits for the partition in its own distribution's way, then calls torpor_resume.

# Reads the kernel command line and /etc/torpor/resume.conf, whose line `device=` the builder of the initramfs has written.
# It sets
#   torpor_skip    yes if nothing may run: with `noresume`, and in the kernel that saves the memory of a crashed one (kdump)
#   torpor_device  the name of the hibernation partition; empty if none is known. `torpor.device=` wins over the file
#   torpor_link    the path that udev makes when that partition appears; empty if udev knows no such name
torpor_settings() {
    torpor_skip=no
    torpor_device=
    if [ -r /etc/torpor/resume.conf ]; then
        while read -r torpor_line || [ -n "$torpor_line" ]; do
            case $torpor_line in device=?*) torpor_device=${torpor_line#device=} ;; esac
        done </etc/torpor/resume.conf
    fi
    torpor_line=
    read -r torpor_line </proc/cmdline || :
    torpor_read_parameters "$torpor_line"
    [ ! -e /proc/vmcore ] || torpor_skip=yes
    torpor_find_link
}

# Splits the command line as the kernel does (lib/cmdline.c, next_arg): at white space outside double quotes, which are not
# part of a value. Parameters after `--` are for init.
torpor_read_parameters() {
    torpor_rest="$1 "
    torpor_word=
    while [ -n "$torpor_rest" ]; do
        torpor_part=${torpor_rest%%[\"[:space:]]*}
        torpor_word=$torpor_word$torpor_part
        torpor_rest=${torpor_rest#"$torpor_part"}
        case $torpor_rest in
            \"*)
                torpor_rest=${torpor_rest#?}
                torpor_word=$torpor_word${torpor_rest%%\"*}
                # Without a second quote, the value takes the rest of the line.
                case $torpor_rest in *\"*) ;; *) torpor_rest='" ' torpor_word=${torpor_word% } ;; esac
                torpor_rest=${torpor_rest#*\"}
                ;;
            *)
                torpor_rest=${torpor_rest#?}
                case $torpor_word in
                    --) return ;;
                    noresume) torpor_skip=yes ;;
                    torpor.device=?*) torpor_device=${torpor_word#*=} ;;
                esac
                torpor_word=
                ;;
        esac
    done
}

# The UUID and the label of a hibernation partition are in its superblock, which udev does not know: no link will appear.
torpor_find_link() {
    torpor_link=
    case $torpor_device in
        PARTUUID=*) torpor_link=/dev/disk/by-partuuid/$(torpor_lowercase "${torpor_device#*=}") ;;
        PARTLABEL=*) torpor_link=/dev/disk/by-partlabel/$(torpor_link_name "${torpor_device#*=}") ;;
        /dev/disk/by-uuid/* | /dev/disk/by-label/*) ;;
        /dev/*) torpor_link=$torpor_device ;;
    esac
}

# Prints hexadecimal digits in lower case, as udev's links have them.
torpor_lowercase() {
    torpor_rest=$1
    torpor_word=
    while [ -n "$torpor_rest" ]; do
        torpor_part=${torpor_rest%"${torpor_rest#?}"}
        torpor_rest=${torpor_rest#?}
        case $torpor_part in A) torpor_part=a ;; B) torpor_part=b ;; C) torpor_part=c ;; esac
        case $torpor_part in D) torpor_part=d ;; E) torpor_part=e ;; F) torpor_part=f ;; esac
        torpor_word=$torpor_word$torpor_part
    done
    printf '%s\n' "$torpor_word"
}

# Prints a label as udev writes it in a link: `\x20` for a space, and so on (systemd, encode_devnode_name).
torpor_link_name() {
    torpor_rest=$1
    torpor_word=
    while [ -n "$torpor_rest" ]; do
        torpor_part=${torpor_rest%"${torpor_rest#?}"}
        torpor_rest=${torpor_rest#?}
        case $torpor_part in
            [\ \!\"\$%\&\'\(\)\*,/\;\<\>?\[\\\]^\`\{\|\}~]) torpor_part=$(printf '\\x%02x' "'$torpor_part") ;;
        esac
        torpor_word=$torpor_word$torpor_part
    done
    printf '%s\n' "$torpor_word"
}

# Starts torpor-resume after torpor_settings, and after the script has waited up to SECONDS for $torpor_link. If there is a
# session, it does not return. It always succeeds: the boot goes on.
#
# usage: torpor_resume SECONDS
torpor_resume() {
    [ "$torpor_skip" = no ] || return 0
    if [ -z "$torpor_device" ]; then
        # Without a name it looks at each disk that is there now.
        if torpor_has_disk; then /usr/bin/torpor-resume --wait 0 || :; fi
    elif [ -z "$torpor_link" ]; then
        /usr/bin/torpor-resume --device "$torpor_device" --wait "$1" || :
    elif [ -b "$torpor_link" ]; then
        /usr/bin/torpor-resume --device "$torpor_device" --wait 0 || :
    else
        torpor_line="torpor: $torpor_device: the hibernation partition did not appear within $1 seconds, so a saved session"
        torpor_line="$torpor_line was not looked for; attach its disk, or correct /etc/torpor.conf and build the initramfs again"
        # An error in the kernel log is on the console as well, even with `quiet`.
        printf '<3>%s\n' "$torpor_line" >/dev/kmsg || :
    fi
    return 0
}

# Whether there is a disk: other block devices (loop, ram, zram) stand for no hardware.
torpor_has_disk() {
    for torpor_part in /sys/block/*/device; do
        [ ! -e "$torpor_part" ] || return 0
    done
    return 1
}
