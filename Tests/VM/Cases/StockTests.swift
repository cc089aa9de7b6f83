// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines
import Testing

extension MachineTests {
    /// A Debian guest with systemd and PostgreSQL under load hibernates and resumes, on a kernel with Debian's own
    /// configuration. `make stock` runs these tests.
    @Suite(.serialized, .enabled(if: isStock, "make stock runs these tests")) struct StockTests {
        /// Through the ordinary boot entry: GRUB, an initramfs of initramfs-tools, all memory, KASLR.
        @Test(
            arguments: zip(
                [BootDisk.Loader.grubUEFI, .grubBIOS, .grubUEFI], [DebianGuest.Hibernator.own, .own, .small]))
        func resumesThroughTheOrdinaryStart(loader: BootDisk.Loader, hibernator: DebianGuest.Hibernator) throws {
            let resumed = try cycle(loader, hibernator, isDirect: false)
            resumed.expectConsole("starting kernel C, which resumes the session")
        }

        /// Through the entry for one boot; the start after it is an ordinary one.
        @Test(arguments: zip([BootDisk.Loader.grubBIOS, .grubUEFI], [DebianGuest.Hibernator.own, .small]))
        func resumesThroughTheDirectStart(loader: BootDisk.Loader, hibernator: DebianGuest.Hibernator) throws {
            let resumed = try cycle(loader, hibernator, isDirect: true)
            #expect(!resumed.console.contains("starting kernel C, which resumes the session"))
        }

        private func cycle(
            _ loader: BootDisk.Loader, _ hibernator: DebianGuest.Hibernator, isDirect: Bool
        ) throws -> Machine.Result {
            let start = isDirect ? "direct" : "ordinary"
            let lab = try Lab("stock-\(loader.rawValue)-\(hibernator.rawValue)-\(start)")
            let guest = try DebianGuest(loader, hibernator, isDirect: isDirect, in: lab)
            let saved = try lab.run(guest.machine("a"))
            #expect(saved.verdicts("FAILED") == [])
            #expect(saved.verdict.last == "trigger")
            saved.expectConsole("torpor: powering off")
            let resumed = try lab.run(guest.machine("c"))
            resumed.expectConsole("jumping into kernel A")
            #expect(resumed.verdict.contains("woke"))
            resumed.expectDone()
            try guest.checkFileSystems()
            let next = try lab.run(guest.machine("next"))
            #expect(next.verdict.suffix(2) == ["ordinary", "done"])
            return resumed
        }
    }
}

private let isStock = ProcessInfo.processInfo.environment["TORPOR_STOCK"] != nil
