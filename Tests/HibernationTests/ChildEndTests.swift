// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import Foundation
import Linux
import MemoryImage
import Testing

@testable import Hibernation

/// Ways in which a child can end; PID 1 goes on after each of them.
@Suite(.serialized) struct ChildEndTests {
    private let parameters = KernelParameters(KernelCommandLine(""))
    private let log = KernelLog()

    init() { blockChildSignal() }

    private func outcome(_ work: (ChildState) throws(Failure) -> Void) -> ChildOutcome {
        runInChild("working", parameters, log, work)
    }

    @Test func tellsEndsApart() {
        let table: [(String?, (ChildState) throws(Failure) -> Void)] = [
            (nil, { _ in }),
            ("open x: why", { (_) throws(Failure) in throw Failure("open", "x", "why") }),
            // It ends by itself, with a status that means nothing to us, before its work is done.
            ("the process working ended with status 3", { _ in _exit(3) }),
            ("the process working ended with status 1", { _ in _exit(1) }),
            ("the process working was ended by signal 9, as it is when memory runs out", { _ in kill(processID()) }),
            // What it wrote before it was ended tells more than the signal.
            (
                "out of memory",
                {
                    $0.text = "out of memory"
                    kill(processID())
                }
            ),
            (nil, { $0.text = "nothing that matters" }),
        ]
        for (number, (expected, work)) in table.enumerated() {
            let result = outcome(work)
            #expect(result.reason == expected, "end \(number)")
            #expect(result.stage == .preparing, "end \(number)")
        }
    }

    /// Past the point of no return it does not matter how the child ended.
    @Test func whatWasCommittedStays() {
        let result = outcome { state in
            var counts = ImageCounts()
            counts.dataPages = 42
            state.counts = counts
            state.stage = .committed
            kill(processID())
        }
        #expect(result.stage == .committed)
        #expect(result.counts.dataPages == 42)
        #expect(result.reason != nil)
        #expect(outcome { $0.stage = .working }.stage == .working)
    }
}

@Suite struct ChildStateTests {
    @Test func beginsEmpty() throws {
        let state = try ChildState()
        #expect(state.stage == .preparing && state.pages == 0 && state.totalPages == 0 && state.heartbeat == 0)
        #expect(state.text == "" && state.counts == ImageCounts())
    }

    @Test func keepsItsValuesApart() throws {
        let state = try ChildState()
        var counts = ImageCounts()
        counts.chunks = .max
        counts.dataPages = .max - 1
        counts.zeroPages = .max - 2
        counts.storedBytes = .max - 3
        counts.milliseconds = .max - 4
        state.counts = counts
        state.totalPages = .max - 5
        state.stage = .working
        state.text = String(repeating: "x", count: 5000)
        #expect(state.counts == counts && state.totalPages == .max - 5 && state.stage == .working)
        #expect(state.text == String(repeating: "x", count: 1023))
        #expect(state.pages == 0 && state.heartbeat == 0)
        state.text = "short"
        #expect(state.text == "short", "nothing of the longer text is left")
        state.text = String(repeating: "€", count: 400)
        #expect(state.text == String(repeating: "€", count: 341))
    }

    /// Anything that gets done is a sign of life.
    @Test func everyPageAndEveryBeatIsASignOfLife() throws {
        let state = try ChildState()
        var seen: Set<UInt64> = [state.heartbeat]
        for _ in 0..<3 {
            state.beat()
            seen.insert(state.heartbeat)
            state.add(pages: 5)
            seen.insert(state.heartbeat)
        }
        #expect(seen.count == 7)
        #expect(state.pages == 15)
    }

    @Test func addsPagesOfAllWorkers() throws {
        let state = try ChildState()
        runConcurrently(4) { _ in for _ in 0..<1000 { state.add(pages: 3) } }
        #expect(state.pages == 12000)
    }
}

@Suite struct ReportFieldTests {
    @Test(arguments: [Report.Outcome.none, .failed, .snapshot, .resumed])
    func keepsTheOutcome(outcome: Report.Outcome) throws {
        var report = Report()
        report.outcome = outcome
        report.counts.storedBytes = .max
        report.text = "a\nb"
        #expect(try Report(decoding: report.encoded()) == report)
    }

    /// Kernel A reads this after somebody else wrote it.
    @Test func survivesEveryByte() throws {
        var report = Report()
        report.outcome = .resumed
        report.text = "text"
        let bytes = report.encoded()
        for i in bytes.indices {
            var changed = bytes
            changed[i] ^= 0xff
            #expect(throws: Never.self) { try Report(decoding: changed) }
            #expect(throws: Failure.self) { try Report(decoding: Array(bytes.prefix(i))) }
        }
        var unknown = bytes
        unknown.put(UInt32(99), at: 0)
        #expect(try Report(decoding: unknown).outcome == .none)
    }

    /// Rates that are not known, too many pages, the largest numbers.
    @Test(
        arguments: [(0, 0), (5, 0), (0, UInt64.max), (UInt64.max, 1), (UInt64.max, UInt64.max)] as [(UInt64, UInt64)])
    func progressSurvivesItsNumbers(pages: UInt64, total: UInt64) {
        var progress = Progress(verb: "saving")
        let first = progress.line(PageWork(totalPages: total), at: 10)
        #expect(first == nil)
        let line = progress.line(PageWork(dataPages: pages, totalPages: total), at: 10)
        #expect((line == nil) == (total == 0))
        if total > 0 { #expect(line?.hasPrefix("saving: ") == true) }
    }
}
