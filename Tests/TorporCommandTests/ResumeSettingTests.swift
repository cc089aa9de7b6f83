// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Testing

@testable import TorporCommand

@Suite struct ResumeSettingTests {
    private let fixture: CommandFixture
    private var sleep: FakeSleep { fixture.sleep }

    init() throws {
        fixture = try CommandFixture()
        sleep.write(ResumeSetting.file, "0:0\n")
    }

    private func swaps(_ lines: String...) {
        sleep.write("/proc/swaps", "Filename Type Size Used Priority\n" + lines.map { "\($0)\n" }.joined())
    }

    private var isInTheWay: Bool { ResumeSetting(system: sleep.system).isInTheWay }

    @Test func onlySwapSpaceWithoutResumeOnBIOSIsInTheWay() {
        #expect(!isInTheWay)
        swaps()
        #expect(!isInTheWay)
        swaps("/dev/zram0 partition 8 0 100")
        #expect(!isInTheWay)
        swaps("/dev/zram0 partition 8 0 100", "/swapfile file 8 0 -2")
        #expect(isInTheWay)
        sleep.write(ResumeSetting.file, "8:3\n")
        #expect(!isInTheWay)
        sleep.write(ResumeSetting.file, "0:0\n")
        sleep.write("/sys/firmware/efi/fw_platform_size", "64\n")
        #expect(!isInTheWay)
    }

    @Test func thePartitionsNumberIsWritten() throws {
        // A machine without a device for the test has none to name.
        guard
            let name = try FileManager.default.contentsOfDirectory(atPath: "/sys/class/block").first(where: {
                FileManager.default.fileExists(atPath: "/dev/\($0)")
            })
        else { return }
        let number = try String(contentsOfFile: "/sys/class/block/\(name)/dev", encoding: .utf8).dropLast()
        try ResumeSetting(system: sleep.system).set(partition: "/dev/\(name)")
        #expect(sleep.events == ["\(number) > /sys/power/resume"])
    }

    @Test func aPathWithoutADeviceIsRefused() {
        #expect(throws: Failure.self) { try ResumeSetting(system: sleep.system).set(partition: "/dev/null") }
        #expect(sleep.events == [])
    }

    @Test func aSystemThatCannotHibernateIsNotAnnounced() {
        swaps("/dev/sda1 partition 8 0 -2")
        let outcome = fixture.run("sleep", "announce")
        #expect(outcome.status == 1)
        #expect(outcome.errors == "torpor: check: nothing is set up\n")
        swaps()
        #expect(fixture.run("sleep", "announce").status == 0)
        #expect(sleep.events == [])
    }
}
