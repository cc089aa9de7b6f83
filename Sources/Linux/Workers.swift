import Basics
import Synchronization

/// Workers on all CPUs that share a task: the first failure stops them all.
public final class Workers: Sendable {
    private let firstFailure = Guarded<Failure?>(nil)
    private let stop = Atomic<Bool>(false)

    public init() {}

    /// Whether a worker has failed, so that the others need not go on.
    public var isStopping: Bool { stop.load(ordering: .relaxed) }

    /// Runs `work` once per CPU, each on a thread of its own, and returns when all have ended.
    /// - Throws: the first failure.
    public func run(_ work: @escaping () throws(Failure) -> Void) throws(Failure) {
        runConcurrently(availableProcessorCount()) { _ in
            do throws(Failure) { try work() } catch {
                self.stop.store(true, ordering: .relaxed)
                self.firstFailure.withLock { if $0 == nil { $0 = error } }
            }
        }
        if let failure = firstFailure.withLock({ $0 }) { throw failure }
    }
}
