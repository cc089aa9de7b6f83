// SPDX-License-Identifier: Apache-2.0
import Basics
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
                    [warning] this test: the kernel has no /dev/snapshot
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
                    "name": "this test", "mark": "warning", "value": "the kernel has no /dev/snapshot",
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
                [warning] this test: the kernel has no /dev/snapshot
                          -> use another kernel
                [missing] this test: hibernate: the kernel is locked down
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
}
