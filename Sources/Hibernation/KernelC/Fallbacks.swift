// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import Kexec
import Linux

/// The ways out of kernel C without a resume.
extension RestoreRole {
    /// An init or a person takes a loaded kernel for the one to restart into, and this one is kernel A.
    func unloadJump() {
        // Under lockdown even unloading is refused, and there nothing could be loaded.
        if isKernelLoaded() == false { return }
        do throws(Failure) { try loadKexecImage(entry: 0, [], preservesContext: false) } catch {
            if error.errno != ErrorNumber.notImplemented {
                log.error(error.description)
                endMachine(log)
            }
        }
    }

    /// Leaves as a person wants who forbids the resume.
    func leaveWithoutResume(_ refusal: ResumeRefusal) -> Never {
        log.notice(
            parameters.fallback == .root
                ? "noresume: the session is given up, as the root file system that boots now changes under it"
                : "noresume: the session is kept")
        leave(parameters.fallback, givingUp: refusal)
    }

    /// Takes a fallback; never returns.
    /// - Parameter refusal: of a session that is given up if the fallback is the root file system.
    func leave(_ fallback: Fallback, givingUp refusal: ResumeRefusal? = nil) -> Never {
        unloadJump()
        switch fallback {
        case .root:
            log.error("not going on with the root file system: \(goOnWithRoot(givingUp: refusal))")
            // Without a root file system to go on with, a person has to look.
            runLastShell()
            endMachine(log)
        case .shell:
            runLastShell()
            endMachine(log)
        case .powerOff:
            log.notice("powering off")
            watchdogs.letGo()
            endMachine(log)
        case .reboot:
            log.notice("restarting")
            watchdogs.letGo()
            endMachine(log, restarting: true)
        }
    }

    /// Mounts `root=` and runs its init in this process's place.
    /// - Returns: why that did not work.
    private func goOnWithRoot(givingUp refusal: ResumeRefusal?) -> String {
        let root = RootFileSystem(commandLine)
        if let refusal {
            // A session is not given up for a root file system that is not there either.
            let looking = runInChild("looking for the root file system", parameters, log, watchdogs: watchdogs) {
                (state) throws(Failure) in
                _ = try root.find(state)
            }
            if let reason = looking.reason { return reason }
            giveUp(refusal)
        }
        // The child mounts for PID 1 as well: they have the same name space.
        let mounting = runInChild("mounting", parameters, log, watchdogs: watchdogs) { (state) throws(Failure) in
            try root.mount(state, isDelayed: refusal == nil)
        }
        if let reason = mounting.reason { return reason }
        setControlAltDelete(restarts: true)
        watchdogs.letGo()
        do throws(Failure) { try root.runInit(log) } catch { return error.description }
    }

    static let shell = "/bin/sh"

    private func runLastShell() {
        watchdogs.letGo()
        guard isExecutable(RestoreRole.shell) else {
            log.error("there is no shell in this initramfs; mkinitramfs.sh --add puts one in")
            return
        }
        log.notice("running a shell; when it ends, the machine is powered off")
        runShell(on: "/dev/console")
    }

    func runShell(on console: String) {
        do throws(Failure) { try runOnConsole(RestoreRole.shell, console) } catch { log.error(error.description) }
    }
}
