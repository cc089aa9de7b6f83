import Basics
import CLinux

/// A lock on a file that one process at a time can have. It goes with this value, or with the process.
/// The corresponding C function is `flock`.
public struct FileLock: ~Copyable {
    private let file: File

    /// Takes the lock, and does not wait for it.
    /// - Throws: with `ErrorNumber.wouldBlock` if another process has it, named if /proc/locks names it.
    public init(_ path: String) throws(Failure) {
        let file = try File(path)
        do throws(Failure) { try retrying("lock", path) { torpor_lock(file.descriptor) } } catch {
            guard error.errno == ErrorNumber.wouldBlock else { throw error }
            var status = stat()
            let holder =
                fstat(file.descriptor, &status) == 0
                ? lockHolder(of: UInt64(status.st_ino), in: (try? readText("/proc/locks")) ?? "") : nil
            throw Failure(
                "lock", path, holder.map { ProcessTable().describe($0) + " has it" } ?? "another process has it",
                errno: error.errno)
        }
        self.file = file
    }
}

/// The process that has a lock of flock(2) on a file, from /proc/locks (proc_locks(5)):
/// `1: FLOCK  ADVISORY  WRITE 1234 00:16:4026532 0 EOF`.
/// - Returns: nil if there is none, or if it is not to be seen from here.
func lockHolder(of inode: UInt64, in table: String) -> Int32? {
    for line in table.split(separator: "\n") {
        let fields = line.split(separator: " ")
        // What waits for a lock has an arrow behind its number.
        guard fields.count >= 6, fields[1].utf8.elementsEqual("FLOCK".utf8),
            let number = fields[5].split(separator: ":").last.flatMap({ parseNumber($0) }), number == inode,
            let process = parseNumber(fields[4]).flatMap({ Int32(exactly: $0) }), process > 0
        else { continue }
        return process
    }
    return nil
}
