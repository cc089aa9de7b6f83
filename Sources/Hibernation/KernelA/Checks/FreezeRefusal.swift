// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// The reason why the kernel refused to jump, from its messages about the freezing of processes and devices
/// (6.12 to 7.3, kernel/power/process.c, drivers/base/power/main.c, kernel/cpu.c, drivers/base/syscore.c).
struct FreezeRefusal: Equatable {
    /// A process that was not frozen.
    struct Task: Equatable {
        var name: String
        var process: UInt64?
        /// The kernel function in which the process waits.
        var function: String?
        var isRunning = false
    }
    /// A device that was not suspended.
    struct Device: Equatable {
        /// nil if the kernel log does not name it.
        var driver: String?
        var name: String
        /// A positive number of errno(3).
        var error: UInt64
    }

    var tasks: [Task] = []
    /// The number of processes that were not frozen. The kernel may name fewer.
    var taskCount: UInt64 = 0
    /// Whether a wakeup event aborted the freezing of processes.
    var isWokenUp = false
    /// Work queues that stayed busy, with the functions that they run: `usb_hub_wq (hub_event)`.
    var queues: [String] = []
    var devices: [Device] = []
    /// The failure of another part of the kernel, as a sentence.
    var other: String?

    /// - Parameter messages: the kernel log from just before the jump on, oldest first.
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
                // The kernel prints such a line in pieces. A message from another CPU may come in between.
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
                other = "a CPU could not be taken offline (\(line.printable))"
            } else if line.contains("System core suspend callback"), line.contains("failed") {
                other = "a core part of the kernel failed to suspend (\(line.printable))"
            }
        }
    }

    /// The failure to report, with the reason that the log gives.
    /// - Parameters:
    ///   - jump: the failure of the jump's system call.
    ///   - isDeviceLost: whether this kernel leaves devices suspended after a refused jump.
    func failure(_ jump: Failure, isDeviceLost: Bool) -> Failure {
        func failure(_ reason: String, _ remedy: String) -> Failure {
            Failure("hibernate", "", reason, remedy: remedy, errno: jump.errno)
        }
        let restart =
            isDeviceLost
            ? "; if a disk does not answer now, restart the system: this kernel may have left it suspended" : ""
        if let device = devices.first {
            let isNVIDIA = device.driver?.utf8.elementsEqual("nvidia".utf8) ?? false
            let driver = device.driver.map { " \($0)" } ?? ""
            let unloading = device.driver.map { " (modprobe -r \($0))" } ?? ""
            return failure(
                "the driver\(driver) refused to freeze its device \(device.name) (\(errorText(CInt(clamping: device.error))))"
                    + FreezeRefusal.more(devices.count - 1, "device"),
                (isNVIDIA
                    ? "load nvidia with NVreg_UseKernelSuspendNotifiers=1"
                    : "end the programs that use that device, or unload its driver\(unloading), and try again")
                    + restart)
        }
        if let task = tasks.first {
            var reason = "the process \(task.name)" + (task.process.map { " (\($0))" } ?? "") + " could not be frozen"
            if task.isRunning {
                reason += ": it runs in the kernel"
            } else if let function = task.function {
                reason += ": it waits in \(function)"
            } else {
                reason += ": it is in uninterruptible sleep (state D)"
            }
            let count = Int(clamping: max(taskCount, UInt64(tasks.count)))
            return failure(
                reason + FreezeRefusal.more(count - 1, "process"),
                "end it, or the cause of its wait (a device, a server or a FUSE program that does not answer), and try again"
            )
        }
        if !queues.isEmpty {
            return failure(
                "the kernel's work queue \(queues.joined(separator: ", ")) stayed busy and could not be frozen",
                "look for a device that does not answer, for example on USB, and try again")
        }
        if let other { return failure(other + restart, "look at dmesg") }
        if isWokenUp {
            return failure("a wakeup event interrupted the freezing of processes", "try again")
        }
        if taskCount > 0 {
            return failure(
                "\(taskCount) processes could not be frozen, and the kernel log does not name them",
                "look for processes in state D (ps -eo pid,stat,wchan,comm), and try again")
        }
        if jump.errno == ErrorNumber.invalid {
            return failure("kernel B is no longer loaded: another program has unloaded it", "try again")
        }
        return failure(
            "the kernel refused to jump (\(jump.reason)), and its log gives no reason",
            "look at dmesg, and try again: another program may have been loading a kernel with kexec")
    }

    /// A clause on further processes or devices: `, and 2 more devices`. It is empty if there are none.
    private static func more(_ count: Int, _ noun: String) -> String {
        guard count > 0 else { return "" }
        let plural = noun.utf8.last == UInt8(ascii: "s") ? "es" : "s"
        return ", and \(count) more \(noun)\(count == 1 ? "" : plural)"
    }

    /// Parses `NAME state:D stack:0 pid:1404 tgid:1404 …`. The kernel pads the name with spaces.
    private static func task(_ text: ArraySlice<UInt8>) -> Task {
        let name = text.before(" state:") ?? text
        let trimmed = name.drop { $0 == UInt8(ascii: " ") }
        let length = trimmed.lastIndex { $0 != UInt8(ascii: " ") }.map { $0 + 1 } ?? trimmed.startIndex
        return Task(
            name: trimmed[..<length].printable, process: text.after(" pid:").flatMap { leadingNumber($0) },
            isRunning: text.after(" state:")?.first == UInt8(ascii: "R"))
    }

    /// Functions at the top of every sleeping task's call trace: they do not show the reason for the wait.
    private static let sleepers = [
        "__schedule", "schedule", "io_schedule", "preempt_schedule", "wait_for_completion", "__wait_for", "do_wait_for",
        "wait_for_common", "__mutex_lock", "mutex_lock", "rwsem_down", "down_read", "down_write", "__down", "down",
        "__wait_on",
        "out_of_line_wait_on", "wait_on_bit", "bit_wait", "__rt_mutex", "rt_mutex", "context_switch", "__switch_to",
        "__percpu_rwsem_wait", "percpu_rwsem_wait", "folio_wait_bit", "folio_wait", "__folio_lock",
    ]

    /// The function and the module that a line of a call trace names: ` fuse_simple_request+0x1a/0x50 [fuse]`. It is nil for a
    /// line with a question mark, which the kernel only guesses.
    private static func function(inTrace line: [UInt8]) -> String? {
        let text = line.drop { $0 == UInt8(ascii: " ") }
        guard text.first != UInt8(ascii: "?"), let name = text.before("+0x"), !name.isEmpty,
            !name.contains(UInt8(ascii: " ")), !name.contains(":")
        else { return nil }
        guard !sleepers.contains(where: { name.starts(with: $0.utf8) }) else { return nil }
        let module = text.after(" [").flatMap { $0.before("]") }
        return name.printable + (module.map { " of \($0.printable)" } ?? "")
    }

    /// The device that one of these messages names. ACTION is `freeze`, `freeze async`, `freeze late` and so on.
    /// `DRIVER DEVICE: PM: failed to ACTION: error -16`, `DRIVER DEVICE: PM: dpm_run_callback(): F returns -5`,
    /// `DRIVER DEVICE: PM: not prepared for power transition: code -16`, `PM: Device NAME failed to ACTION: error -16`.
    private static func device(_ line: [UInt8]) -> Device? {
        if line.starts(with: "PM: Device ".utf8), let name = line[11...].before(" failed to "),
            let error = line.after(": error -")
        {
            return Device(driver: nil, name: name.printable, error: leadingNumber(error) ?? 0)
        }
        guard let device = line.before(": PM: ") ?? line.before(": not prepared for power transition"),
            let rest = line.after(": PM: ") ?? line.after(": "),
            // `DRIVER DEVICE`, in the form of dev_err().
            let space = device.firstIndex(of: UInt8(ascii: " ")), space + 1 < device.endIndex
        else { return nil }
        let error: ArraySlice<UInt8>?
        if rest.starts(with: "failed to ".utf8) {
            // A failure to resume is not a refusal to freeze.
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
