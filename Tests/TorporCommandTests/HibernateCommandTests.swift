// SPDX-License-Identifier: Apache-2.0
import Basics
import Hibernation
import MemoryImage
import Testing

@testable import TorporCommand

/// Every outcome of a hibernation: what is printed, kept and erased.
@Suite struct HibernateCommandTests {
    private let fixture: CommandFixture

    init() throws {
        fixture = try CommandFixture()
        try fixture.devices.addPartition("sdb3")
        try fixture.devices.writeImage("sdb3", .consumed)
    }

    private var hibernation: FakeHibernation { fixture.hibernation }

    /// Makes the hibernation end with a report.
    private func report(_ outcome: Report.Outcome, _ text: String = "", state: Superblock.State = .consumed) throws {
        var report = Report()
        report.outcome = outcome
        report.text = text
        report.device = fixture.devices.path("sdb3")
        if outcome == .snapshot || outcome == .resumed {
            report.counts = try fixture.devices.superblock("sdb3").counts
        }
        if outcome == .resumed { report.restoreMilliseconds = 900 }
        try fixture.devices.change("sdb3") { $0.state = state }
        hibernation.onRun = { [report] (findings, log) throws(Failure) in
            findings.warn("the kernel has no /dev/snapshot", remedy: "use another kernel")
            findings.note("a note")
            log("loaded kernel B, which saves the memory to /dev/sdb3")
            return report
        }
    }

    private static let warnings = """
        torpor: warning: the kernel has no /dev/snapshot; use another kernel
        torpor: note: a note

        """
    private static let resumed = "resumed: 8.0 KiB of data, 1.0 MiB on disk, saved in 1.7 s, restored in 0.9 s"

    // MARK: Outcomes

    @Test func saysThatTheSessionResumedAndErasesItsImage() throws {
        try report(.resumed)
        let result = fixture.run("hibernate")
        #expect(result.status == 0 && result.errors == Self.warnings)
        let lines = result.output.split(separator: "\n").map(String.init)
        #expect(
            lines.count == 3 && lines[0] == "loaded kernel B, which saves the memory to /dev/sdb3"
                && lines[1] == Self.resumed)
        #expect(lines[2].hasPrefix("/dev/sdb3: contents erased: "))
        #expect(try fixture.devices.superblock("sdb3").isUnused)
        #expect(fixture.kernelLog == [Self.resumed])
        let kept = try #require(fixture.reports.kept())
        #expect(kept.outcome == .resumed && kept.erased != nil && kept.copies == [])
        #expect(kept.time == "2026-01-01T12:00:00Z" && kept.warnings?.count == 1)
    }

    @Test func printsSizesInBytes() throws {
        try report(.resumed)
        let output = fixture.run("hibernate", "--bytes").output
        #expect(output.contains("resumed: 8192 of data, 1073152 on disk, "), "\(output)")
    }

    /// A snapshot stays where it is.
    @Test func saysThatItTookASnapshot() throws {
        try report(.snapshot, state: .snapshot)
        let result = fixture.run("hibernate", "--after", "return")
        #expect(result.status == 0 && result.errors == Self.warnings)
        #expect(
            result.output
                == "loaded kernel B, which saves the memory to /dev/sdb3\n"
                + "snapshot: 8.0 KiB of data, 1.0 MiB on disk, saved in 1.7 s\n")
        #expect(try fixture.devices.superblock("sdb3").state == .snapshot)
        #expect(fixture.reports.kept()?.copies == nil, "nobody looks for copies of a snapshot")
    }

    private static let failures: [(Report.Outcome, String, String, String)] = [
        (
            .failed, "write to /dev/sdb3: No space left on device", "write to /dev/sdb3: No space left on device",
            "failed"
        ),
        (.failed, "", "kernel B gave no reason", "failed"),
        (
            .none, "", "neither kernel B nor kernel C left a report; look at the console, and run: torpor status",
            "none"
        ),
    ]

    @Test(arguments: failures)
    func saysWhyItFailed(outcome: Report.Outcome, text: String, message: String, name: String) throws {
        try report(outcome, text, state: .failed)
        let human = fixture.run("hibernate")
        #expect(human.status == 1)
        #expect(human.errors == Self.warnings + "torpor: hibernate: \(message)\n")
        #expect(human.output.contains("contents erased"), "contents of an image that failed are erased")
        #expect(fixture.kernelLog.count == 1 && fixture.kernelLog[0].hasPrefix("hibernation failed: "))
        try fixture.devices.writeImage("sdb3", .failed)
        let json = fixture.run("hibernate", "--json")
        #expect(json.status == 1 && json.errors == "torpor: hibernate: \(message)\n")
        let answer = try json.json
        #expect(answer["outcome"] as? String == name && answer["reason"] as? String == (text.isEmpty ? nil : text))
        #expect(["discard", "zeros"].contains(answer["erased"] as? String))
    }

    @Test func saysWhyItFailedBeforeTheJump() throws {
        hibernation.onRun = { (findings, _) throws(Failure) in
            findings.warn("the kernel has no /dev/snapshot", remedy: "use another kernel")
            throw Failure("hibernate", "", "the kernel is locked down", remedy: "boot without lockdown=")
        }
        let message = "hibernate: the kernel is locked down; boot without lockdown="
        let warning = "torpor: warning: the kernel has no /dev/snapshot; use another kernel\n"
        let human = fixture.run("hibernate")
        #expect(human.status == 1 && human.output == "" && human.errors == warning + "torpor: \(message)\n")
        #expect(fixture.reports.kept() == nil && fixture.kernelLog == [], "nothing has happened")
        let json = fixture.run("hibernate", "--json")
        #expect(json.status == 1 && json.errors == "torpor: \(message)\n")
        let answer = try json.json
        #expect(
            Set(answer.keys) == ["outcome", "reason", "time", "image", "restoreMilliseconds", "warnings", "version"])
        #expect(answer["outcome"] as? String == "failed" && answer["reason"] as? String == message)
        #expect(answer["warnings"] as? [String] == ["the kernel has no /dev/snapshot; use another kernel"])
    }

    @Test func printsJSON() throws {
        try report(.resumed)
        let result = fixture.run("hibernate", "--json")
        #expect(result.status == 0 && result.errors == "")
        let json = try result.json
        #expect(
            Set(json.keys) == [
                "outcome", "time", "image", "restoreMilliseconds", "warnings", "erased", "copies", "version",
            ])
        #expect(json["outcome"] as? String == "resumed" && json["restoreMilliseconds"] as? Int == 900)
        #expect(json["copies"] as? [String] == [] && json["version"] as? Int == 1)
        let image = try #require(json["image"] as? [String: Any])
        #expect(image["dataPages"] as? Int == 2 && image["omittedPages"] as? Int == 6)
        #expect(image["saveMilliseconds"] as? Int == 1700 && image["zeroPages"] == nil && image["freePages"] == nil)
    }

    // MARK: Erasing

    @Test func warnsIfTheImageCannotBeErased() throws {
        try report(.resumed)
        hibernation.onErase = { (_) throws(Failure) in throw Failure("write to", "/dev/sdb3", "Input/output error") }
        let human = fixture.run("hibernate")
        let reason = "write to /dev/sdb3: Input/output error"
        let warning =
            "torpor: warning: contents of the image are still on /dev/sdb3: \(reason); erase them with: "
            + "torpor discard /dev/sdb3\n"
        #expect(human.status == 0, "the hibernation went well")
        #expect(human.errors == Self.warnings + warning && human.output.hasSuffix("\(Self.resumed)\n"))
        #expect(fixture.reports.kept()?.eraseFailure == reason)
        let json = fixture.run("hibernate", "--json")
        #expect(json.status == 0 && json.errors == warning)
        #expect(try json.json["eraseFailure"] as? String == reason)
        #expect(try json.json["erased"] == nil)
    }

    @Test func namesCopiesOnClonedDisks() throws {
        try report(.resumed)
        hibernation.onCopies = { ["/dev/sdc3", "/dev/sdd\u{7}"] }
        let result = fixture.run("hibernate", "--json")
        #expect(result.status == 0)
        #expect(
            result.errors == """
                torpor: warning: a copy of the image is still on /dev/sdc3; erase its contents with: torpor discard /dev/sdc3
                torpor: warning: a copy of the image is still on /dev/sdd\\x07; erase its contents with: torpor discard \
                /dev/sdd\\x07

                """)
        #expect(try result.json["copies"] as? [String] == ["/dev/sdc3", "/dev/sdd\u{7}"])
        // A search that fails finds none.
        hibernation.onCopies = { () throws(Failure) in throw Failure("read", "/sys/class/block", "No such file") }
        try fixture.devices.writeImage("sdb3", .consumed)
        #expect(try fixture.run("hibernate", "--json").json["copies"] as? [String] == [])
    }

    @Test func hasNothingToSayIfNothingIsLeftToErase() throws {
        try report(.resumed)
        hibernation.onErase = { _ in nil }
        let result = fixture.run("hibernate")
        #expect(result.status == 0 && result.output.hasSuffix("\(Self.resumed)\n"))
        #expect(fixture.reports.kept()?.erased == nil && fixture.reports.kept()?.eraseFailure == nil)
    }

    // MARK: The next start

    /// Selects the boot entry before the jump, and takes that back afterwards.
    @Test func selectsTheBootEntryForTheNextStart() throws {
        let boot = fixture.boot
        try boot.addGRUB()
        hibernation.onCheck = { (_, _) in ("/dev/sdb3", ["mem=128M"]) }
        hibernation.parametersForC = ["mem=128M"]
        #expect(fixture.run("boot-entry", "--install").status == 0)
        try boot.updateGRUB()
        try report(.failed, "a reason", state: .failed)
        let run = hibernation.onRun
        let selected = FakeBoot.environment("next_entry=torpor\n")
        hibernation.onRun = { (findings, log) throws(Failure) in
            #expect(boot.text("/boot/grub/grubenv") == selected)
            return try run(&findings, log)
        }
        #expect(fixture.run("hibernate", "--direct-start").status == 1)
        #expect(boot.text("/boot/grub/grubenv") == FakeBoot.environment(""), "nothing was started")
        hibernation.onRun = { (findings, log) throws(Failure) in
            #expect(boot.text("/boot/grub/grubenv") != selected)
            return try run(&findings, log)
        }
        #expect(fixture.run("hibernate").status == 1)
        // If the selection cannot be taken back, the administrator must know.
        try report(.resumed)
        let resume = hibernation.onRun
        hibernation.onRun = { (findings, log) throws(Failure) in
            try? boot.remove("/boot/grub/grubenv")
            return try resume(&findings, log)
        }
        let result = fixture.run("hibernate", "--direct-start")
        #expect(result.status == 0)
        #expect(
            result.errors.contains(
                "torpor: warning: the next start may go through the boot entry of Torpor once more: read "
                    + "/boot/grub/grubenv: there is "
                    + "no such file"), "\(result.errors)")
    }

    @Test func doesNotHibernateWithoutTheBootEntry() throws {
        try report(.resumed)
        try fixture.boot.addGRUB()
        let result = fixture.run("hibernate", "--direct-start")
        #expect(result.status == 1 && hibernation.plan == nil, "kernel B is not loaded")
        #expect(
            result.errors
                == "torpor: select the boot entry torpor: /boot/grub/grub.cfg does not have it; run torpor "
                + "boot-entry --install, and "
                + "then update-grub\n")
        #expect(try fixture.run("hibernate", "--direct-start", "--json").json["outcome"] as? String == "failed")
        #expect(fixture.run("hibernate", "--direct-start", "--after=return").status == 2)
    }
}
