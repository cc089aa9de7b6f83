// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// Keeps kernel threads on CPU 0 as long as this exists. Without it a jump can hang for ever.
///
/// The jump freezes user space, but no kernel thread (6.12, kernel/kexec_core.c, `kernel_kexec`): write-back, a journal, the
/// initialization of a new ext4 or a RAID resync go on. The jump suspends the disks first and takes CPUs offline afterwards. A
/// driver may accept requests in between and serve them only after the resume (virtio-blk; drivers/block/virtio_blk.c,
/// `virtblk_freeze`). But a CPU goes offline only when all requests are done that came from it, if its queue of the disk has no
/// other CPU (block/blk-mq.c, `blk_mq_hctx_notify_offline`). CPU 0 stays online, and nothing waits for its requests.
///
/// Threads that belong to one other CPU stay there: they work for user space and interrupts of that CPU, which stand still.
/// The threads of interrupts stay too: they follow their interrupts.
struct KernelThreadPlacement: ~Copyable {
    private let table: ProcessTable
    private let threads: [ProcessTable.KernelThread]
    /// Workers of workqueues that belong to no CPU. The kernel gives these workers no new work, and starts others on CPU 0.
    private let oldWorkers: [Int32]
    private let workqueues: WorkqueueMask
    private let move: (Int32, ProcessorMask) -> Void

    /// Moves the kernel's threads. Those that the kernel does not move stay where they are.
    /// - Parameter move: restricts a thread to some CPUs. Tests use another function.
    init(
        _ system: SystemFolders = SystemFolders(),
        move: @escaping (Int32, ProcessorMask) -> Void = { $1.apply(to: $0) }
    ) {
        self.move = move
        table = ProcessTable(system.proc)
        let others = table.kernelThreads.filter { $0.processors != .first }
        threads = others.filter { !$0.isBound && !$0.name.utf8.starts(with: "irq/".utf8) }
        // kworker/uPOOL:NUMBER (6.12, kernel/workqueue.c, `format_worker_id`)
        oldWorkers = others.filter { $0.isBound && $0.name.utf8.starts(with: "kworker/u".utf8) }.map { $0.thread }
        workqueues = WorkqueueMask(system.sys)
        workqueues.moveToFirst()
        for thread in threads { move(thread.thread, .first) }
    }

    /// Waits until no worker on another CPU is busy: work that has begun, such as a long write-back, ends where it began.
    /// - Parameter milliseconds: the maximum time to wait. Under writes without end a worker may stay busy.
    borrowing func waitForOldWorkers(milliseconds: UInt64 = 2000) {
        let start = monotonicMilliseconds()
        while oldWorkers.contains(where: { table.isBusy($0) }), monotonicMilliseconds() - start < milliseconds {
            sleep(milliseconds: 1)
        }
    }

    /// Moves the threads back now.
    consuming func restore() {}

    deinit {
        workqueues.restore()
        // A thread that has ended is left out: another one may have its number now.
        let now = table.kernelThreads.filter { $0.processors == .first }
        for thread in threads where now.contains(where: { $0.thread == thread.thread && $0.name == thread.name }) {
            move(thread.thread, thread.processors)
        }
    }
}

/// The CPUs for workers of workqueues that belong to no CPU (Documentation/core-api/workqueue.rst, "Affinity Scopes").
private struct WorkqueueMask {
    private let path: String
    /// What the file had before; nil if the kernel does not show it.
    private let before: String?

    init(_ sys: String) {
        path = "\(sys)/devices/virtual/workqueue/cpumask"
        // From Linux 6.9 on, `cpumask` lacks isolated CPUs, and `cpumask_requested` has what was written.
        before = (try? readText(path + "_requested")) ?? (try? readText(path))
    }

    func moveToFirst() { write("1\n") }

    func restore() { write(before ?? "") }

    private func write(_ mask: String) {
        if before != nil { try? File(path, .write).write(line: mask) }
    }
}
