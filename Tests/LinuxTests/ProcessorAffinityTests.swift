// SPDX-License-Identifier: Apache-2.0
import Linux
import Testing

@Suite(.enabled(if: availableProcessorCount() > 1)) struct ProcessorAffinityTests {
    /// The CPUs that this thread may run on, a bit for each.
    private func mask() throws -> UInt64 {
        let status = try readText("/proc/thread-self/status")
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed:") })
        let groups = line.split(separator: "\t")[1].split(separator: ",")
        return try #require(UInt64(groups.suffix(2).joined(), radix: 16))
    }

    @Test func movesThreads() throws {
        let before = try mask()
        let affinity = ProcessorAffinity()
        #expect(try mask() == before)
        affinity.moveToFirst()
        #expect(try mask() == 1)
        affinity.moveToOthers()
        #expect(try mask() & 1 == 0 && mask() != 0)
        affinity.restore()
        #expect(try mask() == before)
    }

    /// Where a function throws in between.
    @Test func movesThreadsBackAtTheEnd() throws {
        let before = try mask()
        func move() throws -> UInt64 {
            let affinity = ProcessorAffinity()
            affinity.moveToOthers()
            return try mask()
        }
        let during = try move()
        #expect(during != before)
        #expect(try mask() == before)
    }
}
