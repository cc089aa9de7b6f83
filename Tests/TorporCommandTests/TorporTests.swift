// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Testing

@testable import TorporCommand

/// What all commands have in common: help, version, usage errors, failures and exit status.
@Suite struct TorporTests {
    static let commands = ["format", "check", "hibernate", "status", "verify", "discard", "boot-entry"]

    private let fixture: CommandFixture

    init() throws { fixture = try CommandFixture() }

    // MARK: Help and version

    @Test func printsTheVersion() {
        let result = fixture.run("--version")
        #expect(result.status == 0 && result.output == "\(torporVersion)\n" && result.errors == "")
    }

    @Test(arguments: [["--help"], ["help"], []]) func namesAllCommandsInItsHelp(arguments: [String]) {
        let result = fixture.run(arguments)
        #expect(result.status == 0 && result.errors == "")
        #expect(result.output.hasPrefix("OVERVIEW: Hibernate Linux through a second kernel.\n\nUSAGE: torpor "))
        for command in Self.commands { #expect(result.output.contains("\n  \(command) ")) }
    }

    private static let helpTexts = [
        (
            "format", "Make a partition a hibernation partition.",
            "USAGE: torpor format [--label <label>] [--force] [--boot-files <boot-files>] <device>"
        ),
        (
            "check", "List everything that a hibernation needs; nothing is changed.",
            "USAGE: torpor check <options>"
        ),
        (
            "hibernate", "Save the memory to the hibernation partition and power off.",
            "USAGE: torpor hibernate <options>"
        ),
        (
            "status", "Show hibernation partitions, and how the last hibernation went.",
            "USAGE: torpor status [<devices> ...] [--json] [--bytes]"
        ),
        (
            "verify", "Read a whole image and verify its checksums; nothing is changed.",
            "USAGE: torpor verify [<device>] [--json] [--bytes]"
        ),
        (
            "discard", "Drop the image on a hibernation partition and erase its contents.",
            "USAGE: torpor discard [<device>] [--json] [--bytes]"
        ),
        (
            "boot-entry", "Print or install a boot entry that starts kernel C directly.",
            "USAGE: torpor boot-entry <options>"
        ),
    ]

    @Test(arguments: helpTexts) func printsTheHelpOfEachCommand(command: String, abstract: String, usage: String) {
        for arguments in [[command, "--help"], ["help", command]] {
            let result = fixture.run(arguments)
            #expect(result.status == 0 && result.errors == "")
            #expect(result.output.hasPrefix("OVERVIEW: \(abstract)\n"), "\(result.output)")
            #expect(result.output.contains(usage), "\(result.output)")
            for option in ["--json", "Print the result as JSON.", "--bytes", "Print sizes in bytes."] {
                #expect(result.output.contains(option))
            }
        }
    }

    /// Each line of help texts has room on a terminal of 100 columns, and each option has a sentence.
    @Test(arguments: commands) func explainsEachOption(command: String) {
        let lines = fixture.run(command, "--help").output.split(separator: "\n", omittingEmptySubsequences: false)
        let options = lines.filter { $0.hasPrefix("  --") || $0.hasPrefix("  <") }
        #expect(options.count >= 3)
        for (number, line) in lines.enumerated() where line.hasPrefix("  --") || line.hasPrefix("  <") {
            // The text stands behind the option, or in the lines up to the next one.
            let text = line.drop { $0 == " " }.drop { $0 != " " }
            let others = lines[(number + 1)...].prefix { $0.hasPrefix("      ") }
            #expect(text.contains(".") || others.contains { $0.contains(".") }, "\(line)")
        }
        #expect(lines.filter { !$0.hasPrefix("USAGE: ") }.allSatisfy { $0.count <= 100 })
    }

    // MARK: Exit status 2

    private static let usageErrors = [
        (["frobnicate"], "Unexpected argument 'frobnicate'"),
        (["--frobnicate"], "Unknown option '--frobnicate'"),
        (["format"], "Missing expected argument '<device>'"),
        (["format", ""], "The value '' is invalid for '<device>'"),
        (["format", "/dev/a", "/dev/b"], "Unexpected argument '/dev/b'"),
        (["check", "--device"], "Missing value for '--device <device>'"),
        (["check", "--codec", "lzma"], "The value 'lzma' is invalid for '--codec <codec>'"),
        (["hibernate", "--codec", "xz:10"], "The value 'xz:10' is invalid for '--codec <codec>'"),
        (["hibernate", "--after", "halt"], "The value 'halt' is invalid for '--after <after>'"),
        (
            ["hibernate", "--backup-end", "x"],
            "The value 'x' is invalid for '--backup-end <backup-end>': x is neither auto nor a size such as 128M."
        ),
        (["hibernate", "/dev/sdb3"], "Unexpected argument '/dev/sdb3'"),
        (["status", "NAME=x"], "The value 'NAME=x' is invalid for '<devices>'"),
        (["verify", "--all"], "Unknown option '--all'"),
        (["discard", "UUID="], "The value 'UUID=' is invalid for '<device>'"),
    ]

    @Test(arguments: usageErrors) func refusesWhatItDoesNotUnderstand(arguments: [String], message: String) {
        for arguments in [arguments, [arguments[0], "--json"] + arguments.dropFirst()] {
            // Only commands have this option.
            if arguments[0].hasSuffix("frobnicate"), arguments.count > 1 { continue }
            let result = fixture.run(arguments)
            #expect(result.status == 2 && result.output == "")
            let shown = fixture.devices.shown(fixture.devices.real(message))
            #expect(result.errors.hasPrefix("torpor: \(shown)"), "\(result.errors)")
            #expect(result.errors.contains("\nUsage: torpor ") && !result.errors.contains("Error:"), "\(result.errors)")
        }
    }

    // MARK: Exit status 1

    /// Whoever reads JSON gets the reason from it, too.
    @Test func everyJSONCommandPrintsJSONWhenItFails() throws {
        for (command, options) in [("status", []), ("verify", []), ("discard", []), ("format", ["--force"])] {
            let text = fixture.run([command] + options + ["/dev/a\u{1b}b"])
            let json = fixture.run([command, "--json"] + options + ["/dev/a\u{1b}b"])
            for result in [text, json] {
                #expect(result.status == 1)
                #expect(result.errors == "torpor: find /dev/a\\x1bb: there is no such device\n", "\(command)")
            }
            #expect(text.output == "")
            #expect(Set(try json.json.keys) == ["reason", "version"])
            #expect(try json.json["reason"] as? String == fixtureSentence("a\u{1b}b"))
        }
    }

    private func fixtureSentence(_ name: String) -> String { "find /dev/\(name): there is no such device" }

    /// Others than root cannot read block devices, so "there is none" could be wrong.
    @Test func saysThatOnlyRootSeesPartitions() throws {
        try fixture.devices.addUnreadable("sda1", "Permission denied", errno: EACCES)
        fixture.isRoot = false
        for arguments in [["status"], ["verify"], ["discard", "LABEL=x"], ["format", "--force", "LABEL=x"]] {
            let result = fixture.run(arguments)
            #expect(result.status == 1 && result.output == "")
            #expect(result.errors == "torpor: open /dev/sda1: Permission denied; run this as root\n")
        }
        fixture.isRoot = true
        #expect(fixture.run("status").status == 0)
        #expect(fixture.run("status").output.contains("/dev/sda1 cannot be read: Permission denied"))
    }

    @Test func failsIfItsOutputCannotBeWritten() {
        fixture.outputFailure = Failure("write to", "standard output", "No space left on device")
        let message = "torpor: write to standard output: No space left on device\n"
        for arguments in [["--help"], ["--version"], ["status"], ["status", "--json"]] {
            let result = fixture.run(arguments)
            #expect(result.status == 1 && result.errors == message, "\(arguments)")
        }
        // A failure stays what it is.
        #expect(fixture.run("frobnicate").status == 2)
    }

    // MARK: The manual page

    /// The manual page has every command and every option that the program has.
    @Test func manualPageHasEveryOption() throws {
        let page = try String(contentsOf: Repository.file("man/torpor.8"), encoding: .utf8)
        for command in Self.commands {
            let isDocumented = page.contains("\n.B torpor \(command.replacing("-", with: "\\-"))\n")
            #expect(isDocumented, "\(command)")
            for match in fixture.run(command, "--help").output.matches(of: #/--[a-z-]+/#) {
                let isDocumented = page.contains(match.output.replacing("-", with: "\\-"))
                #expect(isDocumented, "\(match.output) of \(command)")
            }
        }
    }
}

/// The files of the repository.
enum Repository {
    static func file(_ path: String) -> URL {
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: path)
    }
}
