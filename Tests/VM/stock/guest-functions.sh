# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Functions of the scripts that run in a Debian guest. Words for the test go to the second serial port: ok, FAILED, and times.
say() { echo "$*" >/dev/ttyS1; }

# Ends the test after a failure.
fail() {
    say "FAILED $1"
    say "done"
    systemctl poweroff
    exit 1
}

# expect NAME COMMAND...: the command must succeed; its messages go to the console.
expect() {
    local name=$1
    shift
    if "$@" >/tmp/messages 2>&1; then say "ok $name"; else
        sed 's/^/guest: /' /tmp/messages >/dev/ttyS0
        fail "$name: $(tail -n 1 /tmp/messages)"
    fi
}

sql() { runuser -u postgres -- psql -qAt -d bench -c "$1"; }
count() { sql "select count(*) from pgbench_history"; }

# Waits until pgbench has ended so many more transactions. The timeout is only for a load that stands still.
wait_for_transactions() {
    local target=$(($(count) + $1)) end=$((SECONDS + 240))
    until [ "$(count)" -ge "$target" ]; do
        [ $SECONDS -lt $end ] || return 1
        sleep 1
    done
}

consistent() {
    [ "$(sql "select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history)
        and (select sum(tbalance) from pgbench_tellers) = (select sum(delta) from pgbench_history)
        and (select sum(bbalance) from pgbench_branches) = (select sum(delta) from pgbench_history)")" = t ]
}

cpus_work() {
    local cpu
    for cpu in $(seq 0 $(($(nproc) - 1))); do
        taskset -c "$cpu" true || return 1
    done
}

# Nothing in the journal that this boot did not have before.
journal_is_clean() {
    ! journalctl -b -o cat -p err --no-pager --since "$1" | grep -vi 'torpor-guest' | grep -iE 'torpor|ext4|i/o|nvme|ata[0-9]|postgres|bug|rcu'
}

# The first start of the guest is the test; a later one that did not resume says so, and ends.
begin() {
    # The firmware and the boot loader wrote to the port, too.
    say
    if [ -e /var/lib/torpor-guest ]; then
        say ordinary
        say "done"
        systemctl poweroff
        exit 0
    fi
    touch /var/lib/torpor-guest
    expect database runuser -u postgres -- createdb bench
    expect tables runuser -u postgres -- pgbench -q -i -s 2 bench
}

# Loads the database until end_load. Sets pid and since.
begin_load() {
    systemd-run --quiet --unit=pgbench-load --uid=postgres pgbench -n -c 2 -T 86400 bench
    expect load wait_for_transactions 20
    pid=$(systemctl show -P MainPID pgbench-load)
    since=$(date '+%F %T')
    sync
}

# Looks whether everything went on after a hibernation.
end_load() {
    expect "the load goes on" wait_for_transactions 20
    expect "the load's process is the same" [ "$pid" = "$(systemctl show -P MainPID pgbench-load)" ]
    systemctl stop pgbench-load
    expect "the database is consistent" consistent
    expect "the database's pages and indexes are sound" runuser -u postgres -- /usr/lib/postgresql/*/bin/pg_amcheck --install-missing bench
    expect "the journal has no new error" journal_is_clean "$since"
    expect "all CPUs work" cpus_work
}
