// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// Why the kernel refused to jump, as far as its log tells: what it logs when it freezes processes and devices
/// (6.12 to 7.3, kernel/power/process.c, drivers/base/power/main.c, kernel/cpu.c, drivers/base/syscore.c).
struct FreezeRefusal: Equatable {
    /// A process that was not frozen.
    struct Task: Equatable {
        var name: String
        var process: UInt64?
        /// The kernel's function in which it waits.
        var function: String?
        var isRunning = false
    }
    /// A device that was not suspended.
    struct Device: Equatable {
        var driver: String
        var name: String
        /// A number of errno(3), positive.
        var error: UInt64
    }

    var tasks: [Task] = []
    /// How many there were: the kernel may name fewer.
    var taskCount: UInt64 = 0
    /// Whether something woke the system up while processes were being frozen.
    var isWokenUp = false
    /// Work queues that did not come to an end, with what they do.
    var queues: [String] = []
    var devices: [Device] = []
    /// Another part of the kernel that failed, as a sentence.
    var other: String?

    /// - Parameter messages: the kernel's log since just before the jump, oldest first.
    init(_ messages: [String]) {
        var isNaming = false
        var queue = ""
        for text in messages {
            let line = Array(text.utf8)
            if line.contains("Freezing "), let rest = line.after(" failed after ") ?? line.after(" aborted after ") {
                isNaming = true
                isWokenUp = line.contains(" aborted after ")
                taskCount = rest.after("(").flatMap { FreezeRefusal.leadingNumber($0) } ?? 0
            } else if isNaming, line.starts(with: "task:".utf8) {
                tasks.append(FreezeRefusal.task(line[5...]))
            } else if isNaming, let last = tasks.indices.last, tasks[last].process == nil,
                let rest = line.after(" pid:")
            {
                // The kernel puts such a line together from pieces; what another CPU logs may come in between.
                tasks[last].process = FreezeRefusal.leadingNumber(rest)
            } else if isNaming, let last = tasks.indices.last, tasks[last].function == nil,
                let function = FreezeRefusal.function(inTrace: line)
            {
                tasks[last].function = function
            } else if isNaming, line.starts(with: "workqueue ".utf8), let name = line[10...].before(":") {
                queue = name.printable
            } else if isNaming, !queue.isEmpty, let work = line.after("in-flight: ") {
                let functions = work.split(separator: UInt8(ascii: ",")).map { item in
                    (item.after(":") ?? item).filter { $0 != UInt8(ascii: " ") }.printable
                }
                queues.append("\(queue) (\(functions.joined(separator: ", ")))")
                queue = ""
            } else if let device = FreezeRefusal.device(line) {
                if !devices.contains(where: { $0.name == device.name && $0.driver == device.driver }) {
                    devices.append(device)
                }
            } else if line.starts(with: "Error taking CPU".utf8), line.contains(" down: ") {
                other = "a CPU could not be switched off (\(line.printable))"
            } else if line.contains("System core suspend callback"), line.contains("failed") {
                other = "a core part of the kernel failed to suspend (\(line.printable))"
            }
        }
    }

    /// What the message about it says.
    /// - Parameters:
    ///   - jump: how the jump failed.
    ///   - isDeviceLost: whether this kernel leaves devices suspended then.
    func failure(_ jump: Failure, isDeviceLost: Bool) -> Failure {
        func failure(_ reason: String, _ remedy: String) -> Failure {
            Failure("hibernate", "", reason, remedy: remedy, errno: jump.errno)
        }
        let restart =
            isDeviceLost
            ? "; if a disk does not answer now, restart the system: this kernel may have left it suspended" : ""
        if let device = devices.first {
            let isNVIDIA = device.driver.utf8.elementsEqual("nvidia".utf8)
            return failure(
                "the driver \(device.driver) refused to freeze its device \(device.name) (\(errorText(CInt(clamping: device.error))))"
                    + FreezeRefusal.more(devices.count - 1, "device"),
                (isNVIDIA
                    ? "load nvidia with NVreg_UseKernelSuspendNotifiers=1"
                    : "end what uses that device, or unload the driver (modprobe -r \(device.driver)), and try again")
                    + restart)
        }
        if let task = tasks.first {
            let who = "the process \(task.name)" + (task.process.map { " (\($0))" } ?? "")
            var reason = "\(who) could not be frozen"
            if task.isRunning {
                reason += ": it runs in the kernel"
            } else if let function = task.function {
                reason += ": it waits in \(function)"
            } else {
                reason += ": it waits and cannot be interrupted"
            }
            let count = Int(clamping: max(taskCount, UInt64(tasks.count)))
            return failure(
                reason + FreezeRefusal.more(count - 1, "process"),
                "end it, or what it waits for (a device, a server or a FUSE program that does not answer), and try again"
            )
        }
        if !queues.isEmpty {
            return failure(
                "the kernel's work queue \(queues.joined(separator: ", ")) did not come to an end",
                "look for a device that does not answer, for example on USB, and try again")
        }
        if let other { return failure(other + restart, "look at dmesg") }
        if isWokenUp {
            return failure("something woke the system up while it was being frozen", "try again")
        }
        if taskCount > 0 {
            return failure(
                "\(taskCount) processes could not be frozen, and the kernel's log does not name them",
                "look for processes in state D (ps -eo pid,stat,wchan,comm), and try again")
        }
        if jump.errno == ErrorNumber.invalid {
            return failure("kernel B is not loaded any more: another program has unloaded it", "try again")
        }
        return failure(
            "the kernel refused to jump (\(jump.reason)), and its log does not tell why",
            "look at dmesg; another program may be loading a kernel with kexec: try again")
    }

    private static func more(_ count: Int, _ noun: String) -> String {
        guard count > 0 else { return "" }
        let plural = noun.utf8.last == UInt8(ascii: "s") ? "es" : "s"
        return ", and \(count) more \(noun)\(count == 1 ? "" : plural)"
    }

    /// `NAME state:D stack:0 pid:1404 tgid:1404 …`, the name filled up with spaces.
    private static func task(_ text: ArraySlice<UInt8>) -> Task {
        let name = text.before(" state:") ?? text
        let trimmed = name.drop { $0 == UInt8(ascii: " ") }
        let length = trimmed.lastIndex { $0 != UInt8(ascii: " ") }.map { $0 + 1 } ?? trimmed.startIndex
        return Task(
            name: trimmed[..<length].printable, process: text.after(" pid:").flatMap { leadingNumber($0) },
            isRunning: text.after(" state:")?.first == UInt8(ascii: "R"))
    }

    /// Functions that every sleep has at the top of its trace.
    private static let sleepers = [
        "__schedule", "schedule", "io_schedule", "preempt_schedule", "wait_for_completion", "__wait_for", "do_wait_for",
        "wait_for_common", "__mutex_lock", "mutex_lock", "rwsem_down", "down_read", "down_write", "__down", "down",
        "__wait_on",
        "out_of_line_wait_on", "wait_on_bit", "bit_wait", "__rt_mutex", "rt_mutex", "context_switch", "__switch_to",
        "__percpu_rwsem_wait", "percpu_rwsem_wait", "folio_wait_bit", "folio_wait", "__folio_lock",
    ]

    /// The function that a line of a call trace names, ` fuse_simple_request+0x1a/0x50 [fuse]`, with its module. Lines with a
    /// question mark are guesses of the kernel's.
    private static func function(inTrace line: [UInt8]) -> String? {
        let text = line.drop { $0 == UInt8(ascii: " ") }
        guard text.first != UInt8(ascii: "?"), let name = text.before("+0x"), !name.isEmpty,
            !name.contains(UInt8(ascii: " ")), !name.contains(":")
        else { return nil }
        guard !sleepers.contains(where: { name.starts(with: $0.utf8) }) else { return nil }
        let module = text.after(" [").flatMap { $0.before("]") }
        return name.printable + (module.map { " of \($0.printable)" } ?? "")
    }

    /// The device of one of these, in which ACTION is `freeze`, `freeze async`, `freeze late` and so on:
    /// `DRIVER DEVICE: PM: failed to ACTION: error -16`, `DRIVER DEVICE: PM: dpm_run_callback(): F returns -5`,
    /// `DRIVER DEVICE: PM: not prepared for power transition: code -16`, `PM: Device NAME failed to ACTION: error -16`.
    private static func device(_ line: [UInt8]) -> Device? {
        if line.starts(with: "PM: Device ".utf8), let name = line[11...].before(" failed to "),
            let error = line.after(": error -")
        {
            return Device(driver: "of it", name: name.printable, error: leadingNumber(error) ?? 0)
        }
        guard let device = line.before(": PM: ") ?? line.before(": not prepared for power transition"),
            let rest = line.after(": PM: ") ?? line.after(": "),
            // `DRIVER DEVICE`, as dev_err writes it.
            let space = device.firstIndex(of: UInt8(ascii: " ")), space + 1 < device.endIndex
        else { return nil }
        let error: ArraySlice<UInt8>?
        if rest.starts(with: "failed to ".utf8) {
            // Resuming again may fail as well; that is no refusal.
            guard !rest.starts(with: "failed to re".utf8), !rest.starts(with: "failed to thaw".utf8) else { return nil }
            error = rest.after(": error -")
        } else if rest.contains("not prepared for power transition") {
            error = rest.after("code -")
        } else {
            guard rest.contains("_suspend") || rest.contains("_freeze") || rest.contains("dpm_run_callback"),
                !["_resume", "_thaw", "_restore"].contains(where: { rest.contains($0) })
            else { return nil }
            error = rest.after(" returns -")
        }
        guard let error, let number = leadingNumber(error) else { return nil }
        return Device(driver: device[..<space].printable, name: device[(space + 1)...].printable, error: number)
    }

    private static func leadingNumber(_ text: ArraySlice<UInt8>) -> UInt64? {
        parseNumber(
            String(decoding: text.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }, as: UTF8.self))
    }
}
