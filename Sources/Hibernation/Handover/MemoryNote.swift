// SPDX-License-Identifier: Apache-2.0
import Basics

/// What kernel A counts of its own memory just before the jump, for kernel B.
struct MemoryNote: Equatable, Sendable {
    var free: FreePageCount
    /// Pages that must not be read, as far as /proc/meminfo tells.
    var unreadablePages: UInt64
}
