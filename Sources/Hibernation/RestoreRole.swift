import Basics
import Kexec
import Linux
import MemoryImage
import PhysicalMemory

/// Kernel C: puts an image's memory back and jumps into it, or goes on as if there were none.
///
/// Until the jump nothing but RAM that this kernel does not use is changed, and the states of the partition: a refusal
/// costs nothing.
struct RestoreRole {
    let settings: Settings
    let log: KernelLog
    let commandLine: KernelCommandLine

    func run() -> Never {
        if let refusal = resume() { log.error("not resuming: \(refusal)") }
        leave()
    }

    /// - Returns: why there was no resume; nil where there is nothing to resume.
    private func resume() -> String? {
        let outcome = runInChild("restoring", settings, log) { (state) throws(Failure) in
            let steps = Steps(state: state, log: log, fault: settings.fault)
            try Restore(settings: settings, log: log, steps: steps).run()
        }
        guard outcome.stage == .committed || outcome.stage == .committing && isConsumed() else { return outcome.reason }
        log.notice("jumping into kernel A")
        do throws(Failure) { try jumpToLoadedImage() } catch { return error.description }
        return "the jump into kernel A came back"
    }

    /// Whether the superblock says `consumed` although the child that was to write that has not told so. The memory is in
    /// place then and the jump is loaded, and the session would be lost without it.
    private func isConsumed() -> Bool {
        let outcome = runInChild("looking at the partition", settings, log) { (state) throws(Failure) in
            let path = try findHibernationPartition(settings.device, seconds: 0)
            if try HibernationPartition(path).superblock.state == .consumed { state.stage = .committed }
        }
        return outcome.stage == .committed
    }

    /// Takes the fallback; never returns.
    private func leave() -> Never {
        switch settings.fallback {
        case .root:
            log.error("not going on with the root file system: \(goOnWithRoot())")
            // Where there is no root file system to go on with, a person has to look.
            runShell()
            endMachine(log)
        case .shell:
            runShell()
            endMachine(log)
        case .powerOff:
            log.notice("powering off")
            endMachine(log)
        case .reboot:
            log.notice("restarting")
            endMachine(log, restarting: true)
        }
    }

    /// Mounts `root=` and runs its init in this process's place.
    /// - Returns: why that did not work.
    private func goOnWithRoot() -> String {
        let root = RootFileSystem(commandLine)
        // The child mounts for PID 1 as well: they have the same name space.
        let mounting = runInChild("mounting", settings, log) { (state) throws(Failure) in try root.mount(state) }
        if let reason = mounting.reason { return reason }
        do throws(Failure) { try root.runInit(log) } catch { return error.description }
    }

    private func runShell() {
        guard isExecutable("/bin/sh") else {
            log.error("there is no shell in this initramfs; mkinitramfs.sh --add puts one in")
            return
        }
        log.notice("running a shell; when it ends, the machine is powered off")
        do throws(Failure) { try runOnConsole("/bin/sh") } catch { log.error(error.description) }
    }
}
