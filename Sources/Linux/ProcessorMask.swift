// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// A set of CPUs, such as those that a thread may run on.
public struct ProcessorMask: Equatable, Sendable {
    /// One bit for each CPU, as in the C library's `cpu_set_t`: CPU 0 is the lowest bit of the first byte.
    private let bytes: [UInt8]

    /// CPU 0 alone.
    public static let first = ProcessorMask(bytes: [1] + [UInt8](repeating: 0, count: 7))

    private init(bytes: [UInt8]) { self.bytes = bytes }

    /// Parses a mask as the kernel writes it: groups of 32 bits in hexadecimal, separated by commas, the highest CPUs first
    /// (`ff,ffffffff`; 6.12, lib/vsprintf.c, `bitmap_string`).
    /// - Returns: nil for anything else and for an empty set.
    public init?(kernelText: some StringProtocol) {
        var bytes: [UInt8] = []
        for group in kernelText.split(separator: ",", omittingEmptySubsequences: false).reversed() {
            guard let value = parseHexadecimal(group).flatMap({ UInt32(exactly: $0) }) else { return nil }
            for byte in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * UInt32(byte)))) }
        }
        // sched_setaffinity(2) takes whole words of 64 bits. CPUs that a mask does not mention are not in it.
        while bytes.count % 8 != 0 { bytes.append(0) }
        while bytes.count > 8, bytes.suffix(8).allSatisfy({ $0 == 0 }) { bytes.removeLast(8) }
        guard bytes.contains(where: { $0 != 0 }) else { return nil }
        self.bytes = bytes
    }

    /// Lets a thread run on these CPUs only. The corresponding C function is `sched_setaffinity`.
    /// - Returns: whether the kernel did it. It refuses for a thread that has ended.
    @discardableResult public func apply(to thread: Int32) -> Bool {
        torpor_set_affinity(thread, bytes, bytes.count) == 0
    }
}
