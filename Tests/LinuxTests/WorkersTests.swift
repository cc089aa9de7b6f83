// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import Synchronization
import Testing

@Suite struct WorkersTests {
    /// The first to come fails; the others have no other end than hearing of it.
    @Test(.timeLimit(.minutes(5))) func aFailureStopsTheOtherWorkers() {
        let workers = Workers()
        let list = WorkQueue([0])
        let failure = #expect(throws: Failure.self) {
            try workers.run { () throws(Failure) in
                if list.take() != nil { throw Failure("work on", "item", "enough") }
                while !workers.isStopping { sched_yield() }
            }
        }
        #expect(failure?.description == "work on item: enough")
    }

    @Test func successDoesNotStopTheWorkers() throws {
        let workers = Workers()
        try workers.run { () throws(Failure) in }
        #expect(!workers.isStopping)
        #expect(WorkQueue([Int]()).take() == nil)
    }

    @Test func takesEveryItemOnce() throws {
        let list = WorkQueue(Array(0..<1000))
        let seen = Locked<[Int]>([])
        try Workers().run { () throws(Failure) in
            while let item = list.take() { seen.withLock { $0.append(item) } }
        }
        #expect(seen.withLock { $0.sorted() } == Array(0..<1000))
    }

    @Test func throwsTheFirstFailureWhenAllHaveEnded() {
        let workers = Workers()
        let ended = Atomic<Int>(0)
        let failure = #expect(throws: Failure.self) {
            try workers.run { () throws(Failure) in
                ended.add(1, ordering: .relaxed)
                throw Failure("work", "hard", "no")
            }
        }
        #expect(failure?.description == "work hard: no")
        #expect(workers.isStopping)
        #expect(ended.load(ordering: .relaxed) == availableProcessorCount())
    }
}
