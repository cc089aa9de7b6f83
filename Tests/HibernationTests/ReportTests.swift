// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import Linux
import MemoryImage
import Testing

@testable import Hibernation

@Suite struct ReportTests {
    @Test func roundTrips() throws {
        var report = Report()
        report.outcome = .resumed
        report.counts.chunks = 1
        report.counts.dataPages = 2
        report.counts.zeroPages = 3
        report.counts.storedBytes = 4
        report.counts.milliseconds = 5
        report.restoreMilliseconds = 6
        report.contentsEnd = 7
        report.startMilliseconds = 8
        report.text = String(repeating: "é", count: 600)
        let read = try Report(decoding: report.encoded())
        #expect(read.text == String(repeating: "é", count: 511))
        report.text = read.text
        #expect(read == report)
        #expect(report.encoded().count + Report.keyByteCount <= 2048, "kernel A's note comes behind it")
        #expect(try Report(decoding: [UInt8](repeating: 0, count: 2048)).outcome == .none)
        #expect(throws: Failure.self) { try Report(decoding: [1]) }
    }

    @Test func isNotDeliveredOutsideKernelAsMemory() {
        var description = ImageDescription()
        description.memoryRanges = [0x1000..<0x9f000]
        description.backupRanges = [0x1000..<0x9f000]
        description.reportKey = [UInt8](repeating: 1, count: 32)
        for address: UInt64 in [0, 0x2000, 0x10_0000, 0x2001, 1 << 60] {
            description.reportAddress = address
            #expect(throws: Failure.self) { try Report().deliver(into: description) }
        }
    }

    @Test(arguments: [Report.Outcome.none, .failed, .snapshot, .resumed, .rehearsed])
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

    @Test func roundTripsThePlace() {
        let place = Report.Place(address: 0x1234_5000, key: (0..<32).map { UInt8($0 * 7 % 256) })
        #expect(Report.Place(place.description) == place)
        #expect(place.description.hasPrefix("0x12345000:00070e"))
    }

    /// Here a sum that is not checked would trap, and end the test program.
    @Test func refusesAPageAtTheEndOfAllAddresses() {
        var description = ImageDescription()
        description.reportKey = [UInt8](repeating: 1, count: 32)
        description.reportAddress = 0xffff_ffff_ffff_f000
        #expect(throws: Failure.self) { try Report().deliver(into: description) }
    }
}
