// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Kexec
import Linux
import MemoryImage
import PhysicalMemory

/// Kernel A: loads kernel B, jumps into it, and reads the report page when kernel A runs again: at once after a failure or a
/// snapshot, otherwise after a power-off.
public struct Hibernate: Sendable {
    /// The hibernation partition; nil if it is the only one.
    public var device: DeviceName?
    public var kernelPath: String
    /// The path of Torpor's rootfs.gz.
    public var initrdPath: String
    public var after = AfterSave.powerOff
    public var codec = Codec.standard
    /// Whether kernel B does everything but writing, and jumps back.
    public var isRehearsal = false
    /// N, in bytes; if it is nil, `BackupEnd` chooses it.
    public var backupEnd: UInt64?
    /// More parameters for kernel B's command line, separated by spaces.
    public var extraWords = ""
    /// Whether to hibernate although some file systems in use cannot be checked for outside changes at resume.
    public var isUnwatchedAllowed = false
    /// Whether to hibernate with a kernel whose release is older than `KernelFloor` requires.
    public var isOldKernelAllowed = false

    public init(device: DeviceName?, kernelPath: String, initrdPath: String) {
        self.device = device
        self.kernelPath = kernelPath
        self.initrdPath = initrdPath
    }

    /// The maximum number of attempts to load kernel B. Another attempt follows if a device came into use during the load, or
    /// if the kernel moved the report page.
    private static let loadAttempts = 4

    /// Hibernates. Returns when kernel A runs again.
    /// - Parameters:
    ///   - findings: collects warnings and notes, even if this throws.
    ///   - jumpHooks: what the caller does beside the jump.
    ///   - log: is called with a sentence on each step that takes time.
    /// - Throws: if kernel A did not jump, or cannot read the report. The report has every later failure.
    public func run(
        _ findings: inout Findings, hooks jumpHooks: JumpHooks = JumpHooks(), _ log: (String) -> Void
    ) throws(Failure) -> Report {
        let start = monotonicMilliseconds()
        try checkKernel(&findings)
        let lock = try HibernationLock()
        defer { withExtendedLifetime(lock) {} }
        try checkJump(&findings, SystemFolders(), log)
        // Pages on a CPU's free list (pcplist) carry no mark of a free page, so kernel B would save them. The kernel drains the
        // list of each CPU that it takes offline for the jump. CPU 0 stays online, so this process frees its memory on other
        // CPUs.
        let affinity = ProcessorAffinity()
        affinity.moveToOthers()
        // If this process ended or stopped before the jump, kernel B would stay loaded, and an init would restart into it.
        let signals = BlockedSignals()
        defer { withExtendedLifetime(signals) {} }
        // Before the load: drivers move the contents of their devices (video memory) into RAM, and loading needs RAM as well.
        let hooks = try SleepHooks(&findings)
        defer { withExtendedLifetime(hooks) {} }
        let kernelThreads = KernelThreadPlacement()
        defer { withExtendedLifetime(kernelThreads) {} }
        var (path, page, disks, parametersForC) = try loadKernelB(&findings)
        defer { unload(&findings) }
        defer { jumpHooks.whenBack() }
        log("loaded kernel B, which \(isRehearsal ? "rehearses the save" : "saves the memory") to \(path)")
        var isUnmounted = false
        defer { if isUnmounted { disks.mountEFIPartitions(log) } }
        for attempt in 1... {
            try jumpHooks.whenLoaded(parametersForC)
            isUnmounted = try disks.unmountEFIPartitions(&findings)
            syncFileSystems()
            kernelThreads.waitForOldWorkers()
            // Loading takes memory, so the kernel may have begun to use swap space. An automounter may have mounted the EFI
            // system partitions again.
            let newUse = try disks.newUse(isUnmounted: isUnmounted)
            if newUse == nil {
                // Kernel B would save what the C library keeps of the memory for the load.
                releaseFreeMemory()
                drainPerCPUList(affinity)
                page.note(try MemoryNote.now())
                // Check the report page last: the kernel may have moved it since the load. The old page still holds the key,
                // and kernel B would write the report there. So each load uses a new key.
                if try page.isInPlace { break }
            }
            guard attempt < Hibernate.loadAttempts else {
                throw newUse
                    ?? Failure(
                        "load", "kernel B", "the kernel keeps moving the page that is to take kernel B's report",
                        remedy: "try again")
            }
            // The next load reads kernel and initrd, which may be on an EFI system partition.
            if isUnmounted { disks.mountEFIPartitions(log) }
            isUnmounted = false
            try KexecPermission.requireReload()
            (path, page, disks, parametersForC) = try loadKernelB(&findings)
        }
        if signals.arePending { throw Failure("hibernate", "", "a signal interrupted it before the jump") }
        affinity.restore()
        let preparationMilliseconds = monotonicMilliseconds() - start
        try jump()
        dropStaleBuffers(path)
        var report = try page.read()
        report.device = path
        report.preparationMilliseconds = preparationMilliseconds
        // Kernel B has written nothing, so nothing is pending.
        if isRehearsal { return report }
        do throws(Failure) {
            try Hibernate.giveUpPendingImage(on: HibernationPartition(path, [.write, .exclusive]))
        } catch {
            let problem =
                "this session continues, but a pending image of it may be left on the partition (\(error)); if torpor status "
                + "shows one, remove it with torpor discard"
            report.outcome = .failed
            report.text += (report.text.isEmpty ? "" : "; ") + problem
        }
        return report
    }

    /// Jumps into kernel B. Returns when kernel B or kernel C jumps back.
    /// - Throws: if the kernel refuses to jump, with the reason from the kernel log.
    private func jump() throws(Failure) {
        let position = KernelLogPosition()
        do throws(Failure) { try jumpToLoadedImage() } catch {
            let isDeviceLost =
                KernelVersion(release: systemNames().release).map { $0 < firstVersionThatResumesDevices } ?? false
            throw FreezeRefusal(position?.messages() ?? []).failure(error, isDeviceLost: isDeviceLost)
        }
    }
}
