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
    /// N, in bytes.
    public var backupEnd: UInt64 = 128 << 20
    /// More words for kernel B's command line.
    public var extraWords = ""
    /// Whether to hibernate although some file system cannot be watched for use by others.
    public var isUnwatchedAllowed = false

    public init(device: DeviceName?, kernelPath: String, initrdPath: String) {
        self.device = device
        self.kernelPath = kernelPath
        self.initrdPath = initrdPath
    }

    /// Kernels and initrds are read up to this many bytes.
    private static let fileLimit = 256 << 20
    /// How often kernel B is loaded again because the kernel has moved the report's page meanwhile.
    private static let loadAttempts = 4

    /// Everything that is looked at before anything is changed.
    private struct Preparation {
        let path: String
        let partition: Superblock
        let kernel: BzImage
        let initrd: [UInt8]
        let a: KernelA
    }

    private func prepare() throws(Failure) -> Preparation {
        try checkKexecJump()
        let path = try findHibernationPartition(device, seconds: 0)
        let partition = try checkPartition(path)
        guard let session = UUID(random: try randomBytes(16)) else { throw Failure("make", "a UUID", "too few bytes") }
        let kernel = try BzImage(try readNamed(kernelPath, "kernel", "--kernel"), path: kernelPath)
        let initrd = try readNamed(initrdPath, "initrd", "--initrd")
        return Preparation(
            path: path, partition: partition, kernel: kernel, initrd: initrd,
            a: try KernelA(backupEnd: backupEnd, session: session, isUnwatchedAllowed: isUnwatchedAllowed))
    }

    /// Whether this system can hibernate, as far as that can be told without loading anything.
    /// - Returns: the partition's path.
    public func check() throws(Failure) -> String {
        let preparation = try prepare()
        _ = try plan(preparation, reportAddress: 0, reportKey: [])
        return preparation.path
    }

    /// Hibernates. Returns when kernel A is running again.
    public func run(_ tell: (String) -> Void) throws(Failure) -> Report {
        // Free pages that the kernel keeps for single CPUs look used to kernel B. CPUs that go offline for the jump give theirs
        // back; the first one does not, so nothing is given back there.
        let affinity = ProcessorAffinity()
        affinity.moveToOthers()
        let path: String
        let signals: HeldSignals
        let page: ReportPage
        // What was read of kernel and initrd is given back with this, so that it is not saved.
        do {
            let preparation = try prepare()
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
        page.note(FreePageCount.now())
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

    /// Kernel A goes on: where kernel B died between writing its image and telling so, the image must not be resumed.
    private func giveUpWaitingImage(_ path: String) throws(Failure) {
        let partition = try HibernationPartition(path, [.write, .exclusive])
        guard partition.superblock.state.isWaiting else { return }
        try partition.retireImage { superblock in
            superblock.state = .failed
            superblock.reason = "its session went on"
        }
    }

    /// The superblock of a partition that an image may be written to.
    private func checkPartition(_ path: String) throws(Failure) -> Superblock {
        guard try isBlockDevice(path) else {
            throw Failure("use", path, "it is not a block device", remedy: "name a hibernation partition with --device")
        }
        let partition: HibernationPartition
        do throws(Failure) {
            partition = try HibernationPartition(path, .exclusive)
        } catch {
            if error.errno == ErrorNumber.busy {
                throw Failure("use", path, holder(of: path), remedy: "use a partition that nothing else uses")
            }
            throw error
        }
        try requireNoWaitingImage(partition.superblock, path)
        try checkSize(partition.superblock, path)
        return partition.superblock
    }

    /// Refuses a partition that cannot hold the image however well it compresses. What is in use and does not compress
    /// to less than a tenth is found when it is written, and kernel A goes on then as well.
    private func checkSize(_ superblock: Superblock, _ path: String) throws(Failure) {
        let total = try memoryInformation("MemTotal"), free = try memoryInformation("MemFree")
        let used = total > free ? total - free : 0
        let needed = codec == .none ? used / 2 : used / 10
        if superblock.deviceByteCount < needed {
            throw Failure(
                "use", path,
                "it has \(describe(bytes: superblock.deviceByteCount)), and \(describe(bytes: used)) of memory are in use",
                remedy: "use a larger partition")
        }
    }

    private func readNamed(_ path: String, _ what: String, _ option: String) throws(Failure) -> [UInt8] {
        do throws(Failure) { return try readFile(path, limit: Hibernate.fileLimit) } catch {
            throw Failure("load \(what)", path, error.reason, remedy: "name another with \(option)")
        }
    }

    /// - Returns: the page that the report goes to.
    private func loadKernelB(_ preparation: Preparation) throws(Failure) -> ReportPage {
        // With the low pages taken, the report's page lies above N as well, where kernel B finds it whatever it has read.
        let lowMemory = LowMemory(below: backupEnd)
        defer { withExtendedLifetime(lowMemory) {} }
        let page = try ReportPage()
        for _ in 0..<Hibernate.loadAttempts {
            let address = try page.physicalAddress()
            let plan = try plan(preparation, reportAddress: address, reportKey: page.key)
            try plan.load(preservesContext: true)
            if try page.physicalAddress() == address { return page }
        }
        unload()
        throw Failure("load", "kernel B", "the kernel keeps moving the page that the report goes to")
    }

    private func plan(_ preparation: Preparation, reportAddress: UInt64, reportKey: [UInt8]) throws(Failure) -> LoadPlan
    {
        let a = preparation.a
        var description = a.description
        description.reportAddress = reportAddress
        description.reportKey = reportKey
        description.partitionUUID = preparation.partition.uuid
        description.partitionGeneration = preparation.partition.generation
        return try LoadPlan(
            KernelB(
                kernel: preparation.kernel, initrd: preparation.initrd,
                commandLine: try commandLine(
                    .uuid(preparation.partition.uuid.description), description.session,
                    Report.Place(address: reportAddress, key: reportKey)),
                backupRanges: description.backupRanges,
                savedRanges: description.savedRanges,
                reservedEntries: a.reservedEntries,
                notes: [
                    CoreNote(name: VMCoreInfo.noteName, content: a.vmcoreInfo),
                    CoreNote(name: sessionNoteName, content: description.encoded()),
                ], rsdp: a.rsdp, ownBootParameters: a.bootParameters))
    }

    /// Kernel B's command line: our own words, and where kernel A has its console.
    private func commandLine(
        _ device: DeviceName, _ session: UUID, _ report: Report.Place
    ) throws(Failure) -> String {
        var words = [
            "torpor.session=\(session.description)", "torpor.device=\(device.description)",
            "torpor.report=\(report.description)",
            "torpor.after=\(after.rawValue)", "torpor.codec=\(codec.description)", "printk.devkmsg=on",
            // A kernel B that dies restarts the machine; without this it would stand still.
            "panic=10",
        ]
        let own = KernelCommandLine(try readText("/proc/cmdline"))
        for name in ["console", "earlyprintk", "loglevel"] {
            for value in own.values(name) { words.append("\(name)=\(value)") }
        }
        if own.contains("no5lvl") { words.append("no5lvl") }
        // What the kernel itself has to say takes a serial console most of a second; /init is seen all the same.
        if !KernelCommandLine(extraWords).contains("torpor.debug") { words.append("quiet") }
        if !extraWords.isEmpty { words.append(extraWords) }
        return words.joined(separator: " ")
    }

    /// Takes as many free pages as are kept for the first CPU, and gives them back on another; on a machine that ran for
    /// long they are many (mm/page_alloc.c, `zone_highsize`).
    private func useUpKeptPages(_ affinity: borrowing ProcessorAffinity) {
        affinity.moveToFirst()
        let pages = try? HeldMemory(byteCount: FreePageCount.kept(of: 0) &* pageSize)
        affinity.moveToOthers()
        pages?.giveBack()
    }

    /// The entry that kernel A's image keeps is stale after a jump, so it must not be jumped to again.
    private func unload() {
        // The next session leaves out what is given back here, too.
        let affinity = ProcessorAffinity()
        affinity.moveToOthers()
        try? loadKexecImage(entry: 0, [], preservesContext: false)
        affinity.restore()
    }

    private func dropStaleBuffers(_ path: String) {
        if let file = try? File(path) { dropBuffers(file) }
    }
}
