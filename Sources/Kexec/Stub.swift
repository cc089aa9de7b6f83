// SPDX-License-Identifier: Apache-2.0
import Basics
import CTrampoline

/// Position-independent code with its parameters filled in. It can be copied to any address.
struct Stub {
    let bytes: [UInt8]

    /// The instructions that enter kernel B. All arguments are physical addresses: of the 16 digits on the command line for the
    /// jump-back entry, of boot_params, of the kernel's 64-bit entry point, and of the top of the stack.
    static func load(digits: UInt64, bootParameters: UInt64, entry: UInt64, stackTop: UInt64) -> Stub {
        Stub(torpor_load_stub(), [digits, bootParameters, entry, stackTop])
    }

    /// The instructions that jump back into kernel A. All arguments are physical addresses: of the roots of the page tables, of
    /// a word for the stack, and of the jump-back entry.
    static func jump(root4: UInt64, root5: UInt64, stackWord: UInt64, entry: UInt64) -> Stub {
        Stub(torpor_jump_stub(), [root4, root5, stackWord, entry])
    }

    private init(_ stub: torpor_stub, _ parameters: [UInt64]) {
        var bytes = Array(UnsafeBufferPointer(start: stub.code, count: stub.size))
        for (i, value) in parameters.enumerated() { bytes.put(value, at: stub.parameters + i * 8) }
        self.bytes = bytes
    }
}
