// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import Linux

/// PID 1 of kernels B and C: mounts what it needs, decides which of the two this is, and plays the role.
///
/// A kernel whose PID 1 ends panics; so this never returns, and the roles leave it by a jump, by power-off or by running
/// another init in its place.
public func runInit() -> Never {
    blockChildSignal()
    setControlAltDelete(restarts: false)
    var mountFailures: [Failure] = []
    for mount in Mount.kernelFileSystems {
        do throws(Failure) { try mount.perform() } catch {
            // The kernel itself mounts devtmpfs with CONFIG_DEVTMPFS_MOUNT.
            if error.errno != ErrorNumber.busy { mountFailures.append(error) }
        }
    }
    var log = KernelLog()
    for failure in mountFailures { log.error(failure.description) }

    let text = (try? readText("/proc/cmdline")) ?? ""
    let commandLine = KernelCommandLine(text)
    let parameters = KernelParameters(commandLine)
    log.isDebugging = parameters.isDebugging
    log.debug("torpor \(torporVersion); \(availableProcessorCount()) CPUs; command line: \(trimmed(text))")
    for problem in parameters.problems { log.error(problem) }

    // Both words are needed: a plain kexec can leave a jump-back entry that leads nowhere.
    if let entry = parameters.jumpBackEntry, let session = parameters.session {
        SaveRole(parameters: parameters, log: log, entry: entry, session: session).run()
    }
    RestoreRole(
        parameters: parameters, log: log, commandLine: commandLine, watchdogs: Watchdogs.inKernelC(log)
    ).run()
}

/// The end of everything else: tells that the machine will stop, and stops it.
func endMachine(_ log: KernelLog, restarting: Bool = false) -> Never {
    if restarting { restart() }
    powerOff()
    log.error("the machine can be switched off now")
    while true {
        halt()
        sleep(milliseconds: 60_000)
    }
}
