// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Linux
import MemoryImage

extension Hibernate {
    /// Marks an image that is still pending as failed: kernel A runs on, so nobody must resume it. Kernel B leaves such an
    /// image if it dies after it has written `ready` and before it has written the report.
    static func giveUpPendingImage(on partition: HibernationPartition) throws(Failure) {
        guard partition.superblock.state.isPending else { return }
        try partition.retireImage { superblock in
            superblock.state = .failed
            superblock.reason = "its session went on"
        }
    }

    /// Erases the contents of the image to which a report belongs: kernel A runs on, so nobody needs them. A snapshot and a
    /// pending image stay.
    /// - Parameter progress: is called with the number of erased bytes and the total.
    /// - Returns: the method; nil if there was nothing to erase.
    public static func eraseImage(
        after report: Report, _ progress: (UInt64, UInt64) -> Void
    ) throws(Failure) -> Erasure? {
        try eraseImage(
            on: HibernationPartition(report.device, [.write, .exclusive]), reason: report.text,
            contentsEnd: report.contentsEnd, progress)
    }

    /// - Parameters:
    ///   - reason: why the image is incomplete, from the report; empty if unknown.
    ///   - contentsEnd: the byte offset at which the contents end, from the report; 0 if unknown.
    static func eraseImage(
        on partition: HibernationPartition, reason: String = "", contentsEnd: UInt64,
        _ progress: (UInt64, UInt64) -> Void = { _, _ in }
    ) throws(Failure) -> Erasure? {
        switch partition.superblock.state {
        case .saving:
            // If kernel B's child was killed, the partition does not say how far the contents reach.
            try partition.giveUpIncompleteImage(
                reason.isEmpty ? "kernel B did not complete it" : reason, contentsEnd: contentsEnd)
        case .consumed, .failed: break
        case .empty, .ready, .attempted, .snapshot: return nil
        }
        return try partition.eraseContents(progress)
    }

    /// The paths of other partitions with the same UUID that still have contents of an image. If the disk was cloned, the
    /// resume marks the image on every copy, but erases only one.
    public static func copies(of path: String) throws(Failure) -> [String] {
        try copies(of: path, DeviceCatalog.ofHibernationPartitions())
    }

    static func copies(of path: String, _ catalog: DeviceCatalog) throws(Failure) -> [String] {
        let device = DeviceNumber(path: path)
        let own = catalog.hibernationPartitions.first { $0.path.utf8.elementsEqual(path.utf8) || $0.device == device }
        guard let own, let uuid = own.verdict.superblock?.uuid else { return [] }
        return catalog.hibernationPartitions.filter { entry in
            guard entry.device != own.device, let superblock = entry.verdict.superblock else { return false }
            return superblock.uuid == uuid && superblock.contentsEnd > 0
        }.map { $0.path }
    }

    /// Drops the hibernation partition's blocks from kernel A's page cache: they are older than the writes of kernel B.
    func dropStaleBuffers(_ path: String) {
        if let file = try? File(path) { dropBuffers(file) }
        // A boot loader may have written its environment into the file's blocks, past the file system.
        for path in ["/boot/grub/grubenv", "/boot/grub2/grubenv", "/grub/grubenv", "/grub2/grubenv"] {
            if let file = try? File(path, .nonBlocking) { dropContents(file) }
        }
    }
}
