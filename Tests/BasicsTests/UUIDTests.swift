// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@Suite struct UUIDTests {
    private static let text = "00112233-4455-6677-8899-aabbccddeeff"

    @Test func roundTripsItsText() throws {
        let uuid = try #require(UUID(Self.text))
        #expect(uuid.bytes == (0..<16).map { $0 * 0x11 })
        #expect(uuid.description == Self.text)
        #expect(UUID(Self.text.uppercased()) == uuid)
        #expect(UUID(bytes: uuid.bytes) == uuid)
    }

    @Test(arguments: [
        "", "00112233-4455-6677-8899-aabbccddeef", "00112233-4455-6677-8899-aabbccddeeff0",
        "0011223344556677-8899-aabbccddeeff", "00112233-4455-6677-8899-aabbccddeefg",
        "00112233x4455-6677-8899-aabbccddeeff", "{0112233-4455-6677-8899-aabbccddeeff}",
    ])
    func refusesOtherText(text: String) { #expect(UUID(text) == nil) }

    @Test func marksRandomBytesAsVersion4() throws {
        for fill: UInt8 in [0, 0xff] {
            let uuid = try #require(UUID(random: [UInt8](repeating: fill, count: 16)))
            #expect(uuid.bytes[6] >> 4 == 4)
            #expect(uuid.bytes[8] >> 6 == 2)
        }
        #expect(UUID(random: [1]) == nil)
        #expect(UUID(bytes: [UInt8](repeating: 0, count: 17)) == nil)
    }
}
