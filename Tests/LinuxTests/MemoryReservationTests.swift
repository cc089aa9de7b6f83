// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import Testing

@Suite(.serialized) struct MemoryReservationTests {
    /// Files in memory that this process has open under the name.
    private func openFiles() throws -> [String] {
        try listDirectory("/proc/self/fd").filter {
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)"))?.contains(
                "memfd:torpor")
                ?? false
        }
    }

    @Test func reservesAndFreesMemory() throws {
        let size: UInt64 = 256 << 20
        #expect(try openFiles().isEmpty)
        do {
            let held = try MemoryReservation(byteCount: size)
            let file = try #require(try openFiles().first)
            var status = stat()
            #expect(stat("/proc/self/fd/\(file)", &status) == 0)
            #expect(UInt64(status.st_blocks) * 512 == size)
            held.release()
        }
        #expect(try openFiles().isEmpty)
    }

    /// Asked for more, the kernel would end programs, this one among them.
    @Test(arguments: [1 << 60, UInt64.max]) func refusesMoreThanTheFreeMemory(byteCount: UInt64) {
        #expect(throws: Failure.self) { _ = try MemoryReservation(byteCount: byteCount) }
    }

    /// At the limit of a control group the kernel would end this process.
    @Test func respectsTheLimitOfTheControlGroup() throws {
        let size: UInt64 = 1 << 20
        func limit(_ bytes: UInt64) -> MemoryLimit { MemoryLimit(bytes: bytes, name: "memory.max", remedy: "") }
        try MemoryReservation(byteCount: size, sparing: 4096, limit: limit(size + 4096)).release()
        for (sparing, bytes) in [(4096, size + 4095), (0, 0), (UInt64.max, UInt64.max - 1)] {
            let failure = #expect(throws: Failure.self) {
                try MemoryReservation(byteCount: size, sparing: sparing, limit: limit(bytes)).release()
            }
            #expect(failure?.reason.hasPrefix("memory.max leaves ") == true)
        }
    }

    /// In a process of its own, which the limit would end with a signal.
    @Test func aFileSizeLimitDoesNotEndTheProcess() throws {
        let child = try forkChild {
            var limit = rlimit(rlim_cur: 4096, rlim_max: 4096)
            guard setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0 else { return 2 }
            do throws(Failure) {
                let held = try MemoryReservation(byteCount: 1 << 20)
                held.release()
                return 3
            } catch { return error.reason.containsBytes("RLIMIT_FSIZE") ? 0 : 4 }
        }
        #expect(try status(of: child) == 0)
    }

    private func status(of child: Int32) throws -> Int32 {
        var status: Int32 = 0
        try #require(waitpid(child, &status, 0) == child)
        return status
    }
}
