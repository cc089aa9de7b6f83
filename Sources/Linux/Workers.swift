// SPDX-License-Identifier: Apache-2.0
import Basics
import Synchronization

/// Threads that share a task. The first failure stops all of them.
public final class Workers: Sendable {
    private let firstFailure = Locked<Failure?>(nil)
    private let stop = Atomic<Bool>(false)

    private let count: Int

    /// - Parameter count: the number of workers; at least one. By default one for each available CPU.
    public init(count: Int = availableProcessorCount()) { self.count = max(1, count) }

    /// Whether a worker has failed, so that the others should stop.
    public var isStopping: Bool { stop.load(ordering: .relaxed) }

    /// Runs `work` once for each worker, each on its own thread, and returns when all have ended.
    /// - Throws: the first failure.
    public func run(_ work: @escaping () throws(Failure) -> Void) throws(Failure) {
        runConcurrently(count) { _ in
            do throws(Failure) { try work() } catch {
                self.stop.store(true, ordering: .relaxed)
                self.firstFailure.withLock { if $0 == nil { $0 = error } }
            }
        }
        if let failure = firstFailure.withLock({ $0 }) { throw failure }
    }
}

/// A queue of items for several workers. Each item is taken once.
public final class WorkQueue<Item: Sendable>: Sendable {
    public let items: [Item]
    private let next = Atomic<Int>(0)

    public init(_ items: [Item]) { self.items = items }

    /// Takes the next item; nil if all are taken.
    public func take() -> Item? {
        let number = next.add(1, ordering: .relaxed).oldValue
        return number < items.count ? items[number] : nil
    }
}
