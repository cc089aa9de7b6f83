// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// What a symbolic link holds; nil if there is none. The corresponding C function is `readlink`.
public func readLink(_ path: String) -> String? {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink(path, &buffer, buffer.count)
    guard count > 0 else { return nil }
    return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// The last part of a path.
public func lastComponent(_ path: String) -> String {
    path.split(separator: "/").last.map { String($0) } ?? path
}

/// The processes of the system, as /proc shows them (proc(5)). A process that ends meanwhile is left out.
public struct ProcessTable: Sendable {
    private let proc: String

    /// - Parameter proc: where proc is mounted.
    public init(_ proc: String = "/proc") { self.proc = proc }

    /// One thread of a user's process that waits and cannot be interrupted, killed or not (`D`).
    public struct Waiting: Equatable, Sendable {
        public var process: Int32
        public var thread: Int32
        public var name: String
        /// How often the thread has slept: a count that stands still means that it sleeps since.
        public var switches: UInt64
    }

    public var processes: [Int32] {
        ((try? listDirectory(proc)) ?? []).compactMap { parseNumber($0).flatMap { Int32(exactly: $0) } }
    }

    /// A process as a message names it: `dd (1234)`.
    public func describe(_ process: Int32) -> String {
        guard let name = try? readText("\(proc)/\(process)/comm") else { return "process \(process)" }
        return "\(trimmed(name).utf8.printable) (\(process))"
    }

    /// The first process that has a file open, or mapped, whose path in /proc fulfils a condition.
    /// - Parameter isMapped: whether to look at mappings too, which outlive the open file.
    public func holder(isMapped: Bool = false, _ isWanted: (String) -> Bool) -> Int32? {
        processes.first { process in
            if files(of: process).contains(where: isWanted) { return true }
            return isMapped
                && hasMapping(process) { fields in
                    // Five fields, then the path, which may have spaces.
                    fields.count == 6 && isWanted(trimmed(String(fields[5])))
                }
        }
    }

    /// Whether a line of a process's table of mappings fulfils a condition; the table has any length.
    /// - Parameter isWanted: takes the five fields, and the path if there is one.
    public func hasMapping(_ process: Int32, _ isWanted: ([Substring]) -> Bool) -> Bool {
        var result = false
        try? readLines("\(proc)/\(process)/maps") { (line) throws(Failure) in
            result = isWanted(line.split(separator: " ", maxSplits: 5))
            return !result
        }
        return result
    }

    /// The paths of the files that a process has open.
    public func files(of process: Int32) -> [String] {
        let folder = "\(proc)/\(process)/fd"
        return ((try? listDirectory(folder)) ?? []).compactMap { readLink("\(folder)/\($0)") }
    }

    /// The threads of user space that wait uninterruptibly now. Kernel threads are left out: nobody freezes them for a jump.
    public var waiting: [Waiting] {
        processes.flatMap { process in
            ((try? listDirectory("\(proc)/\(process)/task")) ?? []).compactMap {
                waiting(process, "\(proc)/\(process)/task/\($0)")
            }
        }
    }

    private func waiting(_ process: Int32, _ folder: String) -> Waiting? {
        guard let line = try? readText("\(folder)/stat"), let thread = parseNumber(lastComponent(folder)) else {
            return nil
        }
        // The name is in parentheses, and may have parentheses itself.
        let bytes = Array(line.utf8)
        guard let open = bytes.firstIndex(of: UInt8(ascii: "(")), let close = bytes.lastIndex(of: UInt8(ascii: ")")),
            open < close
        else { return nil }
        let fields = bytes[(close + 1)...].split(separator: UInt8(ascii: " "))
        // State, then five numbers, then the flags: PF_KTHREAD of <linux/sched.h>.
        guard fields.count > 6, fields[0].elementsEqual([UInt8(ascii: "D")]),
            let flags = parseNumber(String(decoding: fields[6], as: UTF8.self)), flags & 0x0020_0000 == 0
        else { return nil }
        let status = (try? readText("\(folder)/status")) ?? ""
        let switches =
            (number("voluntary_ctxt_switches", in: status) ?? 0)
            &+ (number("nonvoluntary_ctxt_switches", in: status) ?? 0)
        return Waiting(
            process: process, thread: Int32(truncatingIfNeeded: thread), name: bytes[(open + 1)..<close].printable,
            switches: switches)
    }

    /// The kernel's function in which a thread waits; nil if the kernel does not tell.
    public func waitChannel(_ thread: Waiting) -> String? {
        guard let text = try? readText("\(proc)/\(thread.process)/task/\(thread.thread)/wchan") else { return nil }
        let name = trimmed(text)
        return name.isEmpty || name == "0" ? nil : name.utf8.printable
    }
}
