// SPDX-License-Identifier: Apache-2.0
import Basics
import Kexec
import Linux
import MemoryImage

/// The memory below N that kernels B and C need, in bytes.
///
/// The figures for a CPU and for the kernel's own allocations are those of a distribution's kernel (6.12.117 with Debian's
/// configuration, init_size 52 MiB), rounded up. With 64 CPUs it runs out of 128 MiB before PID 1 starts.
struct SecondKernelMemory: Equatable, Sendable {
    /// The kernel's text, data and space for its decompression (init_size).
    var kernel: UInt64
    /// rootfs.gz, compressed and unpacked: for a moment both are in memory.
    var initrd: UInt64
    /// The session's description, and the records for each save range of kernel A's memory.
    var session: UInt64
    /// The memory of one worker.
    var worker: UInt64
    /// The number of possible CPUs in kernel A.
    var possible: Int
    /// The number of present CPUs in kernel A.
    var present: Int
    /// The number of CPUs that a kernel finds without nr_cpus=; 0 if it is unknown.
    var inFirmware: Int
    /// Bounce buffers (swiotlb) for devices that cannot address all memory.
    var bounceBuffers: UInt64

    /// Hash tables, drivers, the device tree, and /init.
    private static let base: UInt64 = 12 << 20
    /// The per-CPU area of a CPU, whether it is started or not.
    private static let possibleProcessor: UInt64 = 384 << 10
    /// Stacks, kernel threads and caches of a started CPU.
    private static let startedProcessor: UInt64 = 640 << 10
    /// More CPUs than this do not make saving faster. If memory is short, they get no workers.
    static let usefulProcessors = 16

    /// - Parameters:
    ///   - descriptionByteCount: the size of the session's encoded description.
    ///   - savedBytes: the size of kernel A's memory.
    init(
        kernel: BzImage, initrd: [UInt8], descriptionByteCount: Int, savedBytes: UInt64, codec: Codec, possible: Int,
        present: Int, inFirmware: Int, bounceBuffers: UInt64
    ) {
        self.kernel = kernel.initByteCount
        let unpacked = RootfsMarker.unpackedByteCount(initrd)
        // A module that is loaded takes its memory once more.
        let hasModules = !((try? EarlyInitrd(initrd).modules(path: "")) ?? .none).modules.isEmpty
        self.initrd = UInt64(initrd.count) + unpacked * (hasModules ? 2 : 1)
        session = UInt64(descriptionByteCount) * 4 + savedBytes / saveRangeByteCount * 64
        worker = codec.workerByteCount
        self.possible = possible
        self.present = present
        self.inFirmware = inFirmware
        self.bounceBuffers = bounceBuffers
    }

    init(
        kernel: UInt64, initrd: UInt64, session: UInt64, worker: UInt64, possible: Int, present: Int,
        inFirmware: Int = 0, bounceBuffers: UInt64 = 0
    ) {
        self.kernel = kernel
        self.initrd = initrd
        self.session = session
        self.worker = worker
        self.possible = possible
        self.present = present
        self.inFirmware = inFirmware
        self.bounceBuffers = bounceBuffers
    }

    /// The bytes that the kernel's bounce buffers (swiotlb) take: 64 MiB and their list. A kernel with NUMA reserves them, in
    /// spite of `mem=`, if ACPI's SRAT names memory above 4 GiB (6.12, arch/x86/kernel/pci-dma.c, `pci_swiotlb_detect`;
    /// drivers/acpi/numa/srat.c).
    ///
    /// They are counted and not disabled. With `swiotlb=noforce`, a disk that the firmware does not trust (Thunderbolt) fails
    /// behind an IOMMU (6.12, drivers/iommu/dma-iommu.c, `dev_use_swiotlb`). And a kernel C without that parameter would run
    /// out of memory before it could print a message.
    /// - Parameter table: the bytes of ACPI's SRAT; nil if there is none.
    static func bounceBuffers(affinityTable table: [UInt8]?) -> UInt64 {
        guard let table else { return 0 }
        return (try? namesHighMemory(affinityTable: table)) == false ? 0 : 66 << 20
    }

    /// Whether an enabled memory entry of ACPI's SRAT ends above 4 GiB (ACPI specification, "System Resource Affinity Table").
    /// - Throws: if the table is malformed.
    private static func namesHighMemory(affinityTable table: [UInt8]) throws(Failure) -> Bool {
        let fields = table.span.bytes
        var isHigh = false
        // Behind the header (36 bytes) and 12 reserved bytes.
        try forEachEntry(
            ofACPITable: table, from: 48, "ACPI's SRAT", "an entry is malformed"
        ) { (type, offset, size) throws(Failure) in
            if type == 1, size >= 32, try fields.integer(at: offset + 28, as: UInt32.self) & 1 != 0 {
                let (end, overflow) = try fields.integer(at: offset + 8, as: UInt64.self)
                    .addingReportingOverflow(try fields.integer(at: offset + 16, as: UInt64.self))
                isHigh = overflow || end > 1 << 32
            }
            return !isHigh
        }
        return isHigh
    }

    /// The bytes that a kernel needs below `end`.
    /// - Parameters:
    ///   - end: N, in bytes.
    ///   - started: the number of CPUs that the kernel starts.
    ///   - possible: the number of CPUs for which it allocates per-CPU areas.
    private func byteCount(end: UInt64, started: Int, possible: Int) -> UInt64 {
        // `struct page`: 64 bytes for each page, allocated for whole sections of 128 MiB (6.12, mm/sparse-vmemmap.c).
        let pages = (end + (128 << 20) - 1) / (128 << 20) * (2 << 20)
        // Workers take at most half of the free memory.
        let workers = UInt64(min(started, SecondKernelMemory.usefulProcessors)) * worker * 2
        return kernel + initrd + session + bounceBuffers + SecondKernelMemory.base + pages + workers
            + UInt64(possible) * SecondKernelMemory.possibleProcessor
            + UInt64(started) * SecondKernelMemory.startedProcessor
    }

    /// The number of CPUs that a kernel can start in `byteCount` bytes of memory below `end`.
    /// - Returns: the number, and whether nr_cpus= must limit it; nil if the memory is too little for one CPU.
    func processors(end: UInt64, byteCount: UInt64) -> (count: Int, isLimited: Bool)? {
        let present = max(1, self.present)
        // Without nr_cpus= a kernel also starts the CPUs that kernel A's command line disables.
        if inFirmware <= present,
            self.byteCount(end: end, started: present, possible: max(present, possible)) <= byteCount
        {
            return (present, false)
        }
        // nr_cpus= limits the possible CPUs as well (6.12, arch/x86/kernel/cpu/topology.c).
        var (least, most) = (0, present)
        while least < most {
            let middle = (least + most + 1) / 2
            if self.byteCount(end: end, started: middle, possible: middle) <= byteCount {
                least = middle
            } else {
                most = middle - 1
            }
        }
        return least > 0 ? (least, true) : nil
    }
}
