// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines
import Testing

extension MachineTests {
    /// A Debian guest that has nothing of Torpor and no swap space: an administrator installs the packages, runs
    /// `torpor setup`, hibernates with systemctl, upgrades, hibernates again, and purges (Tests/VM/stock/package.sh).
    @Suite(.serialized, .enabled(if: isStock, "make stock runs these tests")) struct PackageTests {
        @Test(arguments: [BootDisk.Loader.grubBIOS, .grubUEFI])
        func oneCommandIsEnough(loader: BootDisk.Loader) throws {
            let lab = try Lab("packages-\(loader.rawValue)")
            let guest = try DebianGuest(loader, .packages, in: lab)
            let first = try lab.run(guest.machine("a"))
            expectSaved(first, 1)
            let second = try lab.run(guest.machine("b"))
            expectResumed(second, 1)
            expectSaved(second, 2)
            let third = try lab.run(guest.machine("c"))
            expectResumed(third, 2)
            third.expectDone()
            try guest.checkFileSystems()
            // With the initramfs that the purge has built.
            let next = try lab.run(guest.machine("next"))
            #expect(next.verdict.suffix(2) == ["ordinary", "done"])
        }

        private func expectSaved(_ result: Machine.Result, _ number: Int) {
            #expect(result.verdicts("FAILED") == [])
            #expect(result.verdict.contains("trigger \(number)"))
            #expect(!result.verdict.contains("woke \(number)"))
            result.expectConsole("torpor: powering off")
        }

        private func expectResumed(_ result: Machine.Result, _ number: Int) {
            result.expectConsole("starting kernel C, which resumes the session")
            result.expectConsole("jumping into kernel A")
            #expect(result.verdict.contains("woke \(number)"))
        }
    }
}

private let isStock = ProcessInfo.processInfo.environment["TORPOR_STOCK"] != nil
