// SPDX-License-Identifier: Apache-2.0
import Basics
import Kexec
import Linux
import MemoryImage

/// What kernels B and C need of the memory below N, in bytes.
///
/// The figures for a CPU and for the kernel's own allocations are what a distribution's kernel takes (6.12.117 with Debian's
/// configuration, init_size 52 MiB), rounded up: with 64 CPUs it runs out of 128 MiB before PID 1 starts.
struct SecondKernelMemory: Equatable, Sendable {
    /// The kernel's text, data and room for its decompression (init_size).
    var kernel: UInt64
    /// rootfs.gz as it is and unpacked; both are there for a moment.
    var initrd: UInt64
    /// The session's description, and what is kept for each window of kernel A's memory.
    var session: UInt64
    /// What one worker takes.
    var worker: UInt64
    /// CPUs that could be there, and those that are, in kernel A.
    var possible: Int
    var present: Int
    /// CPUs that a kernel finds without nr_cpus=; 0 if that is not known.
    var inFirmware: Int
    /// Buffers for devices that cannot reach all memory.
    var bounceBuffers: UInt64

    /// Hash tables, drivers, the device tree, and /init.
    private static let base: UInt64 = 12 << 20
    /// The per-CPU areas of a CPU, started or not.
    private static let possibleProcessor: UInt64 = 384 << 10
    /// Stacks, kernel threads and caches of a started CPU.
    private static let startedProcessor: UInt64 = 640 << 10
    /// CPUs beyond these no longer make saving faster; their workers are left out if memory is short.
    static let usefulProcessors = 16

    /// - Parameter savedBytes: kernel A's memory.
    init(
        kernel: BzImage, initrd: [UInt8], descriptionByteCount: Int, savedBytes: UInt64, codec: Codec, possible: Int,
        present: Int, inFirmware: Int, bounceBuffers: UInt64
    ) {
        self.kernel = kernel.initByteCount
        self.initrd = UInt64(initrd.count) + RootfsMarker.unpackedByteCount(initrd)
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

    /// What the kernel's bounce buffers (swiotlb) take: 64 MiB and their list, which a kernel with NUMA reserves if the
    /// firmware's table of nodes names memory above 4 GiB, in spite of `mem=` (6.12, arch/x86/kernel/pci-dma.c,
    /// `pci_swiotlb_detect`; drivers/acpi/numa/srat.c).
    ///
    /// They are counted and not forbidden: with `swiotlb=noforce` a disk that the firmware does not trust (Thunderbolt)
    /// fails behind an IOMMU (drivers/iommu/dma-iommu.c, `dev_use_swiotlb`), and a kernel C whose user has forgotten a
    /// word would run out of memory before it could say so.
    /// - Parameter table: ACPI's SRAT; nil if there is none.
    static func bounceBuffers(affinityTable table: [UInt8]?) -> UInt64 {
        guard let table else { return 0 }
        return (try? namesHighMemory(affinityTable: table)) == false ? 0 : 66 << 20
    }

    /// Whether an enabled entry for memory ends above 4 GiB (ACPI specification, "System Resource Affinity Table").
    /// - Throws: if the table is malformed.
    private static func namesHighMemory(affinityTable table: [UInt8]) throws(Failure) -> Bool {
        let fields = table.span.bytes
        // Behind the header (36 bytes) and 12 reserved bytes.
        var offset = 48
        while offset + 2 <= table.count {
            let type: UInt8 = try fields.integer(at: offset)
            let size = Int(try fields.integer(at: offset + 1, as: UInt8.self))
            guard size >= 2, offset + size <= table.count else {
                throw Failure("read", "the firmware's table of nodes", "an entry of it is malformed")
            }
            if type == 1, size >= 32, try fields.integer(at: offset + 28, as: UInt32.self) & 1 != 0 {
                let (end, overflow) = try fields.integer(at: offset + 8, as: UInt64.self)
                    .addingReportingOverflow(try fields.integer(at: offset + 16, as: UInt64.self))
                if overflow || end > 1 << 32 { return true }
            }
            offset += size
        }
        return false
    }

    /// What is needed with N at `end`, if `started` CPUs are started and `possible` could be.
    private func byteCount(end: UInt64, started: Int, possible: Int) -> UInt64 {
        // 64 bytes for each page, for all of the 128 MiB that they come in (6.12, mm/sparse-vmemmap.c).
        let pages = (end + (128 << 20) - 1) / (128 << 20) * (2 << 20)
        // Workers take no more than half of what is left.
        let workers = UInt64(min(started, SecondKernelMemory.usefulProcessors)) * worker * 2
        return kernel + initrd + session + bounceBuffers + SecondKernelMemory.base + pages + workers
            + UInt64(possible) * SecondKernelMemory.possibleProcessor
            + UInt64(started) * SecondKernelMemory.startedProcessor
    }

    /// How many CPUs a kernel can start in `byteCount` bytes of memory below `end`.
    /// - Returns: the count, and whether nr_cpus= has to say so; nil if not even one CPU has room.
    func processors(end: UInt64, byteCount: UInt64) -> (count: Int, isLimited: Bool)? {
        let present = max(1, self.present)
        // Without nr_cpus= a kernel starts those too that kernel A was told not to have.
        if inFirmware <= present,
            self.byteCount(end: end, started: present, possible: max(present, possible)) <= byteCount
        {
            return (present, false)
        }
        // nr_cpus= limits the possible ones as well (6.12, arch/x86/kernel/cpu/topology.c).
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
