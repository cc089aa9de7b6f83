// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage

/// How many workers a pipeline has: two for each CPU, so that one computes while the other waits for the disk, and no
/// more than half of the memory has room for.
func pipelineWorkerCount(_ codec: Codec) -> Int {
    pipelineWorkerCount(
        codec, processors: availableProcessorCount(), available: (try? memoryInformation("MemAvailable")) ?? 0)
}

/// - Parameter available: bytes that programs can have.
func pipelineWorkerCount(_ codec: Codec, processors: Int, available: UInt64) -> Int {
    max(1, Int(clamping: min(UInt64(processors) * 2, available / 2 / codec.workerByteCount)))
}

/// Bytes of kernel A's memory that a worker of kernel B maps at once: the size of a save range. A free block of the largest
/// order divides it.
let saveRangeByteCount: UInt64 = 16 << 20
