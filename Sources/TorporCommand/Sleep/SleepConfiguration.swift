// SPDX-License-Identifier: Apache-2.0

/// The settings of sleep.conf(5) that `torpor sleep` follows.
struct SleepConfiguration: Equatable {
    /// nil if it is not set.
    var allowSuspend, allowHibernation, allowSuspendThenHibernate: Bool?
    /// Words for /sys/power/state; the first one that the kernel takes is used.
    var suspendStates: [String] = []
    /// Words for /sys/power/mem_sleep; none leaves the kernel's choice.
    var memorySleepModes: [String] = []
    /// Milliseconds; nil if it is not set.
    var hibernateDelay: UInt64?
    /// Milliseconds.
    var suspendEstimation: UInt64 = 3_600_000
    var hibernatesOnACPower = true
    /// Lines that mean nothing, as sentences.
    private(set) var warnings: [String] = []

    /// Reads the files of a system: the first sleep.conf, then all drop-ins sorted by name. A later setting wins. Of drop-ins
    /// with the same name, that of the first folder counts; an empty one hides the others.
    init(_ system: SleepSystem) {
        let folders = ["/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"]
        if let main = folders.map({ "\($0)/sleep.conf" }).first(where: system.exists) { read(main, system) }
        var dropIns: [String: String] = [:]
        for folder in folders.map({ "\($0)/sleep.conf.d" }) {
            for name in system.names(in: folder) where name.hasSuffix(".conf") && dropIns[name] == nil {
                dropIns[name] = "\(folder)/\(name)"
            }
        }
        for name in dropIns.keys.sorted() { if let path = dropIns[name] { read(path, system) } }
        if suspendStates.isEmpty { suspendStates = ["mem", "standby", "freeze"] }
    }

    private mutating func read(_ path: String, _ system: SleepSystem) {
        if let text = system.text(path) { read(text: text, path) }
    }

    private mutating func read(text: String, _ path: String) {
        // A backslash at the end of a line continues it.
        let text = text.replacing("\\\n", with: " ")
        var isInSection = false
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = String(line).trimmed
            if line.isEmpty || line.hasPrefix("#") || line.hasPrefix(";") { continue }
            if line.hasPrefix("[") {
                isInSection = line == "[Sleep]"
            } else if isInSection, let equals = line.firstIndex(of: "=") {
                let key = String(line[..<equals]).trimmed, value = String(line[line.index(after: equals)...]).trimmed
                if !set(key, value) {
                    warnings.append("\(path) line \(number + 1): \(key) cannot be \(value); the line is ignored")
                }
            }
        }
    }

    /// - Returns: false if the value means nothing.
    private mutating func set(_ key: String, _ value: String) -> Bool {
        switch key {
        case "AllowSuspend": return SleepConfiguration.set(&allowSuspend, value)
        case "AllowHibernation": return SleepConfiguration.set(&allowHibernation, value)
        case "AllowSuspendThenHibernate": return SleepConfiguration.set(&allowSuspendThenHibernate, value)
        case "SuspendState":
            // Each line adds words, and an empty one removes all. "disk" would be the kernel's own hibernation.
            suspendStates = value.isEmpty ? [] : suspendStates + words(value).filter { $0 != "disk" }
        case "MemorySleepMode": memorySleepModes = words(value)
        case "HibernateDelaySec":
            guard let span = TimeSpan(value) else { return false }
            hibernateDelay = span.milliseconds
        case "SuspendEstimationSec":
            guard let span = TimeSpan(value) else { return false }
            // Zero means the default. Without an end the battery would never be looked at.
            suspendEstimation = span.milliseconds.flatMap { $0 == 0 ? nil : $0 } ?? 3_600_000
        case "HibernateOnACPower":
            guard let value = Bool(systemd: value) else { return false }
            hibernatesOnACPower = value
        default: break
        }
        return true
    }

    /// An empty value takes a setting back.
    private static func set(_ setting: inout Bool?, _ value: String) -> Bool {
        let new = Bool(systemd: value)
        if new == nil, !value.isEmpty { return false }
        setting = new
        return true
    }

    private func words(_ value: String) -> [String] {
        value.split { $0.isWhitespace }.map { $0.filter { $0 != "\"" && $0 != "'" } }
    }

    /// Whether an operation is allowed. What is not set is allowed, and suspend-then-hibernate needs both of its parts.
    func allows(_ operation: SleepOperation) -> Bool {
        switch operation {
        case .hibernate: allowHibernation != false
        case .suspendThenHibernate:
            allowSuspendThenHibernate ?? (allowSuspend != false && allowHibernation != false)
        case .hybridSleep: false
        case .thaw, .announce: true
        }
    }
}

extension Bool {
    /// A value as systemd reads it, in a file or a variable.
    init?(systemd text: String) {
        switch text.lowercased() {
        case "1", "yes", "y", "true", "t", "on": self = true
        case "0", "no", "n", "false", "f", "off": self = false
        default: return nil
        }
    }
}

extension String {
    /// The text without white space at both ends.
    fileprivate var trimmed: String {
        let start = drop { $0.isWhitespace }
        return String(start.prefix(start.count - start.reversed().prefix { $0.isWhitespace }.count))
    }
}
