// SPDX-License-Identifier: Apache-2.0
import Basics
import MemoryImage

/// Prints every few seconds how much of an image's contents is erased: a slow disk takes minutes.
final class EraseProgress {
    private static let interval: UInt64 = 3000
    private let environment: CommandEnvironment
    private let options: OutputOptions
    private var last: UInt64

    init(_ environment: CommandEnvironment, _ options: OutputOptions) {
        self.environment = environment
        self.options = options
        last = environment.milliseconds()
    }

    /// - Parameters:
    ///   - done: bytes that are erased.
    ///   - total: bytes that are to be erased.
    func show(done: UInt64, total: UInt64) {
        let now = environment.milliseconds()
        guard !options.json, done < total, now - last >= EraseProgress.interval else { return }
        last = now
        environment.terminal.write(error: "erasing: \(done * 100 / max(1, total)) % of \(options.size(total))")
    }
}

extension Erasure {
    /// A clause for a message about a partition.
    var clause: String {
        switch self {
        case .discard: "contents erased: the device discarded them and reads as zeros"
        case .zeros: "contents erased: overwritten with zeros"
        }
    }
}
