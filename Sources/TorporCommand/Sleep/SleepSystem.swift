// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import FoundationEssentials
import Linux

/// The part of a system that `torpor sleep` uses besides the hibernation. A test replaces any part of it.
struct SleepSystem: RootedFiles {
    /// Stands before every path; a test puts a folder there.
    var root = ""
    var programs: any ProgramRunner = LinuxPrograms()
    /// The environment variables of this process; drop-ins of systemd's services set them.
    var variables = ProcessInfo.processInfo.environment
    /// Milliseconds that also grow while the machine is asleep.
    var bootMilliseconds: () -> UInt64 = millisecondsSinceBoot
    /// Sets an alarm that wakes the machine after some milliseconds.
    var wakeAlarm: (UInt64) throws(Failure) -> any WakeAlarm = { (time) throws(Failure) in try ClockAlarm(time) }
    /// Writes to a file of sysfs, with one system call.
    var writeToKernel: (_ path: String, _ text: String) throws(Failure) -> Void = { (path, text) throws(Failure) in
        try File(path, .write).write(line: text)
    }

    /// The text of a file without the white space at its end; nil if it cannot be read.
    func text(_ path: String) -> String? {
        guard let bytes = try? readFile(real(path)) else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        return String(text.prefix(text.count - text.reversed().prefix { $0.isWhitespace }.count))
    }

    func write(_ path: String, _ text: String) throws(Failure) { try writeToKernel(real(path), text) }

    /// Runs a program for at most 90 seconds, as long as systemd waits for most replies.
    /// - Returns: nil if it could not be started.
    func run(_ name: String, _ arguments: String...) -> ProgramResult? {
        try? programs.run(Program(name, arguments), milliseconds: 90_000)
    }

    /// Whether a unit of systemd is active; false without systemd.
    func isActive(_ unit: String) -> Bool { run("systemctl", "is-active", "--quiet", unit)?.isSuccess == true }
}

private func millisecondsSinceBoot() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_BOOTTIME, &now)
    return UInt64(now.tv_sec) * 1000 + UInt64(now.tv_nsec) / 1_000_000
}

/// An alarm that wakes the machine from suspend.
protocol WakeAlarm {
    /// Whether its time is over, or so nearly that it is the alarm that woke the machine.
    func hasRung() throws(Failure) -> Bool
}

/// An alarm of the kernel, which sets the real-time clock while the machine is asleep (kernel/time/alarmtimer.c).
final class ClockAlarm: WakeAlarm {
    /// How early the alarm may wake the machine, in milliseconds. The real-time clock counts whole seconds: the kernel may set
    /// it for a second too early, and measures the sleep with it (6.12, kernel/time/alarmtimer.c, `alarmtimer_suspend`;
    /// arch/x86/kernel/rtc.c, `read_persistent_clock64`).
    private static let earliness: UInt64 = 2000

    private let descriptor: CInt
    /// In milliseconds of the clock that goes on during a suspend.
    private let end: UInt64

    init(_ milliseconds: UInt64) throws(Failure) {
        end = millisecondsSinceBoot() &+ milliseconds
        descriptor = torpor_wake_alarm(milliseconds)
        guard descriptor >= 0 else {
            throw Failure(
                lastError: "set", "an alarm that wakes the machine",
                remedy: "suspend-then-hibernate needs a real-time clock that can wake it")
        }
    }

    deinit { close(descriptor) }

    func hasRung() throws(Failure) -> Bool {
        let now = millisecondsSinceBoot(), left = end > now ? end - now : 0
        guard left <= ClockAlarm.earliness else { return false }
        var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return try retrying("look at", "the alarm") { poll(&polled, 1, CInt(left) + 500) } > 0
    }
}
