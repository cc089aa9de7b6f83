// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Types answers on a machine's console, which QEMU connects to a pair of named pipes.
final class Keyboard {
    private var answers: [(question: String, text: String)]
    private let input: FileHandle
    /// The output is also in the console log. It is read here only so that the pipe does not fill.
    private let output: Int32

    /// - Parameter path: the path of the pipes, without `.in` and `.out`.
    init(_ answers: [(question: String, text: String)], _ path: URL) throws {
        self.answers = answers
        for end in ["in", "out"] {
            let file = path.appendingPathExtension(end).path
            unlink(file)
            guard mkfifo(file, 0o600) == 0 else { throw Machine.Failed(description: "mkfifo \(file): errno \(errno)") }
        }
        // Open for reading and writing, so that neither side waits for the other.
        let descriptor = open(path.appendingPathExtension("in").path, O_RDWR)
        output = open(path.appendingPathExtension("out").path, O_RDWR | O_NONBLOCK)
        guard descriptor >= 0, output >= 0 else {
            throw Machine.Failed(description: "open \(path.path): errno \(errno)")
        }
        input = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    deinit { close(output) }

    /// Types the next answer if the console contains its question.
    func type(at console: URL) throws {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while read(output, &buffer, buffer.count) > 0 {}
        guard let next = answers.first else { return }
        guard String(decoding: try Data(contentsOf: console), as: UTF8.self).contains(next.question) else { return }
        try input.write(contentsOf: Data(next.text.utf8))
        answers.removeFirst()
    }
}
