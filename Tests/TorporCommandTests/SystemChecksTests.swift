// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import TorporCommand

/// What `torpor check` says about the system around Torpor.
@Suite struct SystemChecksTests {
    private let fixture: CommandFixture

    init() throws {
        fixture = try CommandFixture()
        fixture.hibernation.onCheck = { (_, _) throws(Failure) in ("/dev/sdb3", ["mem=128M"]) }
    }

    private func answer(_ program: String, _ output: String, end: ProgramResult.End = .exited(0)) {
        fixture.programs.results[program] = .success(ProgramResult(end: end, output: output))
    }

    /// The lines of a check that contain a text.
    private func lines(_ text: String, _ options: String...) -> [String] {
        fixture.run(["check"] + options).output.split(separator: "\n").map(String.init).filter { $0.contains(text) }
    }

    @Test func warnsOfASystemThatIsNotSetUp() throws {
        let result = fixture.run("check")
        #expect(result.status == 0 && result.errors == "", "it can hibernate all the same")
        #expect(
            result.output.contains("[warning] settings: there is no /etc/torpor.conf\n          -> run torpor setup"))
        #expect(
            result.output.contains("[warning] resume at an ordinary start: the initramfs of the running kernel was not")
        )
        #expect(!result.output.contains("systemctl"), "there is no systemd")
        #expect(fixture.programs.commands == [])
    }

    @Test(arguments: [
        ("lsinitramfs", "/boot/initrd.img-6.12.107", "usr/bin/torpor-resume\n", true),
        ("lsinitramfs", "/boot/initrd.img-6.12.107", "usr/bin/torpor-resume.old\n", false),
        ("lsinitrd", "/boot/initramfs-6.12.107.img", "-rwxr-xr-x 1 root root 9 Jan 1 usr/bin/torpor-resume\n", true),
        ("lsinitcpio", "/boot/initramfs-linux.img", "usr/lib/libc.so\n", false),
    ]) func looksIntoTheInitramfs(program: String, path: String, output: String, hasIt: Bool) throws {
        try fixture.boot.write(path, "")
        try fixture.boot.write("/usr/bin/\(program)", "")
        answer("/usr/bin/\(program)", output)
        let expected = "\(path) has \(hasIt ? "torpor-resume" : "no torpor-resume")"
        #expect(
            lines("ordinary start") == ["[\(hasIt ? "ok]     " : "warning]") resume at an ordinary start: \(expected)"])
        answer("/usr/bin/\(program)", "", end: .timedOut)
        #expect(lines("ordinary start")[0].hasSuffix("\(path) could not be looked into"))
    }

    @Test func tellsWhetherSystemctlUsesTorpor() throws {
        try fixture.boot.write("/run/systemd/system/x", "")
        answer("systemctl", "ExecStart={ path=/usr/lib/systemd/systemd-sleep ; argv[]=systemd-sleep hibernate ; }\n")
        #expect(lines("systemctl hibernate")[0].hasPrefix("[warning] systemctl hibernate: it uses the kernel's own"))
        #expect(lines("menu") == [], "logind would offer the kernel's hibernation")
        answer("systemctl", "ExecStart={ path=/usr/sbin/torpor ; argv[]=/usr/sbin/torpor sleep hibernate ; }\n")
        answer("busctl", "s \"yes\"\n")
        #expect(lines("systemctl hibernate") == ["[ok]      systemctl hibernate: it uses Torpor"])
        #expect(lines("menu") == ["[ok]      desktop's menu: logind offers hibernation"])
        for output in ["s \"na\"\n", "s \"no\"\n", ""] {
            answer("busctl", output)
            #expect(lines("menu")[0].hasPrefix("[warning] desktop's menu: logind does not offer hibernation"))
        }
        answer("busctl", "", end: .exited(1))
        #expect(lines("menu") == ["[warning] desktop's menu: logind does not answer"])
        fixture.programs.results["systemctl"] = .failure(Failure("run", "systemctl", "No such file or directory"))
        #expect(lines("systemctl hibernate") == ["[warning] systemctl hibernate: systemd does not answer"])
    }

    /// A direct start that would fail makes a hibernation fail, so it is missing.
    @Test func checksTheDirectStartIfItIsWanted() throws {
        try fixture.boot.write("/etc/torpor.conf", "direct-start = yes\n")
        let result = fixture.run("check")
        #expect(result.status == 1 && result.output.contains("[missing] direct start: "), "\(result.output)")
        #expect(!result.output.contains("this system can hibernate"))
        #expect(lines("direct start", "--no-direct-start") == [])
    }
}
