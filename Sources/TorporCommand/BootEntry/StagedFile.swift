// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import Linux

/// A new file beside the one that it will replace. Until `commit()`, the old file stays as it is.
struct StagedFile {
    private let path: String
    private let staged: String

    /// Writes the content and makes it durable.
    /// - Parameters:
    ///   - path: the file to replace, in an existing directory.
    ///   - mode: the permissions.
    /// - Throws: if that failed; then nothing is left of it.
    init(_ path: String, _ content: [UInt8], mode: mode_t) throws(Failure) {
        let slash = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
        self.path = path
        // Neither grub-mkconfig nor systemd-boot looks at names that begin with a dot.
        staged = "\(path[..<slash]).\(path[slash...]).new"
        do throws(Failure) { try write(content, mode) } catch {
            discard()
            guard error.errno == ENOSPC || error.errno == EDQUOT else {
                throw Failure("write", path, error.reason, remedy: error.remedy, errno: error.errno)
            }
            throw Failure(
                "write", path, "its file system has no space for \(describe(bytes: UInt64(content.count)))",
                remedy: "remove old kernels there, or use a smaller one with --kernel", errno: error.errno)
        }
    }

    private func write(_ content: [UInt8], _ mode: mode_t) throws(Failure) {
        let descriptor = try retrying("make", staged) {
            torpor_open(staged, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        }
        close(descriptor)
        let file = try File(staged, .write)
        var failure: Failure?
        content.withUnsafeBytes { bytes in
            do throws(Failure) { try file.write(bytes, at: 0) } catch { failure = error }
        }
        if let failure { throw failure }
        try file.flush()
    }

    /// Puts the new file in the place of the old one.
    func commit() throws(Failure) {
        try retrying("rename", "\(staged) to \(path)") { rename(staged, path) }
    }

    /// Removes the new file; the old one stays.
    func discard() { unlink(staged) }
}
