// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import TorporCommand

@Suite struct BootEntryStepTests {
    private let system: SetupSystem

    init() throws { system = try SetupSystem() }

    private var fixture: CommandFixture { system.fixture }

    private func removeUpdateGRUB() throws {
        try fixture.boot.remove("/usr/sbin/update-grub")
    }

    /// GRUB's folder may be there without its programs. Then nothing would put the entry into the menu.
    @Test func installsNothingWithoutAProgramForTheMenu() throws {
        try removeUpdateGRUB()
        let result = fixture.run("setup", "/dev/sdb3")
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.output.contains("there is no grub-mkconfig, which puts it into the menu of grub"))
        #expect(!fixture.boot.files("").contains { $0.hasPrefix("etc/grub.d/42") })
        #expect(fixture.run("setup", "--direct-start", "/dev/sdb3").status == 1)
    }

    /// The program went after the setup: the files go all the same.
    @Test func removesTheEntryWithoutAProgramForTheMenu() throws {
        #expect(fixture.run("setup", "/dev/sdb3").status == 0)
        #expect(fixture.boot.files("").contains { $0.hasPrefix("etc/grub.d/42") })
        try removeUpdateGRUB()
        #expect(fixture.run("setup", "--remove").status == 0)
        #expect(!fixture.boot.files("").contains { $0.hasPrefix("etc/grub.d/42") })
    }
}
