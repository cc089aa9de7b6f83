// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux

@testable import Hibernation

/// Folders that look like /proc, /sys and /dev, with what a test puts there.
final class FakeSystem: Sendable {
    let root: String

    init() throws {
        root = FileManager.default.temporaryDirectory.appending(path: "torpor-\(UUID().uuidString)").path
        for folder in ["proc", "sys", "dev"] { try make(folder) }
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    var folders: SystemFolders {
        SystemFolders(proc: "\(root)/proc", sys: "\(root)/sys", device: "\(root)/dev/snapshot")
    }
    var dev: String { "\(root)/dev" }

    func make(_ folder: String) throws {
        try FileManager.default.createDirectory(atPath: "\(root)/\(folder)", withIntermediateDirectories: true)
    }

    func write(_ path: String, _ text: String) throws {
        try make((path as NSString).deletingLastPathComponent)
        try text.write(toFile: "\(root)/\(path)", atomically: false, encoding: .utf8)
    }

    func link(_ path: String, _ target: String) throws {
        try make((path as NSString).deletingLastPathComponent)
        try FileManager.default.createSymbolicLink(atPath: "\(root)/\(path)", withDestinationPath: target)
    }

    func remove(_ path: String) throws { try FileManager.default.removeItem(atPath: "\(root)/\(path)") }

    /// A process with one thread.
    func addProcess(
        _ number: Int, _ name: String, state: String = "S", flags: Int = 0x40_0000, waitsIn: String = "0",
        switches: Int = 7
    ) throws {
        for folder in ["proc/\(number)", "proc/\(number)/task/\(number)"] {
            try write("\(folder)/comm", name + "\n")
            try write(
                "\(folder)/stat", "\(number) (\(name)) \(state) 1 \(number) \(number) 0 -1 \(flags) 0 0 0 0 0 0\n")
            try write(
                "\(folder)/status",
                "Name:\t\(name)\nvoluntary_ctxt_switches:\t\(switches)\nnonvoluntary_ctxt_switches:\t1\n")
            try write("\(folder)/wchan", waitsIn)
        }
        try make("proc/\(number)/fd")
    }

    /// A kernel thread.
    /// - Parameter processors: the CPUs that it may run on, as the kernel writes them.
    func addKernelThread(
        _ number: Int, _ name: String, state: String = "S", isBound: Bool = false, processors: String
    ) throws {
        try addProcess(number, name, state: state, flags: isBound ? 0x0420_8040 : 0x20_8040)
        try write("proc/\(number)/status", "Name:\t\(name)\nCpus_allowed:\t\(processors)\nCpus_allowed_list:\t0-1\n")
    }

    /// A watchdog whose device node is a pipe, so that a test can read what it was told.
    func addWatchdog(
        _ number: Int, state: String? = "inactive", seconds: Int = 30, nowayout: Int = 0,
        identity: String = "i6300ESB timer",
        parent: String? = "0000:00:05.0", module: String? = nil
    ) throws {
        let folder = "sys/class/watchdog/watchdog\(number)"
        try make(folder)
        if let state {
            try write("\(folder)/state", state + "\n")
            try write("\(folder)/timeout", "\(seconds)\n")
            try write("\(folder)/nowayout", "\(nowayout)\n")
            try write("\(folder)/identity", identity + "\n")
        }
        if let parent {
            try make("sys/devices/\(parent)/driver")
            try link("\(folder)/device", "\(root)/sys/devices/\(parent)")
            if let module {
                try write("sys/module/\(module)/initstate", "live\n")
                try link("sys/devices/\(parent)/driver/module", "\(root)/sys/module/\(module)")
            }
        }
        _ = mkfifo("\(root)/dev/watchdog\(number)", 0o600)
    }

    /// What a pipe in /dev was told while `body` ran.
    func said(to name: String, _ body: () throws -> Void) throws -> String {
        let descriptor = open("\(root)/dev/\(name)", O_RDWR | O_NONBLOCK)
        defer { close(descriptor) }
        try body()
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(descriptor, &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }

    /// Whether this process has a file of this system open.
    func isOpen(_ path: String) -> Bool {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return names.contains {
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")) == "\(root)/\(path)"
        }
    }
}
