// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Hibernation

@testable import MemoryImage
@testable import TorporCommand

/// A command with `--json`, and how its output comes about.
struct JSONExample: Sendable {
    let commandLine: String
    /// Whether docs/json.md shows it.
    var isInDocument = true
    let prepare: @Sendable (CommandFixture) throws -> Void

    /// What the command prints, without what differs from run to run.
    func output() throws -> String {
        let fixture = try CommandFixture()
        try prepare(fixture)
        let arguments = commandLine.split(separator: " ").dropFirst().map(String.init)
        var output = fixture.run(arguments).output
        if arguments[0] == "format", let uuid = try? fixture.devices.superblock("sdb3").uuid {
            output = output.replacing(uuid.description, with: FakeDevices.standardUUID)
        }
        // It depends on the file system that the test's files are on.
        return output.replacing("\"erased\" : \"zeros\"", with: "\"erased\" : \"discard\"")
    }

    /// In the order of the document.
    static let all = [
        JSONExample(commandLine: "torpor verify --json /dev/sdc1") { fixture in
            try fixture.devices.add("sdc1", content: "ext4")
        },
        JSONExample(commandLine: "torpor format --json --label nap /dev/sdb3") { fixture in
            try fixture.devices.add("sdb3")
        },
        JSONExample(commandLine: "torpor check --json") { fixture in
            fixture.hibernation.onCheck = { (findings, _) throws(Failure) in
                findings.warn(snapshotWarning, remedy: snapshotRemedy)
                findings.note("kernel B starts 4 of 16 CPUs")
                return ("/dev/sdb3", ["torpor.device=UUID=\(FakeDevices.standardUUID)", "mem=128M"])
            }
        },
        JSONExample(commandLine: "torpor check --json --estimate") { fixture in
            fixture.hibernation.onCheck = { _, _ in ("/dev/sdb3", []) }
            fixture.hibernation.onEstimate = { _, _ in estimate }
            var kept = ReportOutput(rehearsal, Findings(), fixture.time)
            kept.keepOverhead(of: rehearsal, nil)
            fixture.reports.keep(kept)
        },
        JSONExample(commandLine: "torpor check --json --device /dev/sdb3") { fixture in
            fixture.hibernation.onCheck = { (_, _) throws(Failure) in throw refusal }
        },
        JSONExample(commandLine: "torpor hibernate --json") { fixture in
            try fixture.devices.addPartition("sdb3")
            let report = report(.resumed, fixture)
            fixture.hibernation.onRun = { (findings, _) throws(Failure) in
                findings.warn(snapshotWarning, remedy: snapshotRemedy)
                return report
            }
            fixture.hibernation.onErase = { _ in .discard }
        },
        JSONExample(commandLine: "torpor hibernate --json --rehearse") { fixture in
            fixture.hibernation.onEstimate = { _, _ in estimate }
            fixture.hibernation.onRun = { _, _ in rehearsal }
        },
        JSONExample(commandLine: "torpor hibernate --json --device /dev/sdb3") { fixture in
            fixture.hibernation.onRun = { (_, _) throws(Failure) in throw refusal }
        },
        JSONExample(commandLine: "torpor status --json") { fixture in
            try fixture.devices.addPartition("sdb3", label: "nap")
            try fixture.devices.writeImage("sdb3")
            try fixture.devices.change("sdb3") { superblock in
                superblock.generation = 8
                superblock.codec = .lz4
                superblock.counts = counts
            }
            try fixture.devices.addUnreadable("sdd", "Input/output error", errno: EIO)
            fixture.reports.keep(ReportOutput(report(.snapshot, fixture), Findings(), fixture.time))
        },
        JSONExample(commandLine: "torpor verify --json") { fixture in
            try fixture.devices.addPartition("sdb3")
            try fixture.devices.writeImage("sdb3")
        },
        JSONExample(commandLine: "torpor discard --json") { fixture in
            try fixture.devices.addPartition("sdb3")
            try fixture.devices.writeImage("sdb3")
        },
        JSONExample(commandLine: "torpor boot-entry --json --install") { fixture in
            try fixture.boot.addGRUB()
            fixture.hibernation.onCheck = { (_, _) in
                ("/dev/sdb3", ["torpor.device=UUID=\(FakeDevices.standardUUID)", "mem=128M"])
            }
        },
        // Keys that the document's examples do not have.
        JSONExample(commandLine: "torpor hibernate --json --after return", isInDocument: false) { fixture in
            let report = report(.resumed, fixture)
            fixture.hibernation.onRun = { (_, _) in report }
            fixture.hibernation.onErase = { (_) throws(Failure) in throw refusal }
            fixture.hibernation.onCopies = { ["/dev/sdc3"] }
        },
        JSONExample(commandLine: "torpor status --json /dev/sdb3", isInDocument: false) { fixture in
            try fixture.devices.addPartition("sdb3")
            try fixture.devices.writeImage("sdb3", .consumed, reason: "it is over")
        },
    ]

    private static let snapshotWarning =
        "the kernel has no /dev/snapshot, so drivers do not prepare for hibernation: video memory may be lost"
    private static let snapshotRemedy = "use a kernel with CONFIG_HIBERNATION_SNAPSHOT_DEV"
    private static let refusal = Failure(
        "hibernate", "", "nohibernate on the kernel's command line forbids it", remedy: "boot without it")

    private static var counts: ImageCounts {
        var counts = ImageCounts()
        counts.chunks = 1216
        counts.dataPages = 311_296
        counts.zeroPages = 1_703_936
        counts.freePages = 1_605_632
        counts.storedBytes = 612_368_384
        counts.milliseconds = 2140
        return counts
    }

    private static let estimate = Estimate(
        codec: .lz4, usedBytes: 1_530_920_960, zeroBytes: 255_852_544, freeBytes: 6_722_420_736,
        imageBytes: 612_368_384, capacityBytes: 8_588_886_016, transferBytes: 544_210_944, packMilliseconds: 1430,
        unpackMilliseconds: 610, workers: 1 << 20, rates: DiskRates(write: 281_018_368, read: 551_550_976))

    private static var rehearsal: Report {
        var report = Report()
        report.outcome = .rehearsed
        report.counts = counts
        report.counts.milliseconds = 1470
        report.startMilliseconds = 2310
        report.preparationMilliseconds = 860
        return report
    }

    private static func report(_ outcome: Report.Outcome, _ fixture: CommandFixture) -> Report {
        var report = Report()
        report.outcome = outcome
        report.counts = counts
        report.device = fixture.devices.path("sdb3")
        if outcome == .resumed { report.restoreMilliseconds = 980 }
        return report
    }
}
