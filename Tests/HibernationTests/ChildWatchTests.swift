// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import Linux
import MemoryImage
import Testing

@testable import Hibernation

@Suite(.serialized) struct ChildWatchTests {
    /// What becomes of a child that does `work`.
    private func run(
        timeout: Int = 60, _ work: (ChildState) throws(Failure) -> Void
    ) throws -> (reason: String?, state: ChildState) {
        blockChildSignal()
        let state = try ChildState()
        let watch = ChildWatch(state: state, log: KernelLog(), verb: "working", progressTimeoutSeconds: timeout)
        return (watch.run { () throws(Failure) in try work(state) }, state)
    }

    @Test func readsTheStateOfTheChild() throws {
        let (reason, state) = try run { state in
            var counts = ImageCounts()
            counts.chunks = 1
            counts.dataPages = 2
            counts.zeroPages = 3
            counts.storedBytes = 4
            counts.milliseconds = 5
            state.counts = counts
            state.totalPages = 100
            state.add(pages: 7)
            state.add(pages: 8)
            state.add(zeroPages: 9)
            state.totalDataPages = 50
            state.stage = .committed
        }
        #expect(reason == nil)
        #expect(state.stage == .committed && state.totalPages == 100 && state.pages == 15)
        #expect(state.work == PageWork(dataPages: 15, zeroPages: 9, totalPages: 100, totalDataPages: 50))
        #expect(state.counts.milliseconds == 5 && state.counts.chunks == 1 && state.counts.storedBytes == 4)
    }

    @Test func reportsWhyTheChildFailed() throws {
        let thrown = try run { (_) throws(Failure) in throw Failure("write", "/dev/x", "the disk is gone") }
        #expect(thrown.reason == "write /dev/x: the disk is gone")
        let trapped = try run { _ in kill(processID()) }
        #expect(trapped.reason == "working: the child process was killed by signal 9, perhaps because memory ran out")
        let after = try run { state in
            state.stage = .committed
            kill(processID())
        }
        #expect(after.state.stage == .committed, "what was done before the end counts")
    }

    @Test func endsAChildThatHangs() throws {
        let (reason, _) = try run(timeout: 1) { _ in sleep(milliseconds: 600_000) }
        #expect(reason == "working: no progress for 1 s")
    }

    @Test func namesTheDeviceThatAChildHangsOn() throws {
        let (reason, _) = try run(timeout: 1) { state in
            state.activity = "reading /dev/sdb"
            sleep(milliseconds: 600_000)
        }
        #expect(reason == "working: no progress for 1 s while reading /dev/sdb")
    }
}
