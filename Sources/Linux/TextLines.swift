// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// Reads a text file line by line. Files of /proc may have any size, so the file is never in memory as a whole.
///
/// - Parameters:
///   - limit: the longest line, in bytes.
///   - body: gets a line without its line feed, with malformed UTF-8 replaced. Returns whether to continue.
/// - Throws: if the file cannot be read, if a line is longer than `limit`, and if `body` throws.
public func readLines(
    _ path: String, limit: Int = 1 << 20, _ body: (String) throws(Failure) -> Bool
) throws(Failure) {
    let file = try File(path)
    var pending: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = piece.withUnsafeMutableBytes { buffer in
            while true {
                let got = CLinux.read(file.descriptor, buffer.baseAddress, buffer.count)
                if got >= 0 || torpor_errno() != EINTR { return got }
            }
        }
        if count < 0 { throw Failure(lastError: "read", path) }
        var start = 0
        for end in 0..<count where piece[end] == UInt8(ascii: "\n") {
            let line = pending + piece[start..<end]
            pending.removeAll(keepingCapacity: true)
            start = end + 1
            guard line.count <= limit else { throw tooLong(path, limit) }
            if !(try body(String(decoding: line, as: UTF8.self))) { return }
        }
        pending += piece[start..<count]
        guard pending.count <= limit else { throw tooLong(path, limit) }
        if count == 0 {
            if !pending.isEmpty { _ = try body(String(decoding: pending, as: UTF8.self)) }
            return
        }
    }
}

/// All lines of a text file.
/// - Throws: as `readLines(_:limit:_:)` does.
public func lines(of path: String) throws(Failure) -> [String] {
    var result: [String] = []
    try readLines(path) { (line) throws(Failure) in
        result.append(line)
        return true
    }
    return result
}

private func tooLong(_ path: String, _ limit: Int) -> Failure {
    Failure("read", path, "a line is longer than \(describe(bytes: UInt64(limit)))")
}
