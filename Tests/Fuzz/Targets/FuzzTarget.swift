// SPDX-License-Identifier: Apache-2.0
import Basics

/// Something of ours that takes bytes which anybody may have written. It must not trap, loop, or take memory out of
/// proportion; what else it promises is checked by `require`.
public struct FuzzTarget: Sendable {
    public let name: String
    public let run: @Sendable (UnsafeRawBufferPointer) -> Void

    init(_ name: String, _ run: @escaping @Sendable (UnsafeRawBufferPointer) -> Void) {
        self.name = name
        self.run = run
    }

    /// All targets; the corpus has a folder for each, by its name.
    public static let all: [FuzzTarget] = imageTargets + kernelTargets + textTargets + fileSystemTargets
}

/// Ends the program where a promise is broken: the fuzzer takes that for a finding, and so does a test.
func require(_ condition: Bool, _ promise: String) {
    guard condition else { fatalError("broken: \(promise)") }
}

/// Runs what may refuse its input.
func attempt(_ body: () throws(Failure) -> Void) {
    do throws(Failure) { try body() } catch { require(!error.description.isEmpty, "a refusal is a sentence") }
}

/// Reads numbers off the front of an input, zeros behind its end.
struct InputReader {
    private var rest: Slice<UnsafeRawBufferPointer>

    init(_ bytes: UnsafeRawBufferPointer) { rest = bytes[...] }

    mutating func number<T: FixedWidthInteger>(_ type: T.Type = T.self) -> T {
        var value: T = 0
        for _ in 0..<MemoryLayout<T>.size { value = value << 8 | T(truncatingIfNeeded: rest.popFirst() ?? 0) }
        return value
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    var remaining: [UInt8] { Array(rest) }
}
