// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Linux

@Suite struct ProcessorTests {
    @Test func aProcessorFitsItself() {
        let features = processorFeatures()
        #expect(features.count == 7)
        #expect(features[0] != 0)
        #expect(processorDifference(features, features) == nil)
    }

    @Test(
        arguments: [
            ([1, 2, 0b0110], [1, 2, 0b1110], nil),
            ([1, 2, 0b0110], [1, 2, 0b1010], "it lacks features (dtes64)"),
            ([1, 2, 0], [1, 3, 0], "it is another model"), ([1, 2, 0], [0, 2, 0], "it is another model"),
            ([1, 2], [1, 2, 0], "it is described in another format"), ([], [1], "it is described in another format"),
        ] as [([UInt64], [UInt64], String?)])
    func comparesFeatures(old: [UInt64], new: [UInt64], expected: String?) {
        #expect(processorDifference(old, new) == expected)
    }

    @Test(arguments: [
        ("0", 1), ("0-3", 4), ("0-1,4,6-7", 5), ("", nil), ("0-", nil), ("3-1", nil), ("0,,1", nil), ("0-65536", nil),
        ("a", nil), ("0-1-2", nil),
    ])
    func countsProcessors(list: String, expected: Int?) { #expect(processorCount(inList: list) == expected) }
}
