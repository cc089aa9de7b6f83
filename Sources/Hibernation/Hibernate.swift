import Basics
import Kexec
import Linux
import MemoryImage
import PhysicalMemory

/// Kernel A: loads kernel B, jumps, and reads the report after coming back, at once or after a power-off.
public struct Hibernate: Sendable {
    public var device: DeviceName?
    public var kernelPath: String
    public var initrdPath: String
    public var after = AfterSave.powerOff
    public var codec = Codec.standard
    /// N, in bytes; nil lets the machine decide.
    public var backupEnd: UInt64?
    /// More words for kernel B's command line.
    public var extraWords = ""
    /// Whether to hibernate although some file system cannot be watched for use by others.
    public var isUnwatchedAllowed = false
    /// Whether to hibernate with a kernel whose release is below the floor.
    public var isOldKernelAllowed = false

    public init(device: DeviceName?, kernelPath: String, initrdPath: String) {
        self.device = device
        self.kernelPath = kernelPath
        self.initrdPath = initrdPath
    }

    /// Whether this system can hibernate, as far as that can be told without loading anything.
    /// - Parameter findings: takes what does not keep it from hibernating, also if this throws.
    /// - Returns: the partition's path, and what the command line of kernel C needs for this system.
    public func check(_ findings: inout Findings) throws(Failure) -> (path: String, parametersForC: [String]) {
        let preparation = try prepare(&findings)
        _ = try plan(preparation, reportAddress: 0, reportKey: [])
        return (
            preparation.path,
            preparation.backupEnd.parametersForC(needsFourLevels: preparation.needsFourLevels)
        )
    }

    /// Hibernates. Returns when kernel A is running again.
    /// - Parameters:
    ///   - findings: takes what does not keep this system from hibernating.
    ///   - tell: is called with what is being done.
    public func run(_ findings: inout Findings, _ tell: (String) -> Void) throws(Failure) -> Report {
        // Free pages that the kernel keeps for single CPUs look used to kernel B. CPUs that go offline for the jump give theirs
        // back; the first one does not, so nothing is given back there.
        let affinity = ProcessorAffinity()
        affinity.moveToOthers()
        let path: String
        let signals: HeldSignals
        let page: ReportPage
        // What was read of kernel and initrd is given back with this, so that it is not saved.
        do {
            let preparation = try prepare(&findings)
            path = preparation.path
            // A process that ended here would leave kernel B loaded, and an init restarts into a kernel that is loaded.
            signals = HeldSignals()
            page = try loadKernelB(preparation)
        }
        tell("loaded kernel B; saving to \(path)")
        defer { unload() }
        syncFileSystems()
        if signals.areWaiting { throw Failure("hibernate", "", "it was interrupted") }
        useUpKeptPages(affinity)
        page.note(try MemoryNote.now())
        affinity.restore()
        try jumpToLoadedImage()
        dropStaleBuffers(path)
        var report = try page.read()
        do throws(Failure) { try giveUpWaitingImage(path) } catch {
            let what = "this session goes on, and whether an image of it waits could not be seen: \(error)"
            report.outcome = .failed
            report.text += (report.text.isEmpty ? "" : "; ") + what
        }
        return report
    }
}
