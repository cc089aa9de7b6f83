// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Hibernation
import Testing

@testable import TorporCommand

/// The selection of the boot entry, as `torpor hibernate --direct-start` makes it.
@Suite struct DirectStartTests {
    private let fixture: CommandFixture
    private var boot: FakeBoot { fixture.boot }
    private let plan = Hibernate(
        device: nil, kernelPath: "/boot/vmlinuz-6.12.107", initrdPath: "/usr/lib/torpor/rootfs.gz")
    private static let parametersForC = ["torpor.device=UUID=1", "mem=128M"]

    init() throws {
        fixture = try CommandFixture()
        fixture.hibernation.onCheck = { (_, _) in ("/dev/sdb3", Self.parametersForC) }
    }

    private func directStart() throws -> DirectStart { try DirectStart(boot.system, plan) }

    private func refusal(_ work: () throws -> Void) -> String? {
        #expect(throws: Failure.self) { try work() }?.description.replacing(boot.folder.path, with: "")
    }

    private func installForGRUB(variables: String = "") throws {
        try boot.addGRUB(variables: variables)
        #expect(fixture.run("boot-entry", "--install").status == 0)
        try boot.updateGRUB()
    }

    private func installForSystemdBoot() throws {
        try boot.addSystemdBoot()
        #expect(fixture.run("boot-entry", "--install").status == 0)
    }

    private var environment: String? { boot.text("/boot/grub/grubenv") }

    @Test func selectsTheEntryInGRUB() throws {
        try installForGRUB(variables: "next_entry=windows\n")
        let directStart = try directStart()
        #expect(environment == FakeBoot.environment("next_entry=windows\n"), "so far, nothing changes")
        try directStart.select(Self.parametersForC)
        #expect(environment == FakeBoot.environment("next_entry=torpor\n"))
        // After each load of kernel B.
        try directStart.select(Self.parametersForC)
        // Kernel B jumped back.
        try directStart.takeBack()
        #expect(environment == FakeBoot.environment("next_entry=windows\n"))
    }

    @Test func leavesAloneWhatGRUBHasCleared() throws {
        try installForGRUB()
        let directStart = try directStart()
        try directStart.select(Self.parametersForC)
        let cleared = FakeBoot.environment("next_entry=\nlast=1\n")
        try boot.write("/boot/grub/grubenv", cleared)
        try directStart.takeBack()
        #expect(environment == cleared)
    }

    @Test func selectsTheEntryInSystemdBoot() throws {
        try installForSystemdBoot()
        let variable = boot.variable("LoaderEntryOneShot")
        let directStart = try directStart()
        #expect(boot.data(variable) == nil)
        try directStart.select(Self.parametersForC)
        #expect(EFIVariables(system: boot.system).text("LoaderEntryOneShot") == "torpor.conf")
        try directStart.takeBack()
        #expect(boot.data(variable) == nil)
        try directStart.select(Self.parametersForC)
        // systemd-boot has removed the variable.
        try boot.write(variable, Data())
        try directStart.takeBack()
        #expect(boot.data(variable) == nil)
    }

    @Test func comparesTheFilesThatTheEntryStarts() throws {
        try installForGRUB()
        for (installed, loaded) in [
            ("/boot/torpor/vmlinuz", "/boot/vmlinuz-6.12.107"), ("/boot/torpor/rootfs.gz", "/usr/lib/torpor/rootfs.gz"),
        ] {
            let content = try #require(boot.data(loaded))
            // Another byte, another size, no file.
            for other in [Data(content.dropLast()) + [0], content + [0], nil] {
                if let other { try boot.write(installed, other) } else { try boot.remove(installed) }
                #expect(
                    refusal { _ = try directStart() }
                        == "select the boot entry torpor: \(installed) is not the same as \(loaded); run torpor boot-entry "
                        + "--install")
            }
            try boot.write(installed, content)
        }
        // The second piece differs.
        var large = Data(count: 1 << 20 + 1)
        try boot.write("/boot/torpor/vmlinuz", large)
        large[1 << 20] = 1
        try boot.write("/boot/vmlinuz-6.12.107", large)
        #expect(throws: Failure.self) { try directStart() }
        try boot.write("/boot/torpor/vmlinuz", large)
        _ = try directStart()
        #expect(environment == FakeBoot.environment(""))
    }

    @Test func comparesTheParametersOfTheEntry() throws {
        try installForGRUB()
        let grub = try directStart()
        let reason = "kernel C now needs these parameters, and the entry has others: torpor.device=UUID=1 mem=192M"
        #expect(
            refusal { try grub.select(["torpor.device=UUID=1", "mem=192M"]) }
                == "select the boot entry torpor: \(reason); run torpor boot-entry --install, and then update-grub")
        #expect(environment == FakeBoot.environment(""))
        try installForSystemdBoot()
        let systemdBoot = try directStart()
        #expect(
            refusal { try systemdBoot.select(["torpor.device=UUID=1", "mem=192M"]) }
                == "select the boot entry torpor.conf: \(reason); run torpor boot-entry --install")
        #expect(boot.data(boot.variable("LoaderEntryOneShot")) == nil)
    }

    @Test func needsAnEntryThatTheBootLoaderKnows() throws {
        try boot.addGRUB()
        #expect(fixture.run("boot-entry", "--install").status == 0)
        #expect(
            refusal { _ = try directStart() }
                == "select the boot entry torpor: /boot/grub/grub.cfg does not have it; run torpor boot-entry "
                + "--install, and then "
                + "update-grub")
        try boot.remove("/boot/grub")
        #expect(
            refusal { _ = try directStart() }
                == "find the boot loader: this machine was started with neither GRUB nor systemd-boot; hibernate without "
                + "--direct-start")
    }
}
