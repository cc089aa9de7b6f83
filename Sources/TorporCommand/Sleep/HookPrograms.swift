// SPDX-License-Identifier: Apache-2.0
import CLinux

/// The programs in /usr/lib/systemd/system-sleep, which systemd runs around each sleep.
///
/// As with systemd-sleep (src/sleep/sleep.c, src/shared/exec-util.c, version 257): all at the same time, for at most 90
/// seconds; a hook that fails does not stop the operation.
struct HookPrograms {
    static let folder = "/usr/lib/systemd/system-sleep"
    static let milliseconds = 90_000

    enum Moment: String { case pre, post }

    let system: SleepSystem
    /// Takes a sentence about a hook that failed.
    let warn: (String) -> Void

    /// Runs all hooks, and returns when all have ended.
    /// - Parameters:
    ///   - operation: the whole operation, the hooks' second argument.
    ///   - action: what is done now; the variable SYSTEMD_SLEEP_ACTION.
    func run(_ moment: Moment, _ operation: SleepOperation, action: String) {
        let paths = self.paths
        let hooks = paths.map {
            Program(
                system.real($0), [moment.rawValue, operation.rawValue], environment: ["SYSTEMD_SLEEP_ACTION": action],
                output: .inherited)
        }
        for (path, result) in zip(paths, system.programs.run(hooks, milliseconds: HookPrograms.milliseconds)) {
            let hook = "the sleep hook \(path) (\(moment.rawValue) \(operation.rawValue))"
            switch result {
            case .success(let result) where result.isSuccess: break
            case .success(let result): warn("\(hook): \(result.clause)")
            case .failure(let failure): warn("\(hook) could not be started: \(failure.reason)")
            }
        }
    }

    /// The paths of the hooks, sorted: regular files that are not empty and that somebody may execute.
    var paths: [String] {
        system.names(in: HookPrograms.folder).map { "\(HookPrograms.folder)/\($0)" }.filter { path in
            var status = stat()
            return stat(system.real(path), &status) == 0 && status.st_mode & 0o170000 == 0o100000
                && status.st_mode & 0o111 != 0 && status.st_size > 0
        }
    }
}
