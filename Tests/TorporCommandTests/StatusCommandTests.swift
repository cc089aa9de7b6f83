// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Hibernation
import Testing

@testable import TorporCommand

@Suite struct StatusCommandTests {
    private let fixture: CommandFixture

    init() throws { fixture = try CommandFixture() }

    private var devices: FakeDevices { fixture.devices }

    private func partitions(_ arguments: String...) throws -> [[String: Any]] {
        let result = fixture.run(["status", "--json"] + arguments)
        #expect(result.status == 0 && result.errors == "", "\(result.errors)")
        return try #require(try result.json["partitions"] as? [[String: Any]])
    }

    @Test func showsAllPartitions() throws {
        try devices.add("sda1", content: "ext4")
        try devices.addPartition("sdb3", label: "nap")
        try devices.addPartition("sdc3")
        try devices.writeImage("sdc3")
        let result = fixture.run("status")
        #expect(result.status == 0 && result.errors == "")
        #expect(
            result.output == """
                /dev/sdb3: no image
                  size        8.0 MiB
                  UUID        9f0e6a3c-52f7-4a0e-8a4b-6d1c2f3e4a5b
                  label       nap
                  written     2026-01-01T12:00:00Z
                /dev/sdc3: a saved session, ready to resume
                  size        8.0 MiB
                  UUID        9f0e6a3c-52f7-4a0e-8a4b-6d1c2f3e4a5b
                  written     2026-01-01T12:00:00Z
                  data        8.0 KiB
                  zero pages  4.0 KiB
                  free pages  20.0 KiB
                  on disk     1.0 MiB, none
                  saved in    1.7 s
                  host        laptop
                  kernel      6.12.107

                """)
        #expect(
            fixture.run("status", "/dev/sdb3").output == result.output.prefix { $0 != "\n" } + "\n" + """
                  size        8.0 MiB
                  UUID        9f0e6a3c-52f7-4a0e-8a4b-6d1c2f3e4a5b
                  label       nap
                  written     2026-01-01T12:00:00Z

                """)
        let bytes = fixture.run("status", "--bytes", "/dev/sdc3").output
        for line in ["size        8388608", "data        8192", "free pages  20480", "on disk     1073152, none"] {
            #expect(bytes.contains("  \(line)\n"), "\(bytes)")
        }
        #expect(try partitions().map { $0["device"] as? String } == ["/dev/sdb3", "/dev/sdc3"])
        #expect(try partitions("/dev/sdc3").count == 1)
    }

    @Test func saysThatThereIsNoPartition() throws {
        #expect(
            fixture.run("status").output
                == "there is no hibernation partition; make one with: torpor format DEVICE\n")
        #expect(fixture.run("status").status == 0, "that is an answer")
        let json = try fixture.run("status", "--json").json
        #expect(Set(json.keys) == ["partitions", "unreadable", "version"] && json["version"] as? Int == 1)
        #expect((json["partitions"] as? [Any])?.isEmpty == true && (json["unreadable"] as? [Any])?.isEmpty == true)
        try devices.addPartition("sdb3")
        try devices.add("sdb3", content: "ext4")
        try devices.put(Array("TorporHP".utf8), at: 0, on: "sdb3")
        try devices.addUnreadable("sdc", "Input/output error", errno: EIO)
        #expect(
            fixture.run("status").output
                == "there is no hibernation partition; /dev/sdb3 was a hibernation partition, but holds ext4 now, and "
                + "/dev/sdc cannot be read: Input/output error; make one with: torpor format DEVICE\n")
    }

    @Test func namesDevicesThatCannotBeRead() throws {
        try devices.addPartition("sdb3")
        try devices.addUnreadable("sdc", "Input/output error", errno: EIO)
        try devices.addUnreadable("sdd", "it did not answer within 30 s", errno: ETIMEDOUT)
        let result = fixture.run("status")
        #expect(result.status == 0)
        #expect(
            result.output.hasPrefix(
                "/dev/sdc: cannot be read: Input/output error\n/dev/sdd: cannot be read: it did not answer within 30 s\n"
                    + "/dev/sdb3: no image\n"))
        let unreadable = try #require(try fixture.run("status", "--json").json["unreadable"] as? [[String: String]])
        #expect(
            unreadable == [
                ["device": "/dev/sdc", "reason": "Input/output error"],
                ["device": "/dev/sdd", "reason": "it did not answer within 30 s"],
            ])
        // Whoever asks for one partition gets that one.
        #expect(fixture.run("status", "/dev/sdb3").output.hasPrefix("/dev/sdb3: no image\n"))
    }

    @Test func statusSaysWhyAPartitionCannotBeUsed() throws {
        try devices.addPartition("sdb3")
        try devices.damage("sdb3")
        let reason =
            "both its superblocks are damaged; format it again with: torpor format --force "
        let text = fixture.run("status", "/dev/sdb3")
        #expect(text.status == 0)
        #expect(text.output == "/dev/sdb3: cannot be used: \(reason)/dev/sdb3\n  size        8.0 MiB\n")
        let partition = try partitions("/dev/sdb3")[0]
        #expect(Set(partition.keys) == ["device", "byteCount", "usable", "state", "stateDescription", "reason"])
        #expect(partition["usable"] as? Bool == false && partition["state"] as? String == "unusable")
        #expect(partition["reason"] as? String == "\(reason)/dev/sdb3")
        for command in ["verify", "discard"] {
            let result = fixture.run(command, "/dev/sdb3")
            #expect(result.status == 1 && result.errors.contains("both its superblocks are damaged"), "\(command)")
        }
    }

    private static let failures = [
        ("/dev/sdz", "find /dev/sdz: there is no such device"),
        ("LABEL=none", "find LABEL=none: there is no such device"),
        ("LABEL=nap", "find LABEL=nap: there are several: /dev/sdb3, /dev/sdc3; name one with torpor status DEVICE"),
        (
            "/dev/sda1",
            "open /dev/sda1: it is not a hibernation partition; make it one with: torpor format /dev/sda1"
        ),
    ]

    @Test(arguments: failures) func failsForADeviceThatIsNoPartition(name: String, message: String) throws {
        try devices.add("sda1")
        try devices.addPartition("sdb3", label: "nap")
        try devices.addPartition("sdc3", label: "nap", uuid: "00000000-0000-4000-8000-000000000001")
        let text = fixture.run("status", name), json = fixture.run("status", "--json", name)
        for result in [text, json] { #expect(result.status == 1 && result.errors == "torpor: \(message)\n") }
        #expect(text.output == "")
        #expect(try json.json["reason"] as? String == message)
    }

    @Test func showsTheLastReport() throws {
        let before = fixture.run("status", "--json")
        #expect(try before.json["lastReport"] == nil)
        var report = Report()
        report.outcome = .resumed
        report.counts.dataPages = 512
        report.counts.storedBytes = 1 << 20
        report.counts.milliseconds = 1700
        report.restoreMilliseconds = 900
        fixture.reports.keep(ReportOutput(report, Findings(), fixture.time))
        let line = "resumed: 2.0 MiB of data, 1.0 MiB on disk, saved in 1.7 s, restored in 0.9 s (2026-01-01T12:00:00Z)"
        #expect(fixture.run("status").output.hasSuffix("\nlast hibernation: \(line)\n"))
        #expect(fixture.run("status", "--bytes").output.contains("resumed: 2097152 of data, 1048576 on disk"))
        let kept = try #require(try fixture.run("status", "--json").json["lastReport"] as? [String: Any])
        #expect(kept["outcome"] as? String == "resumed" && kept["version"] == nil)
        for (outcome, text, line) in [
            (Report.Outcome.failed, "no space\u{1b}", "failed: no space\\x1b"),
            (.failed, "", "failed: kernel B gave no reason"), (.none, "", "failed: no report arrived"),
        ] {
            report.outcome = outcome
            report.text = text
            fixture.reports.keep(ReportOutput(report, Findings(), fixture.time))
            #expect(fixture.run("status").output.hasSuffix("\nlast hibernation: \(line) (2026-01-01T12:00:00Z)\n"))
        }
    }
}
