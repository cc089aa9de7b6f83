// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import Linux

/// Takes what a program prints.
protocol TextStream: AnyObject {
    /// Writes text. After a failure this does nothing.
    func write(_ text: String)
    /// Why text could not be written; nil if all was.
    var failure: Failure? { get }
}

/// A file descriptor. Each text is written at once and not through stdio, which forgets why it could not write.
final class DescriptorStream: TextStream {
    private let descriptor: CInt
    private let name: String
    private(set) var failure: Failure?

    /// - Parameter name: for messages.
    init(_ descriptor: CInt, name: String) {
        self.descriptor = descriptor
        self.name = name
    }

    func write(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            var done = 0
            while failure == nil, done < bytes.count {
                let count = CLinux.write(descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done)
                if count >= 0 {
                    done += count
                } else if torpor_errno() != EINTR {
                    failure = Failure(lastError: "write to", name)
                }
            }
        }
    }
}
