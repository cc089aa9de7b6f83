// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// A limit on this process's memory, below the machine's memory.
public struct MemoryLimit: Equatable, Sendable {
    /// Bytes that this process may still allocate.
    public var bytes: UInt64
    /// The limit's name for messages: `memory.max of the control group /user.slice`.
    public var name: String
    /// The way to lift it, as an imperative.
    public var remedy: String

    public init(bytes: UInt64, name: String, remedy: String) {
        self.bytes = bytes
        self.name = name
        self.remedy = remedy
    }
}

/// The tightest memory limit on this process's control group and its ancestors; nil if there is none.
///
/// A group's inactive page cache counts as free: the kernel reclaims it first.
/// - Parameters:
///   - groups: the text of /proc/self/cgroup (cgroups(7)).
///   - mounts: the text of /proc/self/mountinfo.
///   - root: a prefix of all paths in `mounts`, for tests.
public func controlGroupLimit(groups: String, mounts: String, root: String = "") -> MemoryLimit? {
    var limits: [MemoryLimit] = []
    for line in groups.split(separator: "\n") {
        let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard fields.count == 3 else { continue }
        let isUnified = fields[0].utf8.elementsEqual("0".utf8) && fields[1].isEmpty
        let isMemory = fields[1].split(separator: ",").contains { $0.utf8.elementsEqual("memory".utf8) }
        guard isUnified || isMemory else { continue }
        guard let folder = mountPoint(ofGroups: isUnified ? nil : "memory", in: mounts) else { continue }
        var path = fields[2].split(separator: "/").map { String($0) }
        // In a container, /proc/self/cgroup may name a group outside of the mount. Then the root of the mount counts.
        if !exists(root + folder + "/" + path.joined(separator: "/")) { path = [] }
        while true {
            let group = "/" + path.joined(separator: "/")
            limits += memoryLimits(root + folder + group, group, isUnified: isUnified)
            if path.popLast() == nil { break }
        }
    }
    return limits.min { $0.bytes < $1.bytes }
}

/// The tightest memory limit on this process's control group and its ancestors, read from /proc; nil if there is none.
/// - Parameters:
///   - proc: the mount point of proc.
///   - root: a prefix of all paths in the table of mounts, for tests.
public func controlGroupLimit(proc: String = "/proc", root: String = "") -> MemoryLimit? {
    guard let groups = try? readText("\(proc)/self/cgroup") else { return nil }
    // The table may have any length. Only its few lines about control groups are kept.
    var mounts = ""
    try? readLines("\(proc)/self/mountinfo") { (line) throws(Failure) in
        if line.containsBytes(" - cgroup") { mounts += line + "\n" }
        return true
    }
    return controlGroupLimit(groups: groups, mounts: mounts, root: root)
}

/// The mount point of a control group hierarchy; nil if it is not mounted.
/// - Parameter controller: a controller of version 1; nil for version 2.
private func mountPoint(ofGroups controller: String?, in mounts: String) -> String? {
    for line in mounts.split(separator: "\n") {
        let fields = line.split(separator: " ")
        guard let separator = fields.firstIndex(of: "-"), separator > 4, fields.count > separator + 3 else { continue }
        let type = fields[separator + 1]
        if let controller {
            guard type.utf8.elementsEqual("cgroup".utf8),
                fields[separator + 3].split(separator: ",").contains(where: { $0.utf8.elementsEqual(controller.utf8) })
            else { continue }
        } else if !type.utf8.elementsEqual("cgroup2".utf8) {
            continue
        }
        return String(fields[4])
    }
    return nil
}

/// The memory limits of one control group.
private func memoryLimits(_ folder: String, _ group: String, isUnified: Bool) -> [MemoryLimit] {
    func value(_ name: String) -> UInt64? {
        (try? readText("\(folder)/\(name)")).flatMap { parseNumber(trimmed($0)) }
    }
    let statistics = (try? readText("\(folder)/memory.stat")) ?? ""
    let cache = number(isUnified ? "inactive_file" : "total_inactive_file", in: statistics) ?? 0
    guard let total = value(isUnified ? "memory.current" : "memory.usage_in_bytes") else { return [] }
    let used = total - min(total, cache)
    return (isUnified ? ["memory.max", "memory.high"] : ["memory.limit_in_bytes"]).compactMap { name in
        // Version 1 shows "no limit" as the largest multiple of the page size in 63 bits.
        guard let limit = value(name), limit < 1 << 62 else { return nil }
        return MemoryLimit(
            bytes: limit - min(limit, used), name: "\(name) of the control group \(group)",
            remedy: "run torpor outside that group, or raise the limit (with systemd: MemoryMax=, MemoryHigh=)")
    }
}

/// The limits of setrlimit(2) on this process's memory, without those that are unlimited.
public func processMemoryLimits() -> [MemoryLimit] {
    let status = (try? readText("/proc/self/status")) ?? ""
    return [
        (torpor_address_space_limit(), "VmSize", "RLIMIT_AS", "-v"),
        (torpor_data_limit(), "VmData", "RLIMIT_DATA", "-d"),
    ]
    .compactMap { limit, field, name, option in
        guard limit != .max else { return nil }
        let used = (number(field, in: status) ?? 0) &* 1024
        return MemoryLimit(
            bytes: limit - min(limit, used), name: "this process's \(name)",
            remedy: "raise the limit with: ulimit \(option) unlimited")
    }
}

/// The largest file that this process may write, in bytes (RLIMIT_FSIZE); `UInt64.max` for no limit.
public func fileSizeLimit() -> UInt64 { torpor_file_size_limit() }
