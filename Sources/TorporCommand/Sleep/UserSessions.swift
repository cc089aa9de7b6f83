// SPDX-License-Identifier: Apache-2.0
import Basics
import FoundationEssentials

/// The processes of all users: systemd's user.slice, which systemd-sleep freezes while it works.
struct UserSessions {
    /// Exists while the sessions are frozen. If `torpor sleep` is killed meanwhile, `torpor sleep thaw` finds it.
    static let mark = "/run/torpor/frozen-sessions"

    enum Outcome {
        case untouched, frozen
        /// Some processes may be frozen, or become so.
        case failed
    }

    let system: SleepSystem
    let say: (String) -> Void
    let warn: (String) -> Void

    /// Freezes the sessions if the installed systemd would do so for this operation. A failure is a warning.
    func freeze(_ operation: SleepOperation) -> Outcome {
        guard isWanted(operation), system.isActive("user.slice") else { return .untouched }
        let mark = URL(filePath: system.real(UserSessions.mark))
        try? FileManager.default.createDirectory(
            at: mark.deletingLastPathComponent(), withIntermediateDirectories: true)
        // Before the sessions are frozen: to thaw sessions that are not frozen does no harm.
        try? Data().write(to: mark)
        if let failure = systemctl("freeze") {
            warn("the user sessions stay unfrozen: \(failure)")
            return .failed
        }
        say("froze the user sessions (user.slice)")
        return .frozen
    }

    /// Thaws the sessions after `freeze`. Where freezing is not supported, thawing is not either, which is no failure then.
    func thaw(after outcome: Outcome) throws(Failure) {
        switch outcome {
        case .untouched: break
        case .frozen: try thaw()
        case .failed:
            do throws(Failure) { try thaw() } catch {
                try? FileManager.default.removeItem(atPath: system.real(UserSessions.mark))
            }
        }
    }

    private func thaw() throws(Failure) {
        if let failure = systemctl("thaw") {
            throw Failure("thaw", "the user sessions", failure, remedy: "run: systemctl thaw user.slice")
        }
        try? FileManager.default.removeItem(atPath: system.real(UserSessions.mark))
        say("thawed the user sessions (user.slice)")
    }

    /// Thaws the sessions if an operation that was killed has left them frozen.
    func thawLeftOver() throws(Failure) { if system.exists(UserSessions.mark) { try thaw() } }

    /// - Returns: why it failed; nil if it did not.
    private func systemctl(_ verb: String) -> String? {
        guard let result = system.run("systemctl", verb, "user.slice") else { return "systemctl could not be started" }
        if result.isSuccess { return nil }
        let lines = result.errors.split(separator: "\n")
        return lines.last.map(String.init) ?? "systemctl \(verb) user.slice: \(result.clause)"
    }

    /// systemd 256 and newer freeze the sessions for every operation, 252 and newer for suspend-then-hibernate
    /// (src/sleep/sleep.c). SYSTEMD_SLEEP_FREEZE_USER_SESSIONS=0 forbids it, which drop-ins of graphics drivers set.
    private func isWanted(_ operation: SleepOperation) -> Bool {
        if let value = system.variables["SYSTEMD_SLEEP_FREEZE_USER_SESSIONS"] {
            if Bool(systemd: value) == false {
                say("the user sessions stay unfrozen because of SYSTEMD_SLEEP_FREEZE_USER_SESSIONS=\(value)")
                return false
            }
            if Bool(systemd: value) == nil {
                warn("SYSTEMD_SLEEP_FREEZE_USER_SESSIONS cannot be \(value); it is ignored")
            }
        }
        guard let version else { return false }
        return version >= (operation == .suspendThenHibernate ? 252 : 256)
    }

    /// The version of systemd; nil if it is not installed. `systemctl --version` begins with `systemd 257 (257.9-1)`.
    private var version: Int? {
        guard let result = system.run("systemctl", "--version"), result.isSuccess else { return nil }
        let words = result.output.split { $0.isWhitespace }
        guard words.count > 1, words[0] == "systemd" else { return nil }
        // A development version is called 258~rc1.
        return Int(words[1].prefix { $0.isNumber })
    }
}
