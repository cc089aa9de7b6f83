// SPDX-License-Identifier: Apache-2.0
import Basics
import Hibernation
import Linux

/// The selection of the entry for kernel C, for the next start only: what `torpor hibernate --direct-start` does.
struct DirectStart {
    private let loader: any InstalledBootLoader
    /// The entry that was selected before; nil if none was.
    private let previous: String?

    private static let install = "run torpor boot-entry --install"

    /// Checks that the entry starts the kernel and the rootfs.gz that kernel A loads as kernel B. Changes nothing.
    init(_ system: BootSystem, _ plan: Hibernate) throws(Failure) {
        loader = try BootLoaderKind.thatStarted(system, remedy: "hibernate without --direct-start").installed(system)
        try loader.requireSelectable()
        _ = try loader.installedParameters()
        for (installed, loaded) in [(loader.files.kernel, plan.kernelPath), (loader.files.initrd, plan.initrdPath)]
        where try !DirectStart.haveEqualContent(system.real(installed), system.real(loaded)) {
            throw Failure(
                "select", "the boot entry \(loader.identifier)", "\(installed) is not the same as \(loaded)",
                remedy: DirectStart.install)
        }
        previous = try loader.selected()
    }

    /// Selects the entry.
    /// - Throws: if it would not start kernel C in the right way.
    func select(_ parametersForC: [String]) throws(Failure) {
        guard BootEntryCommandLine.covers(try loader.installedParameters(), parametersForC) else {
            throw Failure(
                "select", "the boot entry \(loader.identifier)",
                "kernel C now needs these parameters, and the entry has others: "
                    + parametersForC.joined(separator: " "),
                remedy: DirectStart.install + (loader.nextStep.map { ", and then \($0.dropFirst("run ".count))" } ?? "")
            )
        }
        try loader.select(loader.identifier)
    }

    /// Takes the selection back if the boot loader has not used it.
    func takeBack() throws(Failure) {
        let now = try loader.selected()
        if now == loader.identifier { try loader.select(previous == loader.identifier ? nil : previous) }
        // The boot loader has used it: what is left of it goes.
        if now == nil { try loader.select(nil) }
    }

    /// Compares two files. Their pages leave the page cache, which kernel B would save.
    private static func haveEqualContent(_ path: String, _ other: String) throws(Failure) -> Bool {
        guard let count = fileByteCount(path), count == fileByteCount(other) else { return false }
        let file = try File(path), otherFile = try File(other)
        defer {
            dropContents(file)
            dropContents(otherFile)
        }
        let pieceByteCount: UInt64 = 1 << 20
        var offset: UInt64 = 0
        while offset < count {
            let size = Int(min(pieceByteCount, count - offset))
            guard try piece(file, offset, size) == piece(otherFile, offset, size) else { return false }
            offset += UInt64(size)
        }
        return true
    }

    private static func piece(_ file: borrowing File, _ offset: UInt64, _ size: Int) throws(Failure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: size)
        var failure: Failure?
        bytes.withUnsafeMutableBytes { buffer in
            do throws(Failure) { try file.read(into: buffer, at: offset) } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }
}
