// SPDX-License-Identifier: Apache-2.0
import Linux
import Testing

@Suite struct ZeroPagesTests {
    @Test(arguments: [0, 1, 7, 8, 9, 63, 4096])
    func noticesEachNonzeroByte(count: Int) {
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

    @Test func noticesRepeatedNonzeroBytes() {
        let bytes = [UInt8](repeating: 5, count: 4096)
        #expect(!bytes.withUnsafeBytes { isZero($0) })
    }
}
