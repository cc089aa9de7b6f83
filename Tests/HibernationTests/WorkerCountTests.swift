// SPDX-License-Identifier: Apache-2.0
import MemoryImage
import Testing

@testable import Hibernation

@Suite struct WorkerCountTests {
    @Test(arguments: [(1, 2), (2, 4), (64, 128)]) func startsTwoWorkersForEachCPU(processors: Int, expected: Int) {
        #expect(pipelineWorkerCount(.standard, processors: processors, available: 64 << 30) == expected)
    }

    @Test(arguments: [Codec.none, .lz4, .zstd(level: 1), .zstd(level: 19), .xz(level: 0), .xz(level: 9)])
    func staysWithinHalfOfTheMemory(codec: Codec) {
        for available in [32 << 20, 100 << 20, 1 << 30] as [UInt64] {
            let count = pipelineWorkerCount(codec, processors: 64, available: available)
            #expect(count == 1 || UInt64(count) * codec.workerByteCount <= available / 2)
        }
        #expect(pipelineWorkerCount(codec, processors: 64, available: 0) == 1)
    }

    /// Levels that cost more memory are known to.
    @Test func knowsTheMemoryThatCodecsNeed() {
        #expect(Codec.none.workerByteCount < 4 << 20)
        #expect(Codec.zstd(level: 1).workerByteCount < 6 << 20)
        #expect(Codec.zstd(level: 19).workerByteCount > Codec.zstd(level: 1).workerByteCount)
        #expect(Codec.xz(level: 0).workerByteCount > Codec.none.workerByteCount + 1 << 20)
        #expect(Codec.xz(level: 9).workerByteCount < 32 << 20)
    }
}
