// SPDX-License-Identifier: Apache-2.0
import Basics

/// An ELF core file in the making.
public struct ELFCoreFixture: Sendable {
    public struct Header: Sendable {
        public var type: UInt32 = 1
        public var offset: UInt64
        public var address: UInt64
        public var byteCount: UInt64

        public init(type: UInt32 = 1, offset: UInt64, address: UInt64, byteCount: UInt64) {
            self.type = type
            self.offset = offset
            self.address = address
            self.byteCount = byteCount
        }
    }

    public var headers: [Header]
    public var machine: UInt16 = 62
    public var entryByteCount: UInt16 = 56

    public init(headers: [Header], machine: UInt16 = 62, entryByteCount: UInt16 = 56) {
        self.headers = headers
        self.machine = machine
        self.entryByteCount = entryByteCount
    }

    public var bytes: [UInt8] {
        var bytes: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 57)
        bytes.put(UInt16(4), at: 16)
        bytes.put(machine, at: 18)
        bytes.put(UInt64(64), at: 32)
        bytes.put(entryByteCount, at: 54)
        bytes.put(UInt16(headers.count), at: 56)
        for header in headers {
            bytes.append(littleEndian: header.type)
            bytes.append(littleEndian: UInt32(0))
            for value in [header.offset, 0, header.address, header.byteCount, header.byteCount, 0] {
                bytes.append(littleEndian: value)
            }
        }
        return bytes
    }

    public static func note(_ name: String, _ content: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: UInt32(name.utf8.count + 1))
        bytes.append(littleEndian: UInt32(content.count))
        bytes.append(littleEndian: UInt32(0))
        for part in [Array(name.utf8) + [0], content] {
            bytes += part + [UInt8](repeating: 0, count: (4 - part.count % 4) % 4)
        }
        return bytes
    }
}
