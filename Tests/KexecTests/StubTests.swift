// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Kexec

@Suite struct StubTests {
    private static let one = Stub.load(digits: 1, bootParameters: 2, entry: 3, stackTop: 4)
    private static let jump = Stub.jump(root4: 1, root5: 2, stackWord: 3, entry: 4)

    @Test(arguments: [
        (one, Stub.load(digits: .max, bootParameters: .max, entry: .max, stackTop: .max)),
        (jump, Stub.jump(root4: .max, root5: .max, stackWord: .max, entry: .max)),
    ])
    func onlyTheParametersDiffer(one: Stub, other: Stub) throws {
        #expect(one.bytes.count == other.bytes.count)
        let start = one.bytes.count - 32
        #expect(start > 0 && start % 8 == 0)
        #expect(one.bytes[..<start] == other.bytes[..<start])
        for i in 0..<4 {
            #expect(try one.bytes.field(at: start + i * 8) == UInt64(i + 1))
            #expect(try other.bytes.field(at: start + i * 8) == UInt64.max)
        }
        // A stub has a page, with its stack at the end of it.
        #expect(one.bytes.count <= 4096 - 512)
    }
}
