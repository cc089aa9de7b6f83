// SPDX-License-Identifier: Apache-2.0
import MemoryImage

/// What an image holds, as JSON.
struct CountsOutput: Codable, Equatable {
    let chunks: UInt64
    /// Pages whose contents are stored.
    let dataPages: UInt64
    /// Pages whose contents are not stored: zero pages and free pages together.
    let omittedPages: UInt64
    /// Pages of zeros, and free pages; nil if the source does not tell them apart.
    let zeroPages, freePages: UInt64?
    let storedBytes, saveMilliseconds: UInt64

    /// - Parameter tellsFreePages: whether the source of the counts tells free pages from pages of zeros.
    init(_ counts: ImageCounts, tellsFreePages: Bool) {
        chunks = counts.chunks
        dataPages = counts.dataPages
        omittedPages = counts.zeroPages
        zeroPages = tellsFreePages ? counts.zeroPages - min(counts.zeroPages, counts.freePages) : nil
        freePages = tellsFreePages ? counts.freePages : nil
        storedBytes = counts.storedBytes
        saveMilliseconds = counts.milliseconds
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        chunks = try container.decode(UInt64.self, forKey: .chunks)
        dataPages = try container.decode(UInt64.self, forKey: .dataPages)
        storedBytes = try container.decode(UInt64.self, forKey: .storedBytes)
        saveMilliseconds = try container.decode(UInt64.self, forKey: .saveMilliseconds)
        let zero = try container.decodeIfPresent(UInt64.self, forKey: .zeroPages)
        if let omitted = try container.decodeIfPresent(UInt64.self, forKey: .omittedPages) {
            omittedPages = omitted
            zeroPages = zero
            freePages = try container.decodeIfPresent(UInt64.self, forKey: .freePages)
        } else {
            // Before the JSON had a version, `zeroPages` counted free pages as well.
            omittedPages = zero ?? 0
            zeroPages = nil
            freePages = nil
        }
    }
}
