// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import Linux

/// The program of kernels B and C, and of the initramfs of an ordinary start: as PID 1 it is /init, else `torpor-resume`.
public func runHibernation() -> Never {
    if processID() == 1 { runInit() }
    runResumeProgram(Array(programArguments().dropFirst()))
}

/// PID 1 of kernels B and C: mounts the kernel's file systems, decides whether this is kernel B or C, and runs that role.
///
/// The kernel panics if PID 1 exits, so this never returns. A role ends by a jump, by power-off or a restart, or by running
/// another init in this process.
func runInit() -> Never {
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

    let moduleFailure = loadInitramfsModules(parameters, log)
    if let moduleFailure { log.error(moduleFailure) }
    // Both parameters are required: an ordinary kexec can leave a stale jump-back entry.
    if let entry = parameters.jumpBackEntry, let session = parameters.session {
        SaveRole(
            parameters: parameters, log: log, entry: entry, session: session, moduleFailure: moduleFailure
        ).run()
    }
    // Kernel C goes on: if a driver is missing, a later step says so.
    RestoreRole(
        parameters: parameters, log: log, commandLine: commandLine, watchdogs: Watchdogs.inKernelC(log),
        start: parameters.isOrdinaryStart ? .ordinary : .direct
    ).run()
}

/// Restarts or powers off the machine. If the kernel does neither, logs that the power switch is safe to use, and halts.
func endMachine(_ log: KernelLog, restarting: Bool = false) -> Never {
    if restarting { restart() }
    powerOff()
    log.error("the kernel could not power off the machine; it is safe to switch it off now")
    while true {
        halt()
        sleep(milliseconds: 60_000)
    }
}
