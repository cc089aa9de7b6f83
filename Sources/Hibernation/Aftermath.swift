import Basics
import Linux
import MemoryImage

extension Hibernate {
    /// Kernel A goes on: where kernel B died between writing its image and telling so, the image must not be resumed.
    func giveUpWaitingImage(_ path: String) throws(Failure) {
        let partition = try HibernationPartition(path, [.write, .exclusive])
        guard partition.superblock.state.isWaiting else { return }
        try partition.retireImage { superblock in
            superblock.state = .failed
            superblock.reason = "its session went on"
        }
    }

    /// Drops what kernel A's page cache still has of the partition, from before kernel B wrote to it.
    func dropStaleBuffers(_ path: String) {
        if let file = try? File(path) { dropBuffers(file) }
    }
}
