// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import Synchronization
import Testing

@Suite struct ZeroPagesTests {
    @Test(arguments: [0, 1, 7, 8, 9, 63, 4096])
    func seesEverySingleByte(count: Int) {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 8)
        defer { bytes.deallocate() }
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        #expect(isZero(UnsafeRawBufferPointer(bytes)))
        for i in 0..<count {
            bytes[i] = 0x80
            #expect(!isZero(UnsafeRawBufferPointer(bytes)), "byte \(i)")
            clear(bytes)
            #expect(bytes.allSatisfy { $0 == 0 })
        }
    }

    @Test func seesMemoryThatRepeatsItself() {
        let bytes = [UInt8](repeating: 5, count: 4096)
        #expect(!bytes.withUnsafeBytes { isZero($0) })
    }
}

@Suite struct WorkersTests {
    @Test func takesEveryItemOnce() throws {
        let list = WorkQueue(Array(0..<1000))
        let seen = Locked<[Int]>([])
        try Workers().run { () throws(Failure) in
            while let item = list.take() { seen.withLock { $0.append(item) } }
        }
        #expect(seen.withLock { $0.sorted() } == Array(0..<1000))
    }

    @Test func throwsTheFirstFailureWhenAllHaveEnded() {
        let workers = Workers()
        let ended = Atomic<Int>(0)
        let failure = #expect(throws: Failure.self) {
            try workers.run { () throws(Failure) in
                ended.add(1, ordering: .relaxed)
                throw Failure("work", "hard", "no")
            }
        }
        #expect(failure?.description == "work hard: no")
        #expect(workers.isStopping)
        #expect(ended.load(ordering: .relaxed) == availableProcessorCount())
    }

    @Test func runsEveryNumberOnce() {
        let seen = Locked<[Int]>([])
        runConcurrently(7) { number in seen.withLock { $0.append(number) } }
        #expect(seen.withLock { $0.sorted() } == Array(0..<7))
    }
}

@Suite struct KernelTableTests {
    @Test(arguments: [
        ("MemTotal:       1023456 kB\nMemFree:          512 kB\n", "MemFree", 512),
        ("Name:\tinit\nVmHWM:\t    4096 kB\n", "VmHWM", 4096),
        ("nr_free_pages 17\nnr_free_cma 3\n", "nr_free_pages", 17),
        ("MemFreeOther: 5 kB\n", "MemFree", nil), ("MemFree: many kB\n", "MemFree", nil),
        ("MemFree:\n", "MemFree", nil),
        ("", "MemFree", nil),
    ])
    func readsNumbersByName(table: String, name: String, expected: UInt64?) {
        #expect(number(name, in: table) == expected)
    }

    @Test func knowsThisMachine() throws {
        let total = try memoryInformation("MemTotal")
        #expect(try memoryInformation("MemAvailable") <= total)
        #expect(try peakMemory() > 1 << 20)
        #expect(throws: Failure.self) { try memoryInformation("MemNothing") }
    }
}

@Suite(.serialized) struct HeldMemoryTests {
    /// Files in memory that this process has open under the name.
    private func openFiles() throws -> [String] {
        try listDirectory("/proc/self/fd").filter {
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)"))?.contains(
                "memfd:torpor")
                ?? false
        }
    }

    @Test func takesPagesAndGivesThemBack() throws {
        let size: UInt64 = 256 << 20
        #expect(try openFiles().isEmpty)
        do {
            let held = try MemoryReservation(byteCount: size)
            let file = try #require(try openFiles().first)
            var status = stat()
            #expect(stat("/proc/self/fd/\(file)", &status) == 0)
            #expect(UInt64(status.st_blocks) * 512 == size)
            held.giveBack()
        }
        #expect(try openFiles().isEmpty)
    }

    /// Asked for more, the kernel would end programs, this one among them.
    @Test(arguments: [1 << 60, UInt64.max]) func takesNoMoreThanThereIsToSpare(byteCount: UInt64) {
        #expect(throws: Failure.self) { _ = try MemoryReservation(byteCount: byteCount) }
    }
}

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
    @Test func movesThreadsBackInTheEnd() throws {
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

@Suite struct ProcessTests {
    @Test func tellsHowAChildEnded() throws {
        blockChildSignal()
        let exited = try forkChild { 7 }
        guard case .exited(7) = try wait(for: exited, milliseconds: 500) else {
            Issue.record("the status is lost")
            return
        }
        let hanging = try forkChild {
            sleep(milliseconds: 60_000)
            return 0
        }
        #expect(try wait(for: hanging, milliseconds: 1) == nil)
        kill(hanging)
        guard case .killed(signal: 9) = try wait(for: hanging, milliseconds: 500) else {
            Issue.record("the signal is lost")
            return
        }
    }
}
