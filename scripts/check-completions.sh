#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Completes words with the scripts of build/completion in bash, zsh and fish, as a user would with Tab. A shell that is not
# installed is named and left out.
#
# usage: check-completions.sh
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "check-completions.sh: $1" >&2
    exit 1
}

mkdir "$work/bin" "$work/files" "$work/zsh"
ln -s "$top/build/torpor" "$work/bin/torpor"
cp "$top/build/completion/torpor.zsh" "$work/zsh/_torpor"
touch "$work/files/vmlinuz-1" "$work/files/vmlinuz-2"
PATH=$work/bin:$PATH
export PATH
cd "$work/files"

# Each prints the candidates for the last word of a command line, one on each line.

# As readline does: it splits the line, calls the function of `complete`, and takes COMPREPLY.
cat >"$work/complete.bash" <<'BASH'
source "$1"
COMP_LINE=$2
COMP_POINT=${#COMP_LINE}
read -ra COMP_WORDS <<<"$COMP_LINE"
[[ $COMP_LINE != *' ' ]] || COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
COMPREPLY=()
function=$(complete -p torpor | sed 's/.* -F \([^ ]*\) .*/\1/')
"$function" torpor "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
for word in "${COMPREPLY[@]}"; do printf '%s\n' "${word% }"; done
BASH
complete_bash() { bash --norc "$work/complete.bash" "$top/build/completion/torpor.bash" "$1"; }

# A real zsh in a pseudo-terminal, whose builtin compadd also writes the candidates to a file.
cat >"$work/setup.zsh" <<'ZSH'
fpath=($ZSH_FOLDER $fpath)
autoload -Uz compinit
compinit -D -u
compadd() {
    # With these options a function only asks what would fit.
    if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then
        local -a found
        builtin compadd -A found "$@"
        print -rl -- "${found[@]}" >>$CANDIDATES
    fi
    builtin compadd "$@"
}
bindkey '^I' complete-word
# Input before the editor is ready would not reach it, and a key after the Tab tells when the completion is over.
zle-line-init() { print READY; }
zle -N zle-line-init
tell-end() { print DONE; }
zle -N tell-end
bindkey '^G' tell-end
ZSH
cat >"$work/complete.zsh" <<'ZSH'
zmodload zsh/zpty
zpty shell "zsh -f -i"
zpty -w shell "source $SETUP"
zpty -r shell answer '*READY*'
zpty -w -n shell "$1"$'\t\C-g'
zpty -r shell answer '*DONE*'
zpty -d shell
ZSH
complete_zsh() {
    : >"$work/candidates"
    # zsh shows nothing if there is no terminal's name.
    TERM=vt100 SETUP=$work/setup.zsh ZSH_FOLDER=$work/zsh CANDIDATES=$work/candidates \
        timeout 60 zsh -f "$work/complete.zsh" "$1" >"$work/terminal" 2>&1
    cat "$work/candidates"
}

# fish, in a pseudo-terminal of zsh. It lists the candidates itself, with a tab in front of a description. Without a terminal
# it does not tell the scripts where the cursor is.
cat >"$work/setup.fish" <<'FISH'
function fish_prompt; echo -n READY; end
function list; complete -C >$CANDIDATES; echo DONE; end
bind \cg list
FISH
cat >"$work/complete-fish.zsh" <<'ZSH'
zmodload zsh/zpty
zpty shell "fish --no-config -C 'source $SCRIPT; source $SETUP'"
zpty -r shell answer '*READY*'
zpty -w -n shell "$1"$'\C-g'
zpty -r shell answer '*DONE*'
zpty -d shell
ZSH
complete_fish() {
    : >"$work/candidates"
    HOME=$work TERM=vt100 SETUP=$work/setup.fish SCRIPT=$top/build/completion/torpor.fish CANDIDATES=$work/candidates \
        timeout 60 zsh -f "$work/complete-fish.zsh" "$1" >"$work/terminal" 2>&1
    cut -f 1 "$work/candidates"
}

# A line, and the candidates that must be among those for its last word. `!` is before one that must not be.
expect() {
    line=$1
    shift
    "complete_$shell" "$line" >"$work/answer" 2>"$work/errors"
    for word; do
        case $word in
            !*) ! grep -qxF -e "${word#!}" "$work/answer" || problem="it offers ${word#!}" ;;
            *) grep -qxF -e "$word" "$work/answer" || problem="it does not offer $word" ;;
        esac
        [ -z "${problem-}" ] || {
            cat "$work/answer" "$work/errors" >&2
            fail "$shell: $line: $problem"
        }
    done
}

# The first device that this machine has; there may be none.
device=$("$top/build/torpor" ---completion format -- positional@0 3 0 torpor format '' 2>/dev/null | head -n 1) || device=
commands=$(torpor --help | sed -n '/^SUBCOMMANDS:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p')
[ -n "$commands" ] || fail "torpor --help names no command"
checked=
for shell in bash zsh fish; do
    # fish needs zsh here, for its pseudo-terminal.
    needed=$shell
    [ $shell != fish ] || needed="fish zsh"
    missing=
    for program in $needed; do command -v "$program" >/dev/null || missing=$program; done
    [ -z "$missing" ] || {
        echo "check-completions.sh: $shell is not tried, because $missing is not installed" >&2
        continue
    }
    expect 'torpor hib' hibernate '!format'
    # shellcheck disable=SC2086 # The words are commands.
    expect 'torpor ' $commands
    expect 'torpor hibernate --af' --after '!--append'
    expect 'torpor hibernate --after ' poweroff reboot return
    expect 'torpor hibernate --after re' reboot return '!poweroff'
    expect 'torpor check --codec ' none lz4 zstd xz
    expect 'torpor boot-entry --boot-loader ' grub systemd-boot
    expect 'torpor hibernate --kernel vml' vmlinuz-1 vmlinuz-2
    if [ -n "$device" ]; then
        expect 'torpor format /dev/' "$device"
        expect 'torpor hibernate --device /dev/' "$device"
        expect 'torpor status /dev/' "$device"
    fi
    checked="$checked $shell"
done
[ -n "$checked" ] || fail "there is no shell to try"
echo "completions: checked in$checked${device:+, with the device $device}"
