// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// N, and the number of CPUs that kernels B and C start.
struct BackupEnd: Equatable, Sendable {
    /// N: a physical address, in bytes.
    let end: UInt64
    /// The value of nr_cpus= for kernels B and C; nil for all CPUs.
    let processors: Int?

    /// To let more CPUs start, N grows up to this and to an eighth of the memory, not further: each jump swaps all memory below
    /// N.
    private static let maximumForProcessors: UInt64 = 1 << 30
    private static let usualMinimum: UInt64 = 128 << 20

    /// Chooses the smallest N below which everything fits with all CPUs that make saving faster. If there is none, it chooses
    /// the N that allows the most CPUs.
    ///
    /// - Parameters:
    ///   - memory: kernel A's.
    ///   - need: the memory that kernels B and C need.
    ///   - tryLoading: throws if kernel B does not fit below an N because of holes in the memory.
    /// - Throws: if kernel B fits below no N, with the reason.
    static func choose(
        _ memory: [PhysicalRange], _ need: SecondKernelMemory, tryLoading: (UInt64) throws(Failure) -> Void
    ) throws(Failure) -> BackupEnd {
        let wanted = min(max(1, need.present), SecondKernelMemory.usefulProcessors)
        var best: (choice: BackupEnd, count: Int)?
        var problem: Failure?
        for end in candidates(memory) {
            if best != nil, end > min(maximumForProcessors, memory.byteCount / 8) { break }
            do throws(Failure) {
                let (choice, count) = try check(end, memory, need, tryLoading: tryLoading)
                if count >= wanted { return choice }
                if count > best?.count ?? 0 { best = (choice, count) }
            } catch { problem = error }
        }
        if let best { return best.choice }
        throw problem
            ?? Failure(
                "hibernate", "", "\(describe(bytes: memory.byteCount)) of memory are too little for a second kernel"
            )
    }

    /// The possible values of N, ascending: from 128 MiB on, or from 64 MiB on if 128 MiB are too much for this machine.
    private static func candidates(_ memory: [PhysicalRange]) -> [UInt64] {
        let step = KernelSurvey.backupAlignment
        let all = stride(from: step, through: maximumBackupByteCount, by: Int(step)).filter {
            (try? KernelSurvey.check(backupEnd: $0, memory)) != nil
        }
        let usual = all.filter { $0 >= usualMinimum }
        return usual.isEmpty ? all : usual
    }

    /// Checks one value of N.
    /// - Parameter end: N, in bytes.
    /// - Returns: the choice, and the number of CPUs that start.
    /// - Throws: if not everything fits below N.
    static func check(
        _ end: UInt64, _ memory: [PhysicalRange], _ need: SecondKernelMemory,
        tryLoading: (UInt64) throws(Failure) -> Void
    ) throws(Failure) -> (choice: BackupEnd, count: Int) {
        try KernelSurvey.check(backupEnd: end, memory)
        try tryLoading(end)
        let available = memory.intersection([0..<end]).byteCount
        guard let (count, isLimited) = need.processors(end: end, byteCount: available) else {
            throw Failure(
                "use", "\(describe(bytes: end)) as --backup-end",
                "kernel B needs more than the \(describe(bytes: available)) of memory below this address",
                remedy: "use a larger --backup-end")
        }
        return (BackupEnd(end: end, processors: isLimited ? count : nil), count)
    }

    /// Checks the N that the administrator has chosen.
    /// - Throws: if it does not work; if it is too small, the remedy names a value that works.
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
