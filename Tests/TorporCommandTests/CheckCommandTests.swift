// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Hibernation
import MemoryImage
import Testing

@testable import TorporCommand

@Suite struct CheckCommandTests {
    private let fixture: CommandFixture

    /// A system that is set up without systemd.
    init() throws {
        fixture = try CommandFixture()
        try fixture.boot.write("/etc/torpor.conf", "device = LABEL=nap\n")
        try fixture.boot.write("/boot/initrd.img-6.12.107", "")
        try fixture.boot.write("/usr/bin/lsinitramfs", "")
        fixture.programs.results["/usr/bin/lsinitramfs"] = .success(
            ProgramResult(end: .exited(0), output: "usr/bin\nusr/bin/torpor-resume\n"))
    }

    private static let systemLines = """
        [ok]      settings: /etc/torpor.conf names LABEL=nap
        [ok]      resume at an ordinary start: /boot/initrd.img-6.12.107 has torpor-resume

        """

    private static let parameters = ["torpor.device=UUID=1234", "mem=128M", "nr_cpus=4"]

    private func succeed() {
        fixture.hibernation.onCheck = { (findings, log) throws(Failure) in
            log("waiting for the process cat (7)")
            findings.warn("the kernel has no /dev/snapshot", remedy: "use another kernel")
            findings.note("kernel B starts 4 CPUs\u{1b}[2J")
            return ("/dev/sdb3", Self.parameters)
        }
    }

    private func fail() {
        fixture.hibernation.onCheck = { (findings, log) throws(Failure) in
            log("waiting for the process cat (7)")
            findings.warn("the kernel has no /dev/snapshot", remedy: "use another kernel")
            throw Failure("hibernate", "", "the kernel is locked down", remedy: "boot without lockdown=")
        }
    }

    @Test func saysThatTheSystemCanHibernateAndWhatKernelCNeeds() {
        succeed()
        for options in [[], ["--bytes"]] {
            let result = fixture.run(["check"] + options)
            #expect(result.status == 0 && result.errors == "")
            #expect(
                result.output == """
                    waiting for the process cat (7)
                    [warning] kernel B: the kernel has no /dev/snapshot
                              -> use another kernel
                    \(Self.systemLines)note: kernel B starts 4 CPUs\\x1b[2J
                    this system can hibernate to /dev/sdb3

                    """)
        }
    }

    @Test func printsJSON() throws {
        succeed()
        let result = fixture.run("check", "--json")
        #expect(result.status == 0 && result.errors == "")
        let json = try result.json
        #expect(
            Set(json.keys) == [
                "canHibernate", "device", "kernelCParameters", "requirements", "warnings", "notes", "version",
            ])
        let requirements = json["requirements"] as? [[String: String]]
        #expect(
            Array(requirements?.prefix(1) ?? []) == [
                [
                    "name": "kernel B", "mark": "warning", "value": "the kernel has no /dev/snapshot",
                    "remedy": "use another kernel",
                ]
            ])
        #expect(json["canHibernate"] as? Bool == true && json["device"] as? String == "/dev/sdb3")
        #expect(json["kernelCParameters"] as? [String] == Self.parameters)
        #expect(json["warnings"] as? [String] == ["the kernel has no /dev/snapshot; use another kernel"])
        #expect(json["notes"] as? [String] == ["kernel B starts 4 CPUs\u{1b}[2J"])
        #expect(json["version"] as? Int == 1)
    }

    @Test func saysWhyTheSystemCannotHibernate() throws {
        fail()
        let text = fixture.run("check"), json = fixture.run("check", "--json")
        for result in [text, json] {
            #expect(result.status == 1)
            #expect(result.errors == "torpor: hibernate: the kernel is locked down; boot without lockdown=\n")
        }
        #expect(
            text.output
                == """
                waiting for the process cat (7)
                [warning] kernel B: the kernel has no /dev/snapshot
                          -> use another kernel
                [missing] kernel B: hibernate: the kernel is locked down
                          -> boot without lockdown=
                \(Self.systemLines)
                """)
        let answer = try json.json
        #expect(Set(answer.keys) == ["canHibernate", "reason", "requirements", "warnings", "notes", "version"])
        #expect(answer["canHibernate"] as? Bool == false)
        #expect(answer["reason"] as? String == "hibernate: the kernel is locked down; boot without lockdown=")
        #expect(answer["warnings"] as? [String] == ["the kernel has no /dev/snapshot; use another kernel"])
        #expect(answer["notes"] as? [String] == [])
    }

    @Test func tellsOthersToBecomeRoot() throws {
        fixture.isRoot = false
        fixture.hibernation.onCheck = { (_, _) throws(Failure) in
            throw Failure("open", "/proc/kcore", "Permission denied", errno: 13)
        }
        let result = fixture.run("check", "--json")
        #expect(result.status == 1)
        #expect(result.errors == "torpor: open /proc/kcore: Permission denied; run this as root\n")
        #expect((try result.json["requirements"] as? [[String: String]])?.first?["remedy"] == "run this as root")
        #expect(try result.json["reason"] as? String == "open /proc/kcore: Permission denied; run this as root")
        fixture.isRoot = true
        #expect(fixture.run("check").errors == "torpor: open /proc/kcore: Permission denied\n", "root is root already")
    }

    // MARK: The estimate

    private static func estimate(
        capacity: UInt64 = 8 << 30, rates: DiskRates? = DiskRates(write: 100 << 20, read: 200 << 20)
    ) -> Estimate {
        Estimate(
            codec: .lz4, usedBytes: 3 << 30, zeroBytes: 1 << 30, freeBytes: 5 << 30, imageBytes: (1 << 30) + (1 << 20),
            capacityBytes: capacity, transferBytes: 1 << 30, packMilliseconds: 4000, unpackMilliseconds: 6000,
            workers: 1 << 20,
            rates: rates)
    }

    @Test func printsTheEstimate() throws {
        succeed()
        fixture.hibernation.onEstimate = { (findings, isDiskRequired) throws(Failure) in
            #expect(isDiskRequired)
            findings.note("from the estimate")
            return Self.estimate()
        }
        let text = fixture.run("check", "--estimate", "--codec", "zstd")
        #expect(text.status == 0 && fixture.hibernation.plan?.codec == .zstd(level: 1))
        #expect(
            text.output.contains(
                """
                estimate: 3.0 GiB of memory in use, about 1.0 GiB on disk with lz4; the disk writes 100.0 MiB/s and \
                reads 200.0 MiB/s
                estimate: saving takes about 10.3 s, resuming about 6.0 s, each after the start of a second kernel: torpor \
                hibernate --rehearse measures that
                this system can hibernate to /dev/sdb3

                """), "\(text.output)")
        #expect(text.output.contains("[ok]      estimate: see below\n"))
        #expect(text.output.contains("note: from the estimate"))
        let json = try #require(try fixture.run("check", "--estimate", "--json").json["estimate"] as? [String: Any])
        #expect(json["saveMilliseconds"] as? Int == 10320 && json["resumeMilliseconds"] as? Int == 6080)
        #expect(json["fits"] as? Bool == true && json["overheadMilliseconds"] == nil)
        #expect(try fixture.run("check", "--json").json["estimate"] == nil)
    }

    /// A rehearsal has measured what comes before the save.
    @Test func addsTheTimeThatARehearsalMeasured() throws {
        succeed()
        fixture.hibernation.onEstimate = { _, _ in Self.estimate() }
        var report = Report()
        report.outcome = .rehearsed
        report.startMilliseconds = 3000
        report.preparationMilliseconds = 1000
        var kept = ReportOutput(report, Findings(), fixture.time)
        kept.keepOverhead(of: report, nil)
        fixture.reports.keep(kept)
        #expect(
            fixture.run("check", "--estimate").output.contains(
                "resuming about 6.0 s, after 4.0 s to start the second kernel"))
        // 14.32 s in all.
        #expect(fixture.run("check", "--estimate", "--deadline", "15").status == 0)
        let late = fixture.run("check", "--estimate", "--deadline", "14")
        #expect(late.status == 1)
        #expect(
            late.errors
                == "torpor: hibernate within 14 s: it is estimated to take 14.3 s; shut down instead, or use a faster disk or "
                + "codec\n"
        )
    }

    @Test func warnsOfASmallPartition() {
        succeed()
        fixture.hibernation.onEstimate = { _, _ in Self.estimate(capacity: 1 << 30) }
        let result = fixture.run("check", "--estimate", "--bytes")
        #expect(result.status == 0)
        #expect(
            result.output.contains(
                "warning: the image would take about 1074790400 of the partition, which has space up to 1073741824; use a "
                    + "larger partition, or a codec that compresses better\n"))
    }

    @Test func failsIfItCannotMeasure() throws {
        succeed()
        fixture.hibernation.onEstimate = { (_, _) throws(Failure) in throw Failure("open", "/dev/sdb3", "it is busy") }
        let result = fixture.run("check", "--estimate", "--json")
        #expect(result.status == 1 && result.errors == "torpor: open /dev/sdb3: it is busy\n")
        #expect(try result.json["reason"] as? String == "open /dev/sdb3: it is busy")
    }

    @Test func takesADeadlineOnlyWithAnEstimate() {
        #expect(fixture.run("check", "--deadline", "5").status == 2)
        #expect(fixture.run("check", "--estimate", "--deadline", "1000001").status == 2)
        #expect(fixture.run("check", "--estimate", "--deadline=-1").status == 2)
        #expect(fixture.hibernation.plan == nil)
    }
}
