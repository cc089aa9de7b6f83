// SPDX-License-Identifier: Apache-2.0
import Linux
import MemoryImage

/// The number of workers of a pipeline: two for each CPU, so that one computes while the other waits for the disk, but no more
/// than fit into half of the available memory.
func pipelineWorkerCount(_ codec: Codec) -> Int {
    pipelineWorkerCount(
        codec, processors: availableProcessorCount(), available: (try? memoryInformation("MemAvailable")) ?? 0)
}

/// - Parameter available: bytes of memory available to programs.
func pipelineWorkerCount(_ codec: Codec, processors: Int, available: UInt64) -> Int {
    max(1, Int(clamping: min(UInt64(processors) * 2, available / 2 / codec.workerByteCount)))
}

/// Bytes in a save range, which a worker of kernel B maps at once. It is a multiple of the buddy allocator's largest block.
let saveRangeByteCount: UInt64 = 16 << 20
