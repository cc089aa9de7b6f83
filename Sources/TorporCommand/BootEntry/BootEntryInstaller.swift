// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import Linux

/// Puts an entry and its files in place: all of them, or none.
struct BootEntryInstaller {
    let system: BootSystem
    let files: BootEntryFiles

    private static let fileLimit = 256 << 20

    /// - Parameters:
    ///   - kernelPath: the kernel to copy.
    ///   - initrdPath: the rootfs.gz to copy.
    ///   - entry: the content of the entry's file.
    /// - Returns: the paths of the files that changed.
    func install(kernel kernelPath: String, initrd initrdPath: String, entry: String) throws(Failure) -> [String] {
        try requireOwn()
        let contents: [(path: String, content: [UInt8], mode: mode_t)] = [
            // First the entry: its marker tells later that the other files are Torpor's, too.
            (files.entry, Array(entry.utf8), files.isEntryProgram ? 0o755 : 0o644),
            (files.kernel, try read(kernelPath), 0o600), (files.initrd, try read(initrdPath), 0o600),
        ]
        let changed = contents.filter { !isUnchanged($0.path, $0.content) }
        let folder = system.real(String(files.kernel.dropLast("/vmlinuz".count)))
        let isNew = mkdir(folder, 0o755) == 0
        if !isNew, torpor_errno() != EEXIST { throw Failure(lastError: "make directory", folder) }
        var staged: [StagedFile] = []
        do throws(Failure) {
            for file in changed { staged.append(try StagedFile(system.real(file.path), file.content, mode: file.mode)) }
            for file in staged { try file.commit() }
        } catch {
            for file in staged { file.discard() }
            if isNew { rmdir(folder) }
            throw error
        }
        // The names must last as well: `torpor hibernate` syncs again, but the machine may be restarted before.
        syncFileSystems()
        return changed.map { $0.path }
    }

    /// Removes the entry and its files, if Torpor wrote them.
    /// - Returns: the paths of the removed files.
    func remove() throws(Failure) -> [String] {
        guard system.exists(files.entry) else { return [] }
        try requireOwn()
        // Last the entry: its marker tells that the other files are Torpor's, too.
        let paths = [files.kernel, files.initrd, files.entry].filter { system.exists($0) }
        for path in paths { try retrying("remove", path) { unlink(system.real(path)) } }
        rmdir(system.real(String(files.kernel.dropLast("/vmlinuz".count))))
        syncFileSystems()
        return paths
    }

    /// Refuses to overwrite files that Torpor did not write.
    private func requireOwn() throws(Failure) {
        if system.exists(files.entry) {
            if system.text(files.entry)?.split(separator: "\n").contains(Substring(bootEntryMarker)) == true { return }
            throw foreign(files.entry)
        }
        for path in [files.kernel, files.initrd] where system.exists(path) { throw foreign(path) }
    }

    private func foreign(_ path: String) -> Failure {
        Failure(
            "write", path, "it exists, and torpor boot-entry did not write it",
            remedy: "remove it, or give it another name"
        )
    }

    private func read(_ path: String) throws(Failure) -> [UInt8] {
        try readFile(system.real(path), limit: BootEntryInstaller.fileLimit)
    }

    private func isUnchanged(_ path: String, _ content: [UInt8]) -> Bool {
        guard fileByteCount(system.real(path)) == UInt64(content.count) else { return false }
        return (try? read(path)) == content
    }
}
