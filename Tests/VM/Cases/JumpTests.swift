// SPDX-License-Identifier: Apache-2.0
import Machines
import Testing

extension MachineTests {
    /// Obstacles to a jump, and watchdogs during it.
    @Suite(.serialized) struct JumpTests {
        /// The second of two hibernations at the same time is refused, and the first succeeds. A kernel that another program
        /// has loaded is a refusal as well.
        @Test func hibernatesOnceAtATime() throws {
            let lab = try Lab("once")
            var a = try lab.kernelA(
                "a", disks: [try lab.formattedDisk(), try lab.disk("other", 16 << 20)],
                """
                start_session
                mkfifo /tmp/loaded
                cat >/tmp/stop-when-loaded <<'END'
                until read -r loaded </sys/kernel/kexec_loaded && [ "$loaded" = 1 ]; do sleep 0.01; done
                kill -STOP $1
                echo stopped >/tmp/loaded
                END
                torpor hibernate $torpor_b --after return >/tmp/first 2>&1 &
                first=$!
                sh /tmp/stop-when-loaded $first &
                read -r stopped </tmp/loaded
                refuses second "another torpor hibernate" hibernate
                expect "kernel B is still loaded" grep -q 1 /sys/kernel/kexec_loaded
                kill -CONT $first
                wait $first && say "ok first" || fail "first: $(cat /tmp/first)"
                expect_session /dev/vdb
                # A killed hibernation leaves its kernel loaded, like another program.
                torpor hibernate $torpor_b --after return >/tmp/first 2>&1 &
                first=$!
                sh /tmp/stop-when-loaded $first &
                read -r stopped </tmp/loaded
                kill -KILL $first
                wait $first
                refuses loaded "kexec -u" hibernate
                refuses "check says so too" "kexec -u" torpor check $torpor_b
                """)
            a.memory = "512M"
            try lab.run(a).expectDone()
        }

        /// The kernel cannot freeze a process that waits for a device: the refusal names it, and the session continues.
        @Test(.completeRunOnly) func namesTheProcessThatDoesNotFreeze() throws {
            let lab = try Lab("freeze")
            var a = try lab.kernelA(
                "a", disks: [try lab.formattedDisk(), try lab.disk("other", 16 << 20)],
                files: try Guest.program("/sbin/dmsetup"),
                """
                start_session
                # The kernel's timeout, which torpor uses as well.
                echo 3000 >/sys/power/pm_freeze_timeout
                dmsetup create stuck --noudevsync --table '0 2048 linear /dev/vdb 0' || fail dmsetup
                dmsetup suspend --noudevsync --noflush stuck
                dd if=/dev/dm-0 of=/dev/null bs=4096 count=1 iflag=direct 2>/dev/null &
                stuck=$!
                sleep 1
                refuses frozen "dd" hibernate --allow-unwatched
                expect "it names the process" sh -c "torpor hibernate $torpor_b --allow-unwatched 2>&1 | grep -q $stuck"
                dmsetup resume --noudevsync stuck
                wait $stuck
                dmsetup remove --noudevsync stuck
                expect "it works afterwards" hibernate --after return
                counts_on $count || fail "the session did not continue"
                """)
            a.memory = "512M"
            try lab.run(a).expectDone()
        }

        /// Kernel B feeds a watchdog that kernel A armed, even while its disk hangs. The watchdog keeps running in kernel A.
        @Test(.completeRunOnly) func feedsTheWatchdogOfKernelA() throws {
            let lab = try Lab("armed-watchdog")
            var a = try lab.kernelA(
                "a", disks: [try lab.formattedDisk()],
                """
                watchdog -t 2 -T 12 /dev/watchdog0
                sleep 1
                # It prints the reason at once, then erases the incomplete image, which takes long on this disk.
                torpor hibernate $torpor_b --append 'torpor.patience=2 torpor.wait=2 torpor.debug' >/tmp/answer 2>&1 &
                until grep -q "^torpor: hibernate: saving: no progress for 4 s" /tmp/answer || ! kill -0 $!; do sleep 0.2; done
                expect "it prints the reason" grep -q "saving: no progress for 4 s" /tmp/answer
                expect "it is armed" grep -qx active /sys/class/watchdog/watchdog0/state
                say "came back"
                # Without its program, the watchdog restarts the machine: after kernel A's timeout, not after kernel B's minute.
                killall -KILL watchdog
                sleep 40
                fail "the watchdog has stopped"
                """)
            a.memory = "512M"
            a.devices = ["i6300esb"]
            // A chunk takes longer than the watchdog's timeout.
            a.disks[0].bytesPerSecond = 80_000
            let result = try lab.run(a)
            #expect(result.verdicts("FAILED") == [])
            #expect(result.verdict.last == "came back")
            #expect(result.console.contains(/torpor: feeding the watchdog \/dev\/watchdog0/))
        }
    }
}
