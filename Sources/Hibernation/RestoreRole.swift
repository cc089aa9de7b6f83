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
        if let refusal = resume() {
            log.error("not resuming: \(refusal)")
            if settings.fallback == .root { leaveBehind(refusal) }
        }
        leave()
    }

    /// - Returns: why there was no resume; nil where there is nothing to resume.
    private func resume() -> String? {
        let outcome = runInChild("restoring", settings, log) { (state) throws(Failure) in
            let steps = Steps(state: state, log: log, fault: settings.fault)
            try Restore(settings: settings, log: log, steps: steps).run()
        }
        guard outcome.stage == .committed || outcome.stage == .committing && isConsumed(outcome.imageUUID)
        else { return outcome.reason }
        log.notice("jumping into kernel A")
        do throws(Failure) { try jumpToLoadedImage() } catch { return error.description }
        return "the jump into kernel A came back"
    }

    /// Whether the image is marked `consumed` although the child that was to do that has not told so. The memory is in
    /// place then and the jump is loaded, and the session would be lost without it.
    private func isConsumed(_ imageUUID: UUID) -> Bool {
        let outcome = runInChild("looking at the partition", settings, log) { (state) throws(Failure) in
            let catalog = DeviceCatalog(state)
            try catalog.refresh()
            let states = hibernationPartitions(catalog).compactMap { try? HibernationPartition($0).superblock }
                .filter { $0.imageUUID == imageUUID }.map { $0.state }
            // Of copies, all have to be marked.
            if states.contains(.consumed), !states.contains(where: { $0.isWaiting }) { state.stage = .committed }
        }
        return outcome.stage == .committed
    }

    /// Marks an image that still waits, whatever became of the child that looked at it: the root file system that this
    /// kernel goes on with makes it stale.
    private func leaveBehind(_ refusal: String) {
        let outcome = runInChild("marking the image", settings, log) { (state) throws(Failure) in
            guard let path = try findPartitionToResume(settings, seconds: 0, DeviceCatalog(state)) else { return }
            let partition = try HibernationPartition(path, .write)
            guard partition.superblock.state == .ready else { return }
            try partition.retireImage { superblock in
                superblock.state = .attempted
                superblock.reason = refusal
            }
        }
        if let reason = outcome.reason { log.error("the image was not marked: \(reason)") }
    }

    /// Takes the fallback; never returns.
    private func leave() -> Never {
        // An init takes a loaded kernel for the one to restart into, and this one is kernel A.
        do throws(Failure) { try loadKexecImage(entry: 0, [], preservesContext: false) } catch {
            if error.errno != ErrorNumber.notImplemented {
                log.error(error.description)
                endMachine(log)
            }
        }
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
        setControlAltDelete(restarts: true)
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
