// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines
import MemoryImage
import Testing

extension MachineTests {
    /// A person at a console sees the progress, and stops a save or a resume with a key.
    @Suite(.serialized) struct ConsoleKeyTests {
        /// A disk so slow that there is time to press a key.
        private static let slow = 6 << 20

        /// Commands of kernel A for a hibernation that a person gives up.
        private static func givenUp(_ key: String) -> String {
            """
            refuses "given up" "a person gave up the save with \(key)" hibernate
            torpor status --json >/tmp/status
            expect "it is on the partition" grep -q '"reason" : "a person gave up the save with \(key)' /tmp/status
            expect "the session goes on" md5sum -c /tmp/sum
            """
        }

        @Test func controlCGivesUpASave() throws {
            let lab = try Lab("key-save")
            var a = try lab.sessionMachine(before: Self.givenUp("Ctrl-C on /dev/ttyS0"))
            a.disks[0].bytesPerSecond = Self.slow
            a.answers = [("torpor: saving: ", "\u{3}")]
            let saved = try lab.run(a)
            #expect(saved.verdicts("FAILED") == [])
            #expect(saved.verdict.contains("ok given up"))
            saved.expectConsole("left; Ctrl-C: give up\n")
            saved.expectConsole("torpor: jumping back into kernel A; the session goes on")
            // The next hibernation is as any other.
            saved.expectConsole("torpor: powering off; switch the machine on to continue the session")
            var c = lab.kernelC("c", like: a)
            c.answers = []
            let resumed = try lab.run(c)
            resumed.expectSession()
            resumed.expectConsole("torpor: restored and verified ")
        }

        /// Lines on the serial console are rare, and each appears once.
        @Test(.completeRunOnly) func aSerialConsoleShowsEachLineOnce() throws {
            let lab = try Lab("key-lines")
            var a = try lab.sessionMachine()
            a.disks[0].bytesPerSecond = Self.slow
            let saved = try lab.run(a)
            let lines = saved.console.split(separator: "\n").filter { $0.contains("torpor: saving: ") }
            #expect((1...6).contains(lines.count), "\(lines)")
            #expect(Set(lines).count == lines.count)
            #expect(!saved.console.contains("\u{1b}["), "a bar is for screens")
        }

        @Test(.completeRunOnly) func aStoppedResumeAsksAndCountsNothing() throws {
            let lab = try Lab("key-resume")
            let a = try lab.savedMachine()
            var c = lab.kernelC("power-off", like: a, refused: nil)
            c.disks[0].readBytesPerSecond = Self.slow
            c.answers = [("torpor: restoring: ", "\u{3}"), ("torpor: without an answer", "p")]
            let off = try lab.run(c)
            off.expectConsole("torpor: a person stopped the resume with Ctrl-C on /dev/ttyS0")
            off.expectNoSession("torpor: powering off; the session is kept")
            #expect(try lab.superblock(a).state == .ready)
            #expect(try lab.superblock(a).refusals == 0)
            c.name = "go-on"
            c.answers = [("torpor: restoring: ", "\u{1b}"), ("torpor: without an answer", "r")]
            let resumed = try lab.run(c)
            resumed.expectConsole("a person stopped the resume with Esc on /dev/ttyS0")
            resumed.expectConsole("torpor: resuming the session")
            resumed.expectSession()
            #expect(try lab.superblock(a).state == .consumed)
        }

        /// Noise on a serial line, or a mistake: the session comes back without a person.
        @Test(.completeRunOnly) func aStoppedResumeGoesOnWithoutAnAnswer() throws {
            let lab = try Lab("key-alone")
            let a = try lab.savedMachine()
            var c = lab.kernelC("c", like: a, "torpor.ask=2")
            c.disks[0].readBytesPerSecond = Self.slow
            c.answers = [("torpor: restoring: ", "\u{1b}")]
            let resumed = try lab.run(c)
            resumed.expectConsole("without an answer within 2 s, the resume begins again")
            resumed.expectSession()
        }

        /// A screen and a serial console, and a keyboard. The screen of the guest has 80 columns and 25 rows of text.
        @Test(.enabled(if: Products.hasSmallKernel)) func aScreenShowsABarAndTakesEsc() throws {
            let lab = try Lab("key-screen")
            let screens = ["saving", "back", "restoring", "asking"].map { lab.folder.appending(path: "\($0).screen") }
            func dump(_ number: Int) -> String { "pmemsave 0xb8000 0x8000 \"\(screens[number].path)\"" }
            var a = try lab.kernelA(
                "a", disks: [try lab.formattedDisk()],
                files: ["boot/vmlinuz-torpor": Products.smallKernel, "boot/small.gz": Products.rootfs],
                """
                torpor_b="--kernel /boot/vmlinuz-torpor --initrd /boot/small.gz"
                dd if=/dev/urandom of=/tmp/data bs=1M count=16 2>/dev/null
                md5sum /tmp/data >/tmp/sum
                \(Self.givenUp("Esc on /dev/tty0"))
                # The kernel writes its messages to the last console on its command line first: here to the screen.
                refuses "no report" "neither kernel B nor kernel C left a report" \
                    hibernate --append 'console=tty0 torpor.fault=report:hang torpor.wait=1 torpor.patience=3'
                expect hibernate hibernate
                say running
                expect "the data are unchanged" md5sum -c /tmp/sum
                """)
            a.memory = "512M"
            a.devices = ["VGA"]
            a.commandLine = "console=tty0 console=ttyS0"
            a.disks[0].bytesPerSecond = Self.slow
            a.monitorAnswers = [
                // An arrow is no Esc, although it sends one.
                ("torpor: saving: ", ["sendkey up", dump(0), "sendkey esc"]),
                ("verdict: ok the session goes on", []), ("torpor: saving: ", ["sendkey esc"]),
                // Kernel B has its last words on the screen while the report hangs.
                ("torpor: the memory was not saved", [dump(1)]),
            ]
            let saved = try lab.run(a)
            #expect(saved.verdicts("FAILED") == [])
            saved.expectConsole("torpor: powering off")
            try expectRow(screens[0], "saving [", "Esc: give up")
            try expectRow(screens[0], "torpor: saving ", " to /dev/vda1 with lz4")
            #expect(try rows(screens[1]).contains { $0.contains("torpor: the memory was not saved: a person gave up") })
            #expect(try !rows(screens[1]).contains { $0.hasPrefix("saving [") }, "the bar is still there")

            var c = lab.kernelC("c", like: a, "console=tty0 console=ttyS0")
            c.kernel = Products.smallKernel
            c.initrd = Products.rootfs
            c.disks[0].readBytesPerSecond = Self.slow
            c.monitorAnswers = [
                ("torpor: restoring: ", [dump(2), "sendkey esc"]),
                ("torpor: without an answer", [dump(3), "sendkey r"]),
            ]
            let resumed = try lab.run(c)
            resumed.expectSession()
            try expectRow(screens[2], "restoring [", "Esc: stop")
            try expectRow(screens[3], "torpor: press r to resume it now", "")
            #expect(try !rows(screens[3]).contains { $0.hasPrefix("restoring [") }, "the bar is still there")
        }

        /// Expects a row of a screen that begins and ends with texts.
        private func expectRow(_ screen: URL, _ prefix: String, _ suffix: String) throws {
            let rows = try rows(screen)
            #expect(rows.contains { $0.hasPrefix(prefix) && $0.hasSuffix(suffix) }, "\(screen.path): \(rows)")
        }

        /// The rows of a VGA text buffer, without spaces at their ends: each character has a byte, and a byte of attributes.
        private func rows(_ screen: URL) throws -> [String] {
            let characters = try Data(contentsOf: screen).enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
            return stride(from: 0, to: characters.count - 79, by: 80).map { start in
                let row = String(decoding: characters[start..<start + 80].map { $0 < 0x20 ? 0x20 : $0 }, as: UTF8.self)
                return String(row.reversed().drop { $0 == " " }.reversed())
            }
        }
    }
}
