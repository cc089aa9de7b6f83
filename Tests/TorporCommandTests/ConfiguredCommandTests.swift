// SPDX-License-Identifier: Apache-2.0
import Basics
import Hibernation
import Testing

@testable import TorporCommand

/// What the settings of /etc/torpor.conf do, and how the command line overrides them.
@Suite struct ConfiguredCommandTests {
    private let fixture: CommandFixture

    init() throws { fixture = try CommandFixture() }

    private func plan(_ text: String, _ arguments: String...) throws -> Hibernate {
        try fixture.boot.write("/etc/torpor.conf", text)
        let result = fixture.run(arguments)
        return try #require(fixture.hibernation.plan, "\(result.errors)")
    }

    private static let everything = """
        device = LABEL=my disk
        kernel = /boot/b
        initrd = /boot/i
        codec = zstd:3
        backup-end = 256M
        append = --x torpor.debug
        after = reboot
        direct-start = no
        allow-unwatched = yes
        allow-old-kernel = yes
        """

    @Test(arguments: ["check", "hibernate"]) func takesEverySetting(command: String) throws {
        let plan = try plan(Self.everything, command)
        #expect(plan.device == .label("my disk") && plan.kernelPath == "/boot/b" && plan.initrdPath == "/boot/i")
        #expect(plan.codec == .zstd(level: 3) && plan.backupEnd == 256 << 20 && plan.extraWords == "--x torpor.debug")
        #expect(plan.isUnwatchedAllowed && plan.isOldKernelAllowed)
        #expect(plan.after == (command == "hibernate" ? .reboot : .powerOff))
    }

    @Test func theCommandLineOverridesEverySetting() throws {
        let plan = try plan(
            Self.everything, "hibernate", "--device=/dev/sdb3", "--kernel=/k", "--initrd=/j", "--codec=none",
            "--backup-end=auto", "--append", "", "--after=return", "--no-allow-unwatched", "--no-allow-old-kernel")
        #expect(plan.device == .path("/dev/sdb3") && plan.kernelPath == "/k" && plan.initrdPath == "/j")
        #expect(plan.codec == .none && plan.backupEnd == nil && plan.extraWords == "" && plan.after == .return)
        #expect(!plan.isUnwatchedAllowed && !plan.isOldKernelAllowed)
    }

    @Test func takesAnEmptyTextForNone() throws { #expect(try plan("append =\n", "check").extraWords == "") }

    @Test func takesTheSettingsForABootEntry() throws {
        let plan = try plan(Self.everything, "boot-entry", "--boot-loader=grub")
        #expect(plan.device == .label("my disk") && plan.kernelPath == "/boot/b" && plan.backupEnd == 256 << 20)
    }

    /// A snapshot starts nothing, so the setting is no contradiction.
    @Test func ignoresTheDirectStartIfTheSessionGoesOn() throws {
        let plan = try plan("direct-start = yes\n", "hibernate", "--after", "return")
        #expect(plan.after == .return)
        #expect(try self.plan("direct-start = yes\nafter = reboot\n", "hibernate", "--rehearse").after == .powerOff)
        let result = fixture.run("hibernate", "--after", "return", "--direct-start")
        #expect(result.status == 2 && result.errors.contains("--direct-start has no meaning"))
        try fixture.boot.write("/etc/torpor.conf", "direct-start = yes\nafter = return\n")
        #expect(fixture.run("hibernate").status == 2, "the file contradicts itself")
    }

    @Test(arguments: [
        (
            "devise = /dev/sdb3",
            "line 1: there is no setting devise; use one of: device, kernel, initrd, codec, backup-end, append, after, "
                + "direct-start, allow-unwatched, allow-old-kernel"
        ),
        ("\ncodec = brotli", "line 2: codec cannot be brotli; see torpor hibernate --help for --codec"),
        ("after = sleep", "line 1: after cannot be sleep; see torpor hibernate --help for --after"),
        ("backup-end = 3x", "line 1: backup-end cannot be 3x; see torpor hibernate --help for --backup-end"),
        ("direct-start = true", "line 1: direct-start cannot be true; use yes or no"),
        ("direct-start =", "line 1: direct-start cannot be ; use yes or no"),
        ("device =", "line 1: device has no value; add one, or remove the line"),
        ("json = yes", nil), ("help = yes", nil), ("version = 1", nil),
    ]) func refusesWrongSettings(text: String, message: String?) throws {
        try fixture.boot.write("/etc/torpor.conf", text)
        for command in ["check", "hibernate", "boot-entry"] {
            let result = fixture.run(command)
            #expect(result.status == 1 && fixture.hibernation.plan == nil)
            if let message {
                #expect(result.errors == "torpor: read /etc/torpor.conf: \(message)\n")
            } else {
                #expect(result.errors.contains("there is no setting"), "\(result.errors)")
            }
        }
        #expect(fixture.run("hibernate", "--help").status == 0, "help needs no settings")
        #expect(fixture.run("status").status == 0, "and other commands have none")
    }
}
