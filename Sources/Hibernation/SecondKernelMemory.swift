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
    /// CPUs that could be there, and those that are.
    var possible: Int
    var present: Int

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
        present: Int
    ) {
        self.kernel = kernel.initByteCount
        self.initrd = UInt64(initrd.count) + RootfsMarker.unpackedByteCount(initrd)
        session = UInt64(descriptionByteCount) * 4 + savedBytes / SavePipeline.windowByteCount * 64
        worker = codec.workerByteCount
        self.possible = possible
        self.present = present
    }

    init(
        kernel: UInt64, initrd: UInt64, session: UInt64, worker: UInt64, possible: Int, present: Int
    ) {
        self.kernel = kernel
        self.initrd = initrd
        self.session = session
        self.worker = worker
        self.possible = possible
        self.present = present
    }

    /// What is needed with N at `end`, if `started` CPUs are started and `possible` could be.
    private func byteCount(end: UInt64, started: Int, possible: Int) -> UInt64 {
        // 64 bytes for each page, for all of the 128 MiB that they come in (6.12, mm/sparse-vmemmap.c).
        let pages = (end + (128 << 20) - 1) / (128 << 20) * (2 << 20)
        // Workers take no more than half of what is left.
        let workers = UInt64(min(started, SecondKernelMemory.usefulProcessors)) * worker * 2
        return kernel + initrd + session + SecondKernelMemory.base + pages + workers
            + UInt64(possible) * SecondKernelMemory.possibleProcessor
            + UInt64(started) * SecondKernelMemory.startedProcessor
    }

    /// How many CPUs a kernel can start in `byteCount` bytes of memory below `end`.
    /// - Returns: the count, and whether nr_cpus= has to say so; nil if not even one CPU has room.
    func processors(end: UInt64, byteCount: UInt64) -> (count: Int, isLimited: Bool)? {
        let present = max(1, self.present)
        if self.byteCount(end: end, started: present, possible: max(present, possible)) <= byteCount {
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
