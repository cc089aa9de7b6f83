// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import FoundationEssentials
import Linux

/// What `torpor setup` has done on this system, so that it can be undone: /var/lib/torpor/setup.json.
struct SetupRecord: Codable, Equatable {
    /// A file that was written.
    struct WrittenFile: Codable, Equatable {
        let path: String
        /// What was written.
        let content: String
        /// What the file held before; nil if there was none.
        let previous: String?
    }

    /// The name of the hibernation partition in the settings.
    var device = ""
    var files: [WrittenFile] = []
    /// Units of systemd that were enabled.
    var units: [String] = []
    /// The boot loader that got an entry: the name of a `BootLoaderKind`.
    var bootLoader: String?
    /// Whether a rootfs.gz with the modules of a kernel was built.
    var hasBuiltRootfs = false
    /// Whether the initramfs was built with the hook.
    var hasBuiltInitramfs = false

    static let path = "/var/lib/torpor/setup.json"

    var isEmpty: Bool { self == SetupRecord(device: device) }

    /// The record of a system; nil if `torpor setup` has not run there.
    static func read(_ system: BootSystem) throws(Failure) -> SetupRecord? {
        guard system.exists(path) else { return nil }
        let bytes = try readFile(system.real(path), limit: 4 << 20)
        do { return try JSONDecoder().decode(SetupRecord.self, from: Data(bytes)) } catch {
            throw Failure(
                "read", path, "torpor setup did not write it in this form",
                remedy: "remove it, and run torpor setup again")
        }
    }

    /// Keeps the record durably, or removes it if it is empty.
    func keep(_ system: BootSystem) throws(Failure) {
        if isEmpty {
            unlink(system.real(SetupRecord.path))
            return
        }
        try makeFolders(of: SetupRecord.path, system)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(self) else {
            throw Failure("write", SetupRecord.path, "the record cannot be encoded")
        }
        try StagedFile(system.real(SetupRecord.path), Array(data), mode: 0o600).commit()
    }
}

/// Makes the folders in which a file lies.
func makeFolders(of path: String, _ system: BootSystem) throws(Failure) {
    var folder = ""
    for part in path.split(separator: "/").dropLast() {
        folder += "/\(part)"
        if mkdir(system.real(folder), 0o755) != 0, torpor_errno() != EEXIST {
            throw Failure(lastError: "make directory", folder)
        }
    }
}

extension SetupContext {
    /// Writes a text file, and records it.
    /// - Returns: whether it was changed.
    @discardableResult
    func write(_ path: String, _ content: String, _ record: inout SetupRecord) throws(Failure) -> Bool {
        let before = boot.exists(path) ? try text(path) : nil
        let known = record.files.first { $0.path == path }
        if before == content { return false }
        if let known, let before, before != known.content {
            warn(
                "\(path) was changed since torpor setup wrote it, so it stays as it is; new content: \(source(of: path))"
            )
            return false
        }
        try makeFolders(of: path, boot)
        try StagedFile(boot.real(path), Array(content.utf8), mode: 0o644).commit()
        record.files.removeAll { $0.path == path }
        record.files.append(
            SetupRecord.WrittenFile(path: path, content: content, previous: known == nil ? before : known?.previous))
        return true
    }

    private func source(of path: String) -> String {
        path.hasPrefix("/etc/systemd/") ? SetupContext.library + path.dropFirst("/etc".count) : "man torpor.conf"
    }

    /// Takes a file back: removes it, or gives it the content that it had before. A file that somebody changed stays, and a
    /// warning says so.
    func takeBack(_ path: String, _ record: inout SetupRecord) throws(Failure) {
        guard let written = record.files.first(where: { $0.path == path }) else { return }
        record.files.removeAll { $0.path == path }
        guard boot.exists(path) else { return }
        guard try text(path) == written.content else {
            warn("\(path) was changed since torpor setup wrote it, so it stays; remove it if it is not needed")
            return
        }
        if let previous = written.previous {
            try StagedFile(boot.real(path), Array(previous.utf8), mode: 0o644).commit()
            say("\(path) is as it was before")
            return
        }
        try retrying("remove", path) { unlink(boot.real(path)) }
        say("removed \(path)")
        removeEmptyFolders(of: path)
    }

    /// Removes the folders for drop-ins that are empty now; others belong to the system.
    private func removeEmptyFolders(of path: String) {
        let folder = path.split(separator: "/").dropLast().map { "/\($0)" }.joined()
        if folder.hasSuffix(".d") { rmdir(boot.real(folder)) }
    }

    /// The text of an existing file.
    func text(_ path: String) throws(Failure) -> String {
        let bytes = try readFile(boot.real(path), limit: 1 << 20)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Failure("read", path, "it is not text in UTF-8", remedy: "move it away")
        }
        return text
    }
}
