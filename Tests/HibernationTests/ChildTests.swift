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
        patience: Int = 60, _ work: (ChildState) throws(Failure) -> Void
    ) throws -> (reason: String?, state: ChildState) {
        blockChildSignal()
        let state = try ChildState()
        let watch = ChildWatch(state: state, log: KernelLog(), verb: "working", progressTimeoutSeconds: patience)
        return (watch.run { () throws(Failure) in try work(state) }, state)
    }

    @Test func seesWhatTheChildDid() throws {
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

    /// PID 1 reads each of them after the child has written all.
    @Test func noTwoFieldsShareAWord() throws {
        let state = try ChildState()
        state.stage = .working
        state.totalPages = 101
        state.totalDataPages = 102
        state.add(pages: 103)
        state.add(zeroPages: 104)
        state.beat()
        var counts = ImageCounts()
        counts.chunks = 105
        counts.dataPages = 106
        counts.zeroPages = 107
        counts.storedBytes = 108
        counts.milliseconds = 109
        state.counts = counts
        let image = try #require(UUID("aaaaaaaa-89ab-4cde-8f01-23456789abcd"))
        state.imageUUID = image
        state.ending = .failedForGood
        state.answer = 110
        state.note(contentsEnd: 112)
        state.note(contentsEnd: 111)
        state.text = String(repeating: "t", count: 2000)
        state.activity = String(repeating: "a", count: 2000)
        #expect(state.stage == .working && state.totalPages == 101 && state.totalDataPages == 102)
        #expect(state.pages == 103 && state.zeroPages == 104 && state.heartbeat == 103 + 104 + 1)
        #expect(state.counts == counts && state.imageUUID == image)
        #expect(state.ending == .failedForGood && state.answer == 110 && state.contentsEnd == 112)
        #expect(state.text.allSatisfy { $0 == "t" } && state.text.count > 1000)
        #expect(state.activity.allSatisfy { $0 == "a" } && state.activity.count > 200)
    }

    @Test func tellsWhyTheChildGaveUp() throws {
        let thrown = try run { (_) throws(Failure) in throw Failure("write", "/dev/x", "the disk is gone") }
        #expect(thrown.reason == "write /dev/x: the disk is gone")
        let trapped = try run { _ in kill(processID()) }
        #expect(trapped.reason == "the process working was ended by signal 9, as it is when memory runs out")
        let after = try run { state in
            state.stage = .committed
            kill(processID())
        }
        #expect(after.state.stage == .committed, "what was done before the end counts")
    }

    @Test func endsAChildThatHangs() throws {
        let (reason, _) = try run(patience: 1) { _ in sleep(milliseconds: 600_000) }
        #expect(reason == "no progress working for 1 s")
    }

    @Test func namesTheDeviceThatAChildHangsOn() throws {
        let (reason, _) = try run(patience: 1) { state in
            state.activity = "reading /dev/sdb"
            sleep(milliseconds: 600_000)
        }
        #expect(reason == "no progress working for 1 s while reading /dev/sdb")
    }
}

@Suite struct ReportTests {
    @Test func readsWhatItWrites() throws {
        var report = Report()
        report.outcome = .resumed
        report.counts.chunks = 1
        report.counts.dataPages = 2
        report.counts.zeroPages = 3
        report.counts.storedBytes = 4
        report.counts.milliseconds = 5
        report.restoreMilliseconds = 6
        report.contentsEnd = 7
        report.text = String(repeating: "é", count: 600)
        let read = try Report(decoding: report.encoded())
        #expect(read.text == String(repeating: "é", count: 511))
        report.text = read.text
        #expect(read == report)
        #expect(report.encoded().count + Report.keyByteCount <= 2048, "kernel A's note comes behind it")
        #expect(try Report(decoding: [UInt8](repeating: 0, count: 2048)).outcome == .none)
        #expect(throws: Failure.self) { try Report(decoding: [1]) }
    }

    @Test func isNotDeliveredToAPageThatIsNotKernelAs() {
        var description = ImageDescription()
        description.memoryRanges = [0x1000..<0x9f000]
        description.backupRanges = [0x1000..<0x9f000]
        description.reportKey = [UInt8](repeating: 1, count: 32)
        for address: UInt64 in [0, 0x2000, 0x10_0000, 0x2001, 1 << 60] {
            description.reportAddress = address
            #expect(throws: Failure.self) { try Report().deliver(into: description) }
        }
    }
}

@Suite struct ReportPlaceTests {
    @Test func readsWhatItWrites() {
        let place = Report.Place(address: 0x1234_5000, key: (0..<32).map { UInt8($0 * 7 % 256) })
        #expect(Report.Place(place.description) == place)
        #expect(place.description.hasPrefix("0x12345000:00070e"))
    }
}

@Suite struct WindowTests {
    @Test func cutsRangesAtMultiplesOfTheWindow() {
        let size = saveRangeByteCount
        let windows = SavePipeline.saveRanges([0x1000..<0x2000, size - 4096..<3 * size + 4096, 5 * size..<6 * size])
        #expect(
            windows == [
                0x1000..<0x2000, size - 4096..<size, size..<2 * size, 2 * size..<3 * size, 3 * size..<3 * size + 4096,
                5 * size..<6 * size,
            ])
        #expect(SavePipeline.saveRanges([]) == [])
    }
}
