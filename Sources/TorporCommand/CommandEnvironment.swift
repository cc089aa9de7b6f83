// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import FoundationEssentials
import Hibernation
import Linux

/// Everything outside of the program that its commands use. A test replaces any part of it.
struct CommandEnvironment {
    var terminal: Terminal
    var devices: any DeviceSystem
    var hibernation: any HibernationSystem
    /// What the boot loader reads and writes.
    var boot: BootSystem
    /// Other programs.
    var programs: any ProgramRunner
    /// The settings of this system.
    var configuration: ConfigurationFile
    /// What `torpor sleep` uses.
    var sleep: SleepSystem
    /// Where the report of the last hibernation is kept.
    var reports: ReportFile
    /// Whether the process runs as root.
    var isRoot: Bool
    /// The release of the running kernel.
    var kernelRelease: String
    /// Whether there is a file at a path.
    var exists: (String) -> Bool
    /// The time of day.
    var now: () -> Date
    /// Milliseconds that only grow; the first value means nothing.
    var milliseconds: () -> UInt64
    /// Writes a line to the kernel's log.
    var log: (String) -> Void

    /// The real environment of this process.
    static func ofThisSystem() -> CommandEnvironment {
        let errors = DescriptorStream(2, name: "standard error")
        let isJournal = JournalStream.isJournal(2, ProcessInfo.processInfo.environment["JOURNAL_STREAM"])
        return CommandEnvironment(
            terminal: Terminal(
                output: DescriptorStream(1, name: "standard output"),
                errors: isJournal ? JournalStream(errors) : errors,
                readLine: Terminal.personsAnswers),
            devices: LinuxDevices(), hibernation: KernelAHibernation(), boot: BootSystem(), programs: LinuxPrograms(),
            configuration: ConfigurationFile(path: ConfigurationFile.standardPath), sleep: SleepSystem(),
            reports: ReportFile(folder: URL(filePath: "/run/torpor")), isRoot: effectiveUserID() == 0,
            kernelRelease: systemNames().release, exists: { Linux.exists($0) }, now: { Date() },
            milliseconds: monotonicMilliseconds,
            log: { KernelLog(showsAll: false).notice($0) })
    }

    /// Prints a failure on standard error.
    func show(_ failure: Failure) { terminal.write(error: "torpor: \(printable(sentence(failure)))") }

    /// A failure as one sentence. A failure that only root can avoid says so.
    func sentence(_ failure: Failure) -> String {
        var failure = failure
        if failure.remedy == nil, ErrorNumber.areDenials.contains(failure.errno), !isRoot {
            failure.remedy = "run this as root"
        }
        return failure.description
    }

    /// Runs a command's work. If it fails and `--json` was given, prints an object with the reason as well.
    func reporting(_ options: OutputOptions, _ work: () throws -> Void) throws {
        do { try work() } catch let failure as Failure {
            if options.json { try terminal.write(json: FailureOutput(reason: sentence(failure))) }
            throw failure
        }
    }
}

/// The JSON of a command that failed.
struct FailureOutput: Encodable {
    /// The sentence that standard error has as well.
    let reason: String
}
