// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// N, and how many CPUs kernels B and C start below it.
struct BackupEnd: Equatable, Sendable {
    let end: UInt64
    /// What nr_cpus= has to say; nil for all CPUs.
    let processors: Int?

    /// N grows for more CPUs up to this, and no further than an eighth of the memory: each jump swaps all of it.
    private static let mostForProcessors: UInt64 = 1 << 30
    private static let smallest: UInt64 = 128 << 20

    /// Chooses N: the smallest with room for everything and for all CPUs that make saving faster; if there is none, the one
    /// with room for the most.
    ///
    /// - Parameters:
    ///   - memory: kernel A's.
    ///   - need: what has to have room.
    ///   - tryLoading: throws if kernel B cannot be laid out below an N, since memory there has holes.
    /// - Throws: why nothing fits below any N.
    static func choose(
        _ memory: [PhysicalRange], _ need: SecondKernelMemory, tryLoading: (UInt64) throws(Failure) -> Void
    ) throws(Failure) -> BackupEnd {
        let wanted = min(max(1, need.present), SecondKernelMemory.usefulProcessors)
        var best: (choice: BackupEnd, count: Int)?
        var problem: Failure?
        for end in candidates(memory) {
            if best != nil, end > min(mostForProcessors, memory.byteCount / 8) { break }
            do throws(Failure) {
                let (choice, count) = try check(end, memory, need, tryLoading: tryLoading)
                if count >= wanted { return choice }
                if count > best?.count ?? 0 { best = (choice, count) }
            } catch { problem = error }
        }
        if let best { return best.choice }
        throw problem
            ?? Failure(
                "hibernate", "", "the machine's \(describe(bytes: memory.byteCount)) are too little for a second kernel"
            )
    }

    /// The values that N may have, ascending: from 128 MiB on, or 64 MiB if more than half of the memory lay below that.
    private static func candidates(_ memory: [PhysicalRange]) -> [UInt64] {
        let step = KernelSurvey.backupAlignment
        let all = stride(from: step, through: maximumBackupByteCount, by: Int(step)).filter {
            (try? KernelSurvey.check(backupEnd: $0, memory)) != nil
        }
        let usual = all.filter { $0 >= smallest }
        return usual.isEmpty ? all : usual
    }

    /// Checks one N.
    /// - Throws: if not everything fits.
    static func check(
        _ end: UInt64, _ memory: [PhysicalRange], _ need: SecondKernelMemory,
        tryLoading: (UInt64) throws(Failure) -> Void
    ) throws(Failure) -> (choice: BackupEnd, count: Int) {
        try KernelSurvey.check(backupEnd: end, memory)
        try tryLoading(end)
        let room = memory.intersection([0..<end]).byteCount
        guard let (count, isLimited) = need.processors(end: end, byteCount: room) else {
            throw Failure(
                "use", "\(describe(bytes: end)) as --backup-end",
                "kernel B needs more than the \(describe(bytes: room)) of memory below it",
                remedy: "use a larger --backup-end")
        }
        return (BackupEnd(end: end, processors: isLimited ? count : nil), count)
    }

    /// Checks the N that the administrator asks for.
    /// - Throws: if it is too small, with the one that works.
    static func require(
        _ end: UInt64, _ memory: [PhysicalRange], _ need: SecondKernelMemory,
        tryLoading: (UInt64) throws(Failure) -> Void
    ) throws(Failure) -> BackupEnd {
        do throws(Failure) { return try check(end, memory, need, tryLoading: tryLoading).choice } catch {
            guard let other = try? choose(memory, need, tryLoading: tryLoading), other.end > end,
                end % KernelSurvey.backupAlignment == 0
            else { throw error }
            var failure = error
            failure.remedy = "use a larger --backup-end: \(other.end >> 20)M works"
            throw failure
        }
    }
}
