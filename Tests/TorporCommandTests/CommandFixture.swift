// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Foundation
import Hibernation
import Linux
import MemoryImage

@testable import TorporCommand

/// What a run of the program printed, and its exit status.
struct Outcome {
    let status: Int32
    let output, errors: String

    /// The object on standard output.
    var json: [String: Any] {
        get throws { try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any] ?? [:] }
    }
}

/// Collects what a command prints.
final class TextBuffer: TextStream {
    private(set) var text = ""
    /// Fails at the first text, if this is set.
    var nextFailure: Failure?
    private(set) var failure: Failure?

    func write(_ text: String) {
        failure = failure ?? nextFailure
        if failure == nil { self.text += text }
    }
}

/// Runs commands in this process, in an environment without a kernel: devices are files in a folder that goes with the
/// object, and a closure takes the place of the hibernation.
///
/// The folder stands for /dev, in arguments as in what is printed.
final class CommandFixture {
    let devices: FakeDevices
    let hibernation = FakeHibernation()
    /// Its folder stands for /.
    let boot: FakeBoot
    var isRoot = true
    /// Why standard output takes no text.
    var outputFailure: Failure?
    /// The time of day: 2026-01-01T12:00:00Z
    let time = Date(timeIntervalSince1970: TimeInterval(FakeDevices.standardTime))
    /// Lines for the kernel's log.
    private(set) var kernelLog: [String] = []
    /// What the monotonic clock says; the last value stays.
    var milliseconds: [UInt64] = [0]
    let reports: ReportFile
    let programs = FakePrograms()
    /// The answers of a person at the terminal; nobody is there if this is nil.
    var answers: [String]?
    /// A system without systemd, unless a test says otherwise.
    lazy var sleep = FakeSleep(in: devices.folder)

    init() throws {
        devices = try FakeDevices()
        boot = try FakeBoot(in: devices.folder)
        reports = ReportFile(folder: devices.folder.appending(path: "run/torpor"))
    }

    /// The files that exist on this system.
    var files: Set<String> = []

    /// Runs the program with these arguments.
    func run(_ arguments: String...) -> Outcome { run(arguments) }

    func run(_ arguments: [String]) -> Outcome {
        let output = TextBuffer(), errors = TextBuffer()
        output.nextFailure = outputFailure
        devices.isRoot = isRoot
        let environment = CommandEnvironment(
            terminal: Terminal(
                output: output, errors: errors, columns: 100,
                readLine: answers == nil ? nil : { [self] in answers?.isEmpty == false ? answers?.removeFirst() : nil }),
            devices: devices,
            hibernation: hibernation, boot: boot.system, programs: programs,
            configuration: ConfigurationFile(path: boot.folder.path + ConfigurationFile.standardPath),
            sleep: sleep.system,
            reports: reports, isRoot: isRoot, kernelRelease: "6.12.107", exists: { [self] in files.contains($0) },
            now: { [time] in time },
            milliseconds: { [self] in milliseconds.count > 1 ? milliseconds.removeFirst() : milliseconds[0] },
            log: { [self] in kernelLog.append($0) })
        let status = Torpor.run(arguments.map(devices.real), environment)
        return Outcome(status: status, output: shown(output.text), errors: shown(errors.text))
    }

    private func shown(_ text: String) -> String {
        devices.shown(text.replacing(boot.folder.path + "/", with: "/"))
    }
}

/// A hibernation without a kernel. Each part fails until a test says what it does.
final class FakeHibernation: HibernationSystem {
    typealias Log = (String) -> Void

    /// What the command asked for last.
    private(set) var plan: Hibernate?
    var onCheck: (inout Findings, Log) throws(Failure) -> (path: String, parametersForC: [String]) = {
        (_, _) throws(Failure) in throw Failure("check", "", "nothing is set up")
    }
    var onRun: (inout Findings, Log) throws(Failure) -> Report = {
        (_, _) throws(Failure) in throw Failure("hibernate", "", "nothing is set up")
    }
    var onEstimate: (inout Findings, Bool) throws(Failure) -> Estimate = {
        (_, _) throws(Failure) in throw Failure("estimate", "", "nothing is set up")
    }
    /// The parameters that kernel C needs when kernel B is loaded.
    var parametersForC: [String] = []
    /// Takes the place of erasing; nil erases what is in the file.
    var onErase: (((UInt64, UInt64) -> Void) throws(Failure) -> Erasure?)?
    var onCopies: () throws(Failure) -> [String] = { [] }

    func survey(_ plan: Hibernate, _ log: Log) -> Hibernate.Survey {
        self.plan = plan
        var survey = Hibernate.Survey()
        let result = survey.list.check("kernel B") { (findings) throws(Failure) in
            let result = try onCheck(&findings, log)
            return (result, "it is set up")
        }
        survey.path = result?.path
        survey.parametersForC = result?.parametersForC
        return survey
    }

    /// Why the running kernel cannot hibernate; nil if it can.
    var kernelFailure: Failure?

    func surveyKernel(_ plan: Hibernate, _ log: Log) -> Checklist {
        var list = Checklist()
        list.check("running kernel") { (_) throws(Failure) in
            if let kernelFailure { throw kernelFailure }
            return "it can"
        }
        return list
    }

    func estimate(_ plan: Hibernate, _ findings: inout Findings, isDiskRequired: Bool) throws(Failure) -> Estimate {
        self.plan = plan
        return try onEstimate(&findings, isDiskRequired)
    }

    func run(
        _ plan: Hibernate, _ findings: inout Findings, hooks: JumpHooks, _ log: Log
    ) throws(Failure) -> Report {
        self.plan = plan
        defer { hooks.whenBack() }
        try hooks.whenLoaded(parametersForC)
        return try onRun(&findings, log)
    }

    func eraseImage(after report: Report, _ progress: (UInt64, UInt64) -> Void) throws(Failure) -> Erasure? {
        guard let onErase else { return try Hibernate.eraseImage(after: report, progress) }
        return try onErase(progress)
    }

    func copies(of path: String) throws(Failure) -> [String] { try onCopies() }
}
