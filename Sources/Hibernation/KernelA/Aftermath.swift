// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Linux
import MemoryImage

extension Hibernate {
    /// Kernel A goes on: where kernel B died between writing its image and telling so, the image must not be resumed.
    func giveUpPendingImage(_ path: String) throws(Failure) {
        let partition = try HibernationPartition(path, [.write, .exclusive])
        guard partition.superblock.state.isPending else { return }
        try partition.retireImage { superblock in
            superblock.state = .failed
            superblock.reason = "its session went on"
        }
    }

    /// Erases the contents of the image that is over with this report: kernel A goes on, so nobody needs them. A snapshot
    /// stays, and so does what could still be resumed.
    /// - Parameter progress: is called with the bytes erased, and all of them.
    /// - Returns: how; nil if there was nothing to erase.
    public static func eraseImage(
        after report: Report, _ progress: (UInt64, UInt64) -> Void
    ) throws(Failure) -> Erasure? {
        let partition = try HibernationPartition(report.device, [.write, .exclusive])
        switch partition.superblock.state {
        case .saving:
            // A child of kernel B's that was ended could not note on the partition how far it came.
            try partition.giveUpIncompleteImage("kernel B did not complete it", contentsEnd: report.contentsEnd)
        case .consumed, .failed: break
        case .empty, .ready, .attempted, .snapshot: return nil
        }
        return try partition.eraseContents(progress)
    }

    /// The paths of other partitions with the same UUID and contents of an image: what was resumed from a cloned disk is marked
    /// on its copies, and not erased there.
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

    /// Drops what kernel A's page cache still has of the partition, from before kernel B wrote to it.
    func dropStaleBuffers(_ path: String) {
        if let file = try? File(path) { dropBuffers(file) }
        // A boot loader may have written its environment into the file's blocks, which no file system knows of.
        for path in ["/boot/grub/grubenv", "/boot/grub2/grubenv", "/grub/grubenv", "/grub2/grubenv"] {
            if let file = try? File(path, .nonBlocking) { dropContents(file) }
        }
    }
}
