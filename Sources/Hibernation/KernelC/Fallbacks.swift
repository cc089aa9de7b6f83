// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import Kexec
import Linux

/// How kernel C ends without a resume.
extension RestoreRole {
    /// Unloads the jump. Otherwise an init or a person could take it for the kernel to restart into, but it is kernel A.
    func unloadJump() {
        // Under lockdown the kernel refuses even to unload; there nothing could be loaded.
        if isKernelLoaded() == false { return }
        do throws(Failure) { try loadKexecImage(entry: 0, [], preservesContext: false) } catch {
            if error.errno != ErrorNumber.notImplemented {
                log.error(error.description)
                endMachine(log)
            }
        }
    }

    /// Takes the fallback because `noresume` forbids the resume; never returns.
    func leaveWithoutResume(_ refusal: ResumeRefusal) -> Never {
        log.notice(
            parameters.fallback == .root
                ? "noresume: dropping the session, because booting the root file system makes the image stale"
                : "noresume: the session is kept")
        leave(parameters.fallback, givingUp: refusal)
    }

    /// Takes a fallback; never returns.
    /// - Parameter refusal: the refusal of a session that is dropped if the fallback is the root file system; nil if there is
    ///   none.
    func leave(_ fallback: Fallback, givingUp refusal: ResumeRefusal? = nil) -> Never {
        unloadJump()
        if start == .initramfs {
            // The root file system is mounted next.
            if let refusal { giveUp(refusal) }
            exitProcess(0)
        }
        if start == .ordinary, fallback == .root || fallback == .reboot {
            // The next ordinary start must not come back to this image.
            if let refusal { giveUp(refusal) }
            log.notice("restarting for an ordinary start")
            watchdogs.disarm()
            endMachine(log, restarting: true)
        }
        switch fallback {
        case .root:
            log.error("cannot boot the root file system: \(bootRoot(givingUp: refusal))")
            // Without a root file system, only a person can continue.
            runLastShell()
            endMachine(log)
        case .shell:
            runLastShell()
            endMachine(log)
        case .powerOff:
            log.notice("powering off")
            watchdogs.disarm()
            endMachine(log)
        case .reboot:
            log.notice("restarting")
            watchdogs.disarm()
            endMachine(log, restarting: true)
        }
    }

    /// Mounts `root=` and runs its init in this process; returns only after a failure.
    /// - Returns: why it failed.
    private func bootRoot(givingUp refusal: ResumeRefusal?) -> String {
        let root = RootFileSystem(commandLine)
        if let refusal {
            // The session is dropped only if the root file system exists.
            let search = runInChild("looking for the root file system", parameters, log, watchdogs: watchdogs) {
                (state) throws(Failure) in
                _ = try root.find(state)
            }
            if let reason = search.reason { return reason }
            giveUp(refusal)
        }
        // The child's mount is visible to PID 1: both have the same mount namespace.
        let mounting = runInChild("mounting the root file system", parameters, log, watchdogs: watchdogs) {
            (state) throws(Failure) in
            try root.mount(state, isDelayed: refusal == nil)
        }
        if let reason = mounting.reason { return reason }
        setControlAltDelete(restarts: true)
        watchdogs.disarm()
        do throws(Failure) { try root.runInit(log) } catch { return error.description }
    }

    static let shell = "/bin/sh"

    private func runLastShell() {
        watchdogs.disarm()
        guard isExecutable(RestoreRole.shell) else {
            log.error("this initramfs has no \(RestoreRole.shell); add one with mkinitramfs.sh --add")
            return
        }
        log.notice("running a shell; when it exits, the machine powers off")
        runShell(on: "/dev/console")
    }

    func runShell(on console: String) {
        do throws(Failure) { try runOnConsole(RestoreRole.shell, console) } catch { log.error(error.description) }
    }
}
