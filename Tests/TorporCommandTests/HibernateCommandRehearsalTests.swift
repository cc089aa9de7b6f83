// SPDX-License-Identifier: Apache-2.0
import Basics
import Hibernation
import MemoryImage
import Testing

@testable import TorporCommand

/// `torpor hibernate --rehearse`
@Suite struct HibernateCommandRehearsalTests {
    private let fixture: CommandFixture

    init() throws {
        fixture = try CommandFixture()
        try fixture.devices.addPartition("sdb3")
        // Contents that a hibernation would erase.
        try fixture.devices.writeImage("sdb3", .consumed)
    }

    private func report(_ outcome: Report.Outcome, _ text: String = "", startMilliseconds: UInt64 = 1100) {
        var report = Report()
        report.outcome = outcome
        report.text = text
        report.device = fixture.devices.path("sdb3")
        report.counts.dataPages = 1 << 18
        report.counts.storedBytes = 600 << 20
        report.counts.milliseconds = 2000
        report.startMilliseconds = startMilliseconds
        report.preparationMilliseconds = 900
        fixture.hibernation.onRun = { [report] (_, _) in report }
    }

    private func estimate(_ rates: DiskRates?) {
        fixture.hibernation.onEstimate = { (findings, isDiskRequired) throws(Failure) in
            #expect(!isDiskRequired)
            if rates == nil { findings.warn("the speed of the disk is unknown") }
            return Estimate(
                codec: .lz4, usedBytes: 3 << 30, zeroBytes: 1 << 30, freeBytes: 5 << 30, imageBytes: 500 << 20,
                capacityBytes: 8 << 30, transferBytes: 499 << 20, packMilliseconds: 1000, unpackMilliseconds: 800,
                workers: 1 << 20,
                rates: rates)
        }
    }

    @Test func saysWhatAHibernationWouldTake() throws {
        estimate(DiskRates(write: 100 << 20, read: 1 << 30))
        report(.rehearsed)
        let before = try fixture.devices.bytes("sdb3")
        let result = fixture.run("hibernate", "--rehearse")
        let sentence =
            "rehearsed: kernel B started, found its disk, and would save 1.0 GiB of data in 600.0 MiB on disk; "
            + "hibernating would take about 8.0 s (2.0 s of it until kernel B saves), resuming about 1.6 s and the "
            + "start of kernel C"
        #expect(result.status == 0 && result.errors == "" && result.output == sentence + "\n", "\(result.output)")
        #expect(fixture.hibernation.plan?.isRehearsal == true)
        #expect(try fixture.devices.bytes("sdb3") == before, "a rehearsal erases nothing")
        #expect(fixture.kernelLog == [sentence])
        let kept = try #require(fixture.reports.kept())
        #expect(kept.outcome == .rehearsed && kept.overheadMilliseconds == 2000)
        #expect(fixture.run("status").output.contains("last hibernation: rehearsed: kernel B started"))
        let json = try fixture.run("hibernate", "--rehearse", "--json").json
        #expect(json["outcome"] as? String == "rehearsed" && json["overheadMilliseconds"] as? Int == 2000)
        let estimate = try #require(json["estimate"] as? [String: Any])
        #expect(estimate["imageBytes"] as? Int == 600 << 20 && estimate["overheadMilliseconds"] as? Int == 2000)
    }

    /// The estimate of a disk that cannot be measured says what it lacks.
    @Test func goesWithoutTheDisk() {
        estimate(nil)
        report(.rehearsed)
        let result = fixture.run("hibernate", "--rehearse")
        #expect(result.status == 0 && result.errors == "torpor: warning: the speed of the disk is unknown\n")
        #expect(result.output.hasSuffix("and the start of kernel C, both without the time of the disk\n"))
    }

    @Test func saysWhatWentWrong() throws {
        estimate(nil)
        report(.failed, "find LABEL=nap: there is no such device", startMilliseconds: 0)
        let before = try fixture.devices.bytes("sdb3")
        let result = fixture.run("hibernate", "--rehearse")
        #expect(result.status == 1)
        #expect(result.errors.hasSuffix("torpor: hibernate: find LABEL=nap: there is no such device\n"))
        #expect(try fixture.devices.bytes("sdb3") == before)
        fixture.hibernation.onEstimate = { (_, _) throws(Failure) in throw Failure("open", "/proc/kcore", "it is gone")
        }
        #expect(fixture.run("hibernate", "--rehearse").errors == "torpor: open /proc/kcore: it is gone\n")
    }

    /// A resume does not tell the time before the save, and the rehearsal's stays known.
    @Test func keepsTheTimeOfARehearsal() {
        estimate(nil)
        report(.rehearsed)
        #expect(fixture.run("hibernate", "--rehearse").status == 0)
        report(.resumed, startMilliseconds: 0)
        #expect(fixture.run("hibernate").status == 0 && fixture.hibernation.plan?.isRehearsal == false)
        #expect(fixture.reports.kept()?.outcome == .resumed && fixture.reports.kept()?.overheadMilliseconds == 2000)
        #expect(fixture.reports.kept()?.estimate == nil)
        // A snapshot tells a new one.
        report(.snapshot, startMilliseconds: 100)
        #expect(fixture.run("hibernate", "--after", "return").status == 0)
        #expect(fixture.reports.kept()?.overheadMilliseconds == 1000)
    }

    @Test(arguments: [["--after", "return"], ["--after", "reboot"], ["--direct-start"]])
    func refusesWhatHasNoMeaning(options: [String]) {
        #expect(fixture.run(["hibernate", "--rehearse"] + options).status == 2)
        #expect(fixture.hibernation.plan == nil)
    }
}
