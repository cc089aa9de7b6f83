// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import Linux
import MemoryImage
import Testing

@testable import Hibernation

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
}
