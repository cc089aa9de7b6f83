// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// The target of a symbolic link; nil if the path is not a symbolic link. The corresponding C function is `readlink`.
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

/// The processes in /proc (proc(5)). A process that ends while it is read is left out.
public struct ProcessTable: Sendable {
    private let proc: String

    /// - Parameter proc: the mount point of proc.
    public init(_ proc: String = "/proc") { self.proc = proc }

    /// A thread of a user process in uninterruptible sleep (`D`), killable or not.
    public struct UninterruptibleThread: Equatable, Sendable {
        public var process: Int32
        public var thread: Int32
        public var name: String
        /// The number of its context switches. If it does not change, the thread has not run in between.
        public var switches: UInt64
    }

    /// A thread of the kernel.
    public struct KernelThread: Equatable, Sendable {
        public var thread: Int32
        public var name: String
        /// Whether the kernel refuses to move the thread to other CPUs.
        public var isBound: Bool
        /// The CPUs that it may run on.
        public var processors: ProcessorMask
    }

    /// The process IDs.
    public var processes: [Int32] {
        ((try? listDirectory(proc)) ?? []).compactMap { parseNumber($0).flatMap { Int32(exactly: $0) } }
    }

    /// The name of a process for messages: `dd (1234)`.
    public func describe(_ process: Int32) -> String {
        guard let name = try? readText("\(proc)/\(process)/comm") else { return "process \(process)" }
        return "\(trimmed(name).utf8.printable) (\(process))"
    }

    /// The first process with an open file whose path in /proc fulfils a condition.
    /// - Parameter isMapped: whether mapped files count too. A mapping outlives its file descriptor.
    public func holder(isMapped: Bool = false, _ isWanted: (String) -> Bool) -> Int32? {
        processes.first { process in
            if files(of: process).contains(where: isWanted) { return true }
            return isMapped
                && hasMapping(process) { fields in
                    // Five fields, then the path, which may contain spaces.
                    fields.count == 6 && isWanted(trimmed(String(fields[5])))
                }
        }
    }

    /// Whether any mapping of a process fulfils a condition. /proc/PID/maps is read line by line: it may have any length.
    /// - Parameter isWanted: gets the five fields of a line, and the path if there is one.
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

    /// The user threads that are in uninterruptible sleep now. Kernel threads are left out: the kernel does not freeze them for
    /// a jump.
    public var uninterruptibleThreads: [UninterruptibleThread] {
        processes.flatMap { process in
            ((try? listDirectory("\(proc)/\(process)/task")) ?? []).compactMap {
                uninterruptibleThread(process, "\(proc)/\(process)/task/\($0)")
            }
        }
    }

    /// The kernel's threads.
    public var kernelThreads: [KernelThread] {
        processes.compactMap { process in
            let folder = "\(proc)/\(process)"
            guard let stat = ThreadStat(folder), stat.isKernelThread,
                let status = try? readText("\(folder)/status"), let text = value("Cpus_allowed", in: status),
                let processors = ProcessorMask(kernelText: text)
            else { return nil }
            return KernelThread(
                thread: process, name: stat.name.printable, isBound: stat.isBound, processors: processors)
        }
    }

    /// Whether a thread runs, or waits for a disk or a lock. False if it has ended.
    public func isBusy(_ thread: Int32) -> Bool {
        guard let state = ThreadStat("\(proc)/\(thread)")?.state else { return false }
        return state == UInt8(ascii: "R") || state == UInt8(ascii: "D")
    }

    private func uninterruptibleThread(_ process: Int32, _ folder: String) -> UninterruptibleThread? {
        guard let stat = ThreadStat(folder), let thread = parseNumber(lastComponent(folder)),
            stat.state == UInt8(ascii: "D"), !stat.isKernelThread
        else { return nil }
        let status = (try? readText("\(folder)/status")) ?? ""
        let switches =
            (number("voluntary_ctxt_switches", in: status) ?? 0)
            &+ (number("nonvoluntary_ctxt_switches", in: status) ?? 0)
        return UninterruptibleThread(
            process: process, thread: Int32(truncatingIfNeeded: thread), name: stat.name.printable,
            switches: switches)
    }

    /// The kernel function in which a thread sleeps (/proc/PID/wchan); nil if the kernel does not show it.
    public func waitChannel(_ thread: UninterruptibleThread) -> String? {
        guard let text = try? readText("\(proc)/\(thread.process)/task/\(thread.thread)/wchan") else { return nil }
        let name = trimmed(text)
        return name.isEmpty || name == "0" ? nil : name.utf8.printable
    }
}
