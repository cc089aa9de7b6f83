#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The test of the packages in a Debian guest that has nothing of Torpor and no swap space: installs them, sets the system up with
# one command, hibernates it with systemctl, upgrades the packages and the kernel, hibernates it again, and purges them.
# Runs as a service. The test starts the machine anew after each hibernation.
set -u
# shellcheck source=Tests/VM/stock/guest-functions.sh
. /usr/local/lib/torpor-guest/guest-functions.sh
partition=/dev/disk/by-partuuid/00000000-0000-4000-9000-000100000002
hooks=/usr/lib/systemd/system-sleep
calls=/var/lib/sleep-calls
export DEBIAN_FRONTEND=noninteractive

can_hibernate() {
    busctl call org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager CanHibernate |
        sed -n 's/^s "\(.*\)"$/\1/p'
}

# What the packages and setup may change: names everywhere, and the contents of /etc.
# The kernel's package leaves something, and is not meant.
list_files() {
    find /boot /etc /usr /var/lib -xdev \( -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/lib/postgresql \
        -o -path /var/lib/systemd -o -path /var/lib/initramfs-tools \) -prune -o -printf '%y %m %p %l\n' | LC_ALL=C sort | grep -v -e linux-base -e linux-image -e ' /boot/a/'
    find /etc -xdev -type f ! -path /etc/ld.so.cache -exec sha256sum {} + | LC_ALL=C sort -k 2
}
nothing_left() {
    list_files | diff /tmp/before - && ! lsinitramfs "/boot/initrd.img-$release" | grep -vF "$release" | grep torpor
}

# Each line: a hook, its moment, the operation, and the action of the part.
expected_calls=()
# The hooks of all sleeps so far have run, and nothing else.
hooks_ran() {
    # The hooks of one moment run at the same time.
    printf '%s\n' "${expected_calls[@]}" | diff - <(awk '{
        if (NR % 2) { held = $0; next }
        if (held < $0) { print held; print } else { print; print held }
    }' "$calls")
}

# Hibernates with systemctl, and returns after the resume. systemctl returns before the hooks have run.
#   $1: how often the system has hibernated then
#   $2: hibernate or suspend-then-hibernate
hibernate() {
    local end action actions=(hibernate)
    [ "$2" = hibernate ] || actions=(suspend hibernate)
    for action in "${actions[@]}"; do
        expected_calls+=("first pre $2 $action" "second pre $2 $action" "first post $2 $action" "second post $2 $action")
    done
    begin_load
    say "trigger $1"
    expect "systemctl $2" systemctl "$2"
    end=$((SECONDS + 600))
    until [ "$(wc -l <"$calls")" -ge ${#expected_calls[@]} ]; do
        if [ $SECONDS -ge $end ] || systemctl is-failed --quiet "systemd-$2.service"; then
            { cat "$calls"; journalctl -b -o cat --no-pager -u "systemd-$2.service" | tail -n 20; } >/dev/ttyS0
            fail "systemd-$2.service failed, or the hooks for the way back did not run"
        fi
        sleep 1
    done
    # The boot loader of this start wrote to the port, too.
    say
    say "woke $1"
    expect "the hooks ran in order" hooks_ran
    end_load
    expect "the service has ended well" [ "$(systemctl show -P Result "systemd-$2.service")" = success ]
}

begin
release=$(uname -r)
# The boot loader starts the kernel of the package and the initramfs that update-initramfs makes.
ln -sf "../initrd.img-$release" /boot/a/initrd
for name in first second; do
    mkdir -p $hooks
    # shellcheck disable=SC2016 # The hook expands them.
    printf '#!/bin/sh\necho "%s $* $SYSTEMD_SLEEP_ACTION" >>%s\n' "$name" "$calls" >"$hooks/$name"
    chmod 755 "$hooks/$name"
done
: >"$calls"
# For the second hibernation: an alarm wakes the suspended machine.
mkdir -p /etc/systemd/sleep.conf.d
printf '[Sleep]\nHibernateDelaySec=15s\n' >/etc/systemd/sleep.conf.d/guest.conf
expect "no swap space" [ -z "$(swapon --show)" ]
expect "nothing of Torpor" [ -z "$(find /etc /usr/sbin /usr/lib/torpor -name '*torpor*' ! -name 'torpor-guest*' 2>/dev/null)" ]
before=$(can_hibernate)
expect "the system cannot hibernate: $before" [ "$before" != yes ]
systemctl cat systemd-hibernate.service >/tmp/unit
list_files >/tmp/before

expect install apt-get install -y --no-install-recommends /packages/torpor_*.deb /packages/torpor-kernel_*.deb
expect "nothing is active before setup" [ "$(can_hibernate)" = "$before" ]
expect setup torpor setup "$partition"
sed 's/^/guest: /' /tmp/messages >/dev/ttyS0
expect "logind offers hibernation" [ "$(can_hibernate)" = yes ]
expect check torpor check
expect "the initramfs resumes" sh -c "lsinitramfs /boot/initrd.img-$release | grep -x usr/bin/torpor-resume"
hibernate 1 hibernate

expect upgrade apt-get install -y --no-install-recommends /packages/newer/torpor_*.deb /packages/newer/torpor-kernel_*.deb
sed 's/^/guest: /' /tmp/messages >/dev/ttyS0
expect "the new version" grep -q '+1$' <(dpkg-query -W -f '${Version}\n' torpor)
expect "a kernel's hook" /etc/kernel/postinst.d/torpor "$release" "/boot/vmlinuz-$release"
expect "a new kernel" apt-get install -y --no-install-recommends /packages/kernel/*.deb
sed 's/^/guest: /' /tmp/messages >/dev/ttyS0
newer=$(cd /lib/modules && echo 6.1.*)
expect "the new kernel is another one: $newer" [ -e "/boot/vmlinuz-$newer" -a "$newer" != "$release" ]
expect "the new kernel's initramfs resumes" sh -c "lsinitramfs /boot/initrd.img-$newer | grep -x usr/bin/torpor-resume"
# The next start is that of the new kernel, as a boot loader chooses it.
ln -sf "../vmlinuz-$newer" /boot/a/vmlinuz
ln -sf "../initrd.img-$newer" /boot/a/initrd
expect "check after the upgrade" torpor check
expect "logind offers hibernation after the upgrade" [ "$(can_hibernate)" = yes ]
# The UEFI firmware of the test does not come back from a suspend.
[ -d /sys/firmware/efi ] || operation=suspend-then-hibernate
hibernate 2 "${operation-hibernate}"

expect "the new kernel goes" apt-get purge -y "linux-image-$newer"
ln -sf "../vmlinuz-$release" /boot/a/vmlinuz
ln -sf "../initrd.img-$release" /boot/a/initrd
expect purge apt-get purge -y torpor torpor-kernel
sed 's/^/guest: /' /tmp/messages >/dev/ttyS0
expect "nothing is left" nothing_left
expect "systemd's own unit" diff /tmp/unit <(systemctl cat systemd-hibernate.service)
expect "logind offers no hibernation" [ "$(can_hibernate)" = "$before" ]
expect "no unit has failed" [ -z "$(systemctl list-units --failed --plain --no-legend)" ]
say "done"
systemctl poweroff
