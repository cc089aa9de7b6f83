// SPDX-License-Identifier: Apache-2.0
import Basics

/// A bzImage with nothing but a setup header, as Linux 6.12 has it, and a payload.
public enum SmallKernel {
    /// - Parameters:
    ///   - initByteCount: memory that the kernel takes before its own allocator runs (`init_size`).
    ///   - commandLineLimit: bytes of command line that it takes (`cmdline_size`).
    public static func bytes(
        initByteCount: UInt32 = 20 << 20, commandLineLimit: UInt32 = 2047, payloadByteCount: Int
    ) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 5 * 512)
        bytes.put(UInt8(4), at: 0x1f1)
        bytes.put(UInt16(0xaa55), at: 0x1fe)
        bytes.put(UInt8(0x6c), at: 0x201)
        bytes.put(Array("HdrS".utf8), at: 0x202, limit: 4)
        bytes.put(UInt16(0x020f), at: 0x206)
        bytes.put(UInt32(0x20_0000), at: 0x230)
        bytes.put(UInt8(1), at: 0x234)
        bytes.put(UInt16(0x7f), at: 0x236)
        bytes.put(commandLineLimit, at: 0x238)
        bytes.put(UInt64(0x100_0000), at: 0x258)
        bytes.put(initByteCount, at: 0x260)
        return bytes + [UInt8](repeating: 0xcc, count: payloadByteCount)
    }
}
