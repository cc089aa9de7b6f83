// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import Testing

@testable import Hibernation

@Suite struct ReportPageTests {
    private final class Frames { var frame: UInt64 = 5 }

    @Test func noticesThatThePageHasMoved() throws {
        let frames = Frames()
        let page = try ReportPage { (_) throws(Failure) in [frames.frame] }
        #expect(page.address == 5 * 4096)
        #expect(try page.isInPlace)
        frames.frame = 6
        #expect(try !page.isInPlace)
        frames.frame = 0
        #expect(throws: Failure.self) { try page.isInPlace }
        #expect(throws: Failure.self) { try ReportPage { (_) throws(Failure) in [0] } }
    }

    /// Kernel B takes a page that begins with the key for the report's: an old place must not be one.
    @Test func everyLoadHasAKeyOfItsOwn() throws {
        let keys = try (0..<3).map { _ in try ReportPage { (_) throws(Failure) in [1] }.key }
        #expect(Set(keys).count == 3 && keys.allSatisfy { $0.count == Report.keyByteCount })
    }
}
