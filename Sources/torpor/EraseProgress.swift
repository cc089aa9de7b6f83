// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage

/// Tells every few seconds how far the contents of an image are erased: a slow disk takes minutes.
final class EraseProgress {
    private static let milliseconds: UInt64 = 3000
    private let output: OutputOptions
    private var last = monotonicMilliseconds()

    init(_ output: OutputOptions) { self.output = output }

    func tell(done: UInt64, total: UInt64) {
        let now = monotonicMilliseconds()
        guard !output.json, done < total, now - last >= EraseProgress.milliseconds else { return }
        last = now
        print(error: "erasing: \(done * 100 / max(1, total)) % of \(output.size(total))")
    }
}

extension Erasure {
    /// What was done, as a sentence without its subject.
    var sentence: String {
        switch self {
        case .discard: "erased its contents: the device was told to forget them, and reads as zeros"
        case .zeros: "erased its contents: zeros were written over them"
        }
    }
}
