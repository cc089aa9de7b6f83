// SPDX-License-Identifier: Apache-2.0
import Basics
import Kexec
import Linux
import MemoryImage

extension Hibernate {
    /// The result of all checks that need no kernel B.
    public struct Survey {
        /// Each requirement with what was found, and all warnings and notes.
        public var list = Checklist()
        /// The hibernation partition's path; nil if a requirement is missing.
        public var path: String?
        /// The parameters that kernel C's command line needs on this system; nil if a requirement is missing.
        public var parametersForC: [String]?

        public init() {}

        /// The parameters that kernel C's command line needs on this system.
        /// - Throws: the first reason why this system cannot hibernate.
        public func parameters() throws(Failure) -> [String] { try list.require(parametersForC) }

        /// The hibernation partition's path.
        /// - Throws: the first reason why this system cannot hibernate.
        public func requiredPath() throws(Failure) -> String { try list.require(path) }
    }

    /// Checks every requirement for a hibernation, as far as that is possible without loading kernel B. Changes nothing.
    /// - Parameter log: is called with a sentence if a check has to wait.
    public func survey(_ log: (String) -> Void = { _ in }) -> Survey {
        var survey = Survey()
        checkKernel(&survey.list)
        checkJump(&survey.list, SystemFolders(), log)
        let preparation = prepare(&survey.list)
        survey.list.check("memory map", preparation, needs: "the checks above") {
            (preparation, findings) throws(Failure) in
            let plan = try plan(preparation, reportAddress: 0, reportKey: [])
            warnOfLargeMemoryMap(plan, &findings)
            return "kernel B reads all \(plan.memoryMapCount) ranges"
        }
        survey.list.check("boot files", preparation, needs: "the checks above") {
            (preparation, findings) throws(Failure) in
            let files = try checkBootFiles(preparation, &findings)
            let size = UInt64((files?.kernel.count ?? 0) + (files?.initrd.count ?? 0))
            return "the partition keeps kernel and rootfs.gz, \(describe(bytes: size)), for an ordinary start"
        }
        let parameters = survey.list.check(
            "parameters of kernel C", preparation, needs: "the checks above"
        ) { (preparation, findings) throws(Failure) in
            noteHardwareParameters(try KernelCommandLine(readText("/proc/cmdline")), &findings)
            let parameters = try parametersForC(preparation)
            return (parameters, parameters.joined(separator: " "))
        }
        if survey.list.failure == nil {
            survey.path = preparation?.path
            survey.parametersForC = parameters
        }
        return survey
    }

    /// Checks the requirements that the running kernel must meet, whatever is set up. Changes nothing.
    /// - Parameter log: is called with a sentence if a check has to wait.
    public func surveyKernel(_ log: (String) -> Void = { _ in }) -> Checklist {
        var list = Checklist()
        checkKernel(&list)
        checkJump(&list, SystemFolders(), log)
        return list
    }

    /// Checks that this process may load a kernel, and that the running kernel comes back from a jump.
    func checkKernel(_ findings: inout Findings) throws(Failure) {
        try untilFailure(&findings) { (list) -> Void? in
            checkKernel(&list)
            return ()
        }
    }

    private func checkKernel(_ list: inout Checklist) {
        let release = systemNames().release
        list.check("running kernel") { (findings) throws(Failure) in
            if let unknown = try checkKexecJump(release: release) { findings.warn(unknown) }
            return "\(release.utf8.printable) has CONFIG_KEXEC_JUMP and is not locked down"
        }
        list.check("return from the jump") { (_) throws(Failure) in
            if isOldKernelAllowed { return "not checked, because of --allow-old-kernel" }
            try KernelFloor.require(release)
            return "this kernel has the fix"
        }
    }

    private func noteHardwareParameters(_ own: KernelCommandLine, _ findings: inout Findings) {
        let parameters = HardwareParameters.usefulForKernelC(own)
        guard !parameters.isEmpty else { return }
        findings.note(
            "kernel B gets these parameters of the running kernel's command line, and kernel C may need them too: "
                + parameters.joined(separator: " ").utf8.printable)
    }
}

/// Warns if the running kernel was started with `noresume`: the next start has the same command line, unless it stood there
/// only once.
func warnOfNoResume(_ own: KernelCommandLine, _ findings: inout Findings) {
    guard own.contains(.noResume) else { return }
    findings.warn(
        "the running kernel was started with noresume; a start with it does not continue a session, and systemd 256 and newer "
            + "refuse to hibernate", remedy: "remove it from the boot loader's configuration")
}
