#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks the units and drop-ins of dist/systemd with systemd-analyze(1), together with the units of the installed systemd that
# they change. Without systemd it checks only what needs none.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "check-systemd.sh: $1" >&2
    exit 1
}

# Without the empty line, a second command would be added to systemd's own.
for operation in hibernate suspend-then-hibernate hybrid-sleep; do
    file=$top/dist/systemd/system/systemd-$operation.service.d/50-torpor.conf
    commands=$(grep '^ExecStart=' "$file" | tr '\n' ' ')
    [ "$commands" = "ExecStart= ExecStart=/usr/sbin/torpor sleep $operation " ] || fail "$file runs: $commands"
done
grep -qx 'AllowHybridSleep=no' "$top/dist/systemd/sleep.conf.d/50-torpor.conf" || fail "hybrid-sleep is allowed"

command -v systemd-analyze >/dev/null || {
    echo "check-systemd.sh: without systemd-analyze, the units are not verified" >&2
    exit 0
}

# Verifies the units in $work/system, each with its drop-ins.
verify() {
    (
        cd "$work/system"
        set -- *.service
        for folder in *.service.d; do set -- "$@" "${folder%.d}"; done
        # The colon at the end adds the folders of the system.
        SYSTEMD_UNIT_PATH="$work/system:" systemd-analyze --man=no verify "$@" 2>&1 || echo "exit status $?"
    ) | grep -e torpor -e "$work" -e '^exit status' || :
}

cp -R "$top/dist/systemd/system" "$work/system"
# A program that is there, in the place of the one that is not installed.
printf '#!/bin/sh\n' >"$work/torpor"
chmod 755 "$work/torpor"
find "$work/system" -type f -exec sed -i "s|/usr/sbin/torpor|$work/torpor|" {} +
problems=$(verify)
[ -z "$problems" ] || fail "systemd-analyze verify: $problems"

# The check itself: a mistake in a drop-in and one in the unit are found.
sed -i 's/^Environment=/Enviroment=/' "$work/system/systemd-logind.service.d/50-torpor.conf"
verify | grep -q 'Enviroment' || fail "an unknown name in a drop-in is not found"
sed -i 's|^ExecStart=.*|ExecStart=/nowhere/torpor|' "$work/system/torpor-check.service"
verify | grep -q '/nowhere/torpor' || fail "a program that does not exist is not found"
