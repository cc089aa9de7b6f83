// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Testing

@testable import BlockDevices

@Suite struct DeviceAnswerTests {
    private static func answer(_ path: String) -> DeviceAnswer {
        var answer = DeviceAnswer()
        answer.content.label = "label of \(path)"
        answer.content.uuid = "ABCD-1234"
        answer.blocks = [[1, 2, 3], []]
        return answer
    }

    @Test func refusesAnAnswerThatIsMalformed() throws {
        let bytes = Self.answer("/dev/sda").encoded(number: 7)
        let answer = try DeviceAnswer(decoding: bytes, number: 7)
        #expect(answer.content == Self.answer("/dev/sda").content && answer.blocks == [[1, 2, 3], []])
        #expect(throws: Failure.self) { try DeviceAnswer(decoding: bytes, number: 8) }
        for count in 0..<4 {
            #expect(throws: Failure.self) { try DeviceAnswer(decoding: Array(bytes.prefix(count)), number: 7) }
        }
        for count in [5, 11, 13, bytes.count - 1] {
            #expect(throws: Failure.self) { try DeviceAnswer(decoding: Array(bytes.prefix(count)), number: 7) }
        }
        var tooLong = bytes
        tooLong.put(UInt32.max, at: 8)
        #expect(throws: Failure.self) { try DeviceAnswer(decoding: tooLong, number: 7) }
    }
}
