// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation

@testable import TorporCommand

/// A system for `torpor sleep` whose root is a folder. Programs of systemd are played, hooks really run. Everything that
/// happens is recorded in one list, in its order.
final class FakeSleep: ProgramRunner {
    /// The version that systemctl tells; nil without systemd.
    var systemdVersion: String?
    var activeUnits: Set<String> = []
    var variables: [String: String] = [:]
    /// What systemctl and busctl answer; for other calls, success.
    var answers: [String: ProgramResult] = [:]
    /// Milliseconds since boot.
    var time: UInt64 = 1_000_000
    /// Takes the place of a suspend: how long it lasts, from the milliseconds of the alarm; nil without an alarm.
    var sleeps: [(FakeSleep, UInt64?) -> UInt64] = []
    /// Why the kernel does not suspend.
    var suspendFailure: Failure?
    var alarmFailure: Failure?
    private(set) var events: [String] = []
    private var alarm: FakeAlarm?
    private let folder: URL

    init(in folder: URL) {
        self.folder = folder.appending(path: "sleep")
        write(Suspend.stateFile, "freeze mem disk\n")
        write(Suspend.modeFile, "s2idle [deep]\n")
    }

    var system: SleepSystem {
        SleepSystem(
            root: folder.path, programs: self, variables: variables, bootMilliseconds: { [self] in time },
            wakeAlarm: { [self] (milliseconds) throws(Failure) in
                if let alarmFailure { throw alarmFailure }
                record("alarm in \(milliseconds / 1000) s")
                let alarm = FakeAlarm(self, end: time + milliseconds)
                self.alarm = alarm
                return alarm
            },
            writeToKernel: { [self] (path, text) throws(Failure) in
                let path = path.replacing(folder.path, with: "")
                record("\(text) > \(path)")
                guard path == Suspend.stateFile else { return }
                guard self.text(path).split(whereSeparator: \.isWhitespace).contains(Substring(text)) else {
                    throw Failure("write", path, "Invalid argument")
                }
                if let suspendFailure { throw suspendFailure }
                let end = alarm.map { $0.end > time ? $0.end - time : 0 }
                // Without an order, nobody wakes the machine but the alarm.
                time += sleeps.isEmpty ? end ?? 0 : sleeps.removeFirst()(self, end)
                alarm = nil
            })
    }

    func record(_ event: String) { events.append(event) }

    func url(_ path: String) -> URL { folder.appending(path: path) }

    func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: url(path).path) }

    func text(_ path: String) -> String { (try? String(contentsOf: url(path), encoding: .utf8)) ?? "" }

    func write(_ path: String, _ text: String) {
        try? FileManager.default.createDirectory(
            at: url(path).deletingLastPathComponent(), withIntermediateDirectories: true)
        try? Data(text.utf8).write(to: url(path))
    }

    /// Adds a shell script as a hook. `$log` is a file whose lines become events.
    func hook(_ name: String, _ script: String, interpreter: String = "/bin/sh", mode: Int = 0o755) throws {
        let path = url("\(HookPrograms.folder)/\(name)")
        try FileManager.default.createDirectory(at: path.deletingLastPathComponent(), withIntermediateDirectories: true)
        // Another process writes it. The kernel executes no file that is open for writing (ETXTBSY), and a process that another
        // test forks meanwhile would hold this one's descriptors until it executes a program.
        let text = "#!\(interpreter)\nlog='\(logFile.path)'\n\(script)\n"
        let command = "printf %s \"$1\" >\"$2\" && chmod \"$3\" \"$2\""
        let result = try LinuxPrograms().run(
            Program("/bin/sh", ["-c", command, "sh", text, path.path, String(mode, radix: 8)]))
        guard result.isSuccess else { throw Failure("write", path.path, result.errors) }
    }

    /// A hook that records its arguments and SYSTEMD_SLEEP_ACTION.
    func recordingHook(_ name: String) throws {
        try hook(name, "echo \"\(name) $* ($SYSTEMD_SLEEP_ACTION)\" >>\"$log\"")
    }

    private var logFile: URL { folder.appending(path: "hooks.log") }

    /// How long hooks may run in this test, in milliseconds.
    var hookLimit: Int?

    func run(_ programs: [Program], milliseconds: Int?) -> [Result<ProgramResult, Failure>] {
        if programs.count != 1 || programs.first?.name.hasPrefix("/") == true {
            // Hooks.
            try? Data().write(to: logFile)
            let results = LinuxPrograms(graceMilliseconds: 100).run(programs, milliseconds: hookLimit ?? milliseconds)
            let lines = (try? String(contentsOf: logFile, encoding: .utf8))?.split(separator: "\n") ?? []
            events += lines.sorted().map(String.init)
            return results
        }
        return programs.map { program in
            let call = ([program.name] + program.arguments).joined(separator: " ")
            guard let systemdVersion else { return .failure(Failure("run", program.name, "No such file or directory")) }
            if call == "systemctl --version" {
                return .success(ProgramResult(end: .exited(0), output: "systemd \(systemdVersion)\n+PAM +AUDIT\n"))
            }
            if program.arguments.prefix(2) == ["is-active", "--quiet"] {
                return .success(ProgramResult(end: .exited(activeUnits.contains(program.arguments[2]) ? 0 : 3)))
            }
            record(call)
            return .success(answers[call] ?? ProgramResult(end: .exited(0)))
        }
    }

    /// A battery, or another supply, with the attributes of sysfs.
    func supply(_ name: String, _ attributes: [String: String]) {
        for (attribute, value) in attributes {
            write("\(PowerSupplies.folder)/\(name)/\(attribute)", "\(value)\n")
        }
    }

    func battery(_ capacity: Int, status: String = "Discharging", name: String = "BAT0") {
        supply(
            name,
            [
                "type": "Battery", "present": "1", "status": status, "capacity": "\(capacity)",
                "manufacturer": "Some Maker", "model_name": "M 1", "serial_number": "7",
            ])
    }
}

/// An alarm on the clock of a `FakeSleep`.
private struct FakeAlarm: WakeAlarm {
    let sleep: FakeSleep
    let end: UInt64

    init(_ sleep: FakeSleep, end: UInt64) {
        self.sleep = sleep
        self.end = end
    }

    func hasRung() -> Bool { sleep.time >= end }
}
