// SPDX-License-Identifier: Apache-2.0
import Basics
import Hibernation
import Testing

@testable import TorporCommand

@Suite struct EraseProgressTests {
    /// One line every three seconds, and none for the last byte or with `--json`.
    @Test func printsALineEveryThreeSeconds() throws {
        let fixture = try CommandFixture()
        try fixture.devices.addPartition("sdb3")
        try fixture.devices.writeImage("sdb3", .consumed)
        fixture.hibernation.onRun = { (_, _) throws(Failure) in
            var report = Report()
            report.outcome = .resumed
            report.device = "/dev/sdb3"
            return report
        }
        fixture.hibernation.onErase = { progress in
            for done in 1...4 { progress(UInt64(done) << 28, 1 << 30) }
            return .zeros
        }
        fixture.milliseconds = [0, 2999, 3000, 5999, 9000]
        let text = fixture.run("hibernate")
        #expect(text.errors == "erasing: 50 % of 1.0 GiB\n" && text.status == 0)
        #expect(text.output.hasSuffix("/dev/sdb3: contents erased: overwritten with zeros\n"))
        fixture.milliseconds = [0, 3000, 6000, 9000, 12000]
        #expect(
            fixture.run("hibernate", "--bytes").errors == """
                erasing: 25 % of 1073741824
                erasing: 50 % of 1073741824
                erasing: 75 % of 1073741824

                """)
        fixture.milliseconds = [0, 3000, 6000, 9000, 12000]
        let json = fixture.run("hibernate", "--json")
        #expect(json.errors == "" && json.status == 0)
        #expect(try json.json["erased"] as? String == "zeros")
    }
}
