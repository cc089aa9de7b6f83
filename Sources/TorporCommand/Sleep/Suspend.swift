// SPDX-License-Identifier: Apache-2.0
import Basics

/// Suspends to RAM, as SuspendState= and MemorySleepMode= of sleep.conf(5) say.
struct Suspend {
    static let stateFile = "/sys/power/state"
    static let modeFile = "/sys/power/mem_sleep"

    let system: SleepSystem
    let configuration: SleepConfiguration

    /// - Throws: if the kernel has none of the states.
    func check() throws(Failure) {
        let wanted = configuration.suspendStates
        let states = (system.text(Suspend.stateFile) ?? "").split { $0.isWhitespace }.map(String.init)
        guard states.contains(where: wanted.contains) else {
            throw Failure(
                "suspend", "",
                "the kernel and the firmware offer none of the states \(wanted.joined(separator: ", ")) in "
                    + Suspend.stateFile,
                remedy: "use systemctl hibernate")
        }
    }

    /// Suspends, and returns when the machine is awake again.
    /// - Throws: if it did not fall asleep.
    func run() throws(Failure) {
        if configuration.suspendStates.contains("mem"), !configuration.memorySleepModes.isEmpty {
            try writeFirst(configuration.memorySleepModes, Suspend.modeFile)
        }
        try writeFirst(configuration.suspendStates, Suspend.stateFile)
    }

    /// Writes the first word that the kernel takes.
    private func writeFirst(_ words: [String], _ path: String) throws(Failure) {
        var first: Failure?
        for word in words {
            do throws(Failure) {
                try system.write(path, word)
                return
            } catch {
                first = first ?? error
            }
        }
        if let first { throw Failure("write \(words[0]) to", path, first.reason, errno: first.errno) }
    }
}
