// SPDX-License-Identifier: Apache-2.0
import Basics

/// Makes the kernel move other data out of memory, into swap space, until a number of bytes is free.
///
/// kexec_load(2) allocates its control pages without waiting for swap space (kernel/kexec_core.c of Linux 6.12,
/// `KEXEC_CONTROL_MEMORY_GFP`). If all memory is in use, it fails although much of that memory could be moved out. Ordinary
/// allocations wait, so this makes one and frees it. If the memory cannot be had, this does nothing: a process that allocated
/// it would be ended, or others would.
/// - Parameter limit: the limit of this process's control group; nil if there is none.
public func makeMemoryRoom(byteCount: UInt64, limit: MemoryLimit? = controlGroupLimit()) {
    guard let memory = try? MemoryUse(meminfo: readText("/proc/meminfo")), memory.needsRoom(byteCount),
        memory.canMakeRoom(byteCount, limit: limit), let count = Int(exactly: byteCount)
    else { return }
    _ = try? Mapping(anonymous: count, isPopulated: true)
}

/// What /proc/meminfo says of the use of memory (proc_meminfo(5)), in bytes.
struct MemoryUse: Equatable {
    /// Pages that hold nothing.
    var free: UInt64
    /// An estimate of what programs can allocate without swapping.
    var available: UInt64
    /// Pages that the kernel can move into swap space, if that had room for all of them.
    var swappable: UInt64
    var freeSwap: UInt64

    /// The memory that other allocations, and the kernel's own reserve, must keep below a control group's limit.
    private static let spared: UInt64 = 16 << 20

    /// Whether an allocation may have to wait. The kernel keeps a part of the free memory to itself.
    func needsRoom(_ byteCount: UInt64) -> Bool { free / 2 < byteCount }

    /// Whether an allocation can wait for room without any danger of the OOM killer: twice as much could be had.
    func canMakeRoom(_ byteCount: UInt64, limit: MemoryLimit?) -> Bool {
        guard byteCount > 0, byteCount < 1 << 62, (available + min(swappable, freeSwap)) / 2 > byteCount else {
            return false
        }
        return limit.map { $0.bytes > byteCount + MemoryUse.spared } ?? true
    }
}

extension MemoryUse {
    init(meminfo: String) throws(Failure) {
        func bytes(_ name: String) throws(Failure) -> UInt64 { try byteCount(name, in: meminfo, of: "/proc/meminfo") }
        free = try bytes("MemFree")
        available = try bytes("MemAvailable")
        swappable = try bytes("Active(anon)") + bytes("Inactive(anon)")
        freeSwap = try bytes("SwapFree")
    }
}
