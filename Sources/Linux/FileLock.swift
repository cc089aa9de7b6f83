// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// An exclusive lock on a file. It ends with this value or with the process.
/// The corresponding C function is `flock`.
public struct FileLock: ~Copyable {
    private let file: File

    /// Takes the lock without waiting for it.
    /// - Throws: with `ErrorNumber.wouldBlock` if another process holds it. The message names the process if /proc/locks does.
    public init(_ path: String) throws(Failure) {
        let file = try File(path)
        do throws(Failure) { try retrying("lock", path) { torpor_lock(file.descriptor) } } catch {
            guard error.errno == ErrorNumber.wouldBlock else { throw error }
            var status = stat(), holder: Int32?
            if fstat(file.descriptor, &status) == 0 {
                let device = DeviceNumber(major: torpor_major(status.st_dev), minor: torpor_minor(status.st_dev))
                let inode = UInt64(status.st_ino)
                // The table may be long: a file server has a line for each lock of its clients.
                try? readLines("/proc/locks") { (line) throws(Failure) in
                    holder = lockHolder(of: inode, on: device, in: line)
                    return holder == nil
                }
            }
            throw Failure(
                "lock", path,
                holder.map { ProcessTable().describe($0) + " holds the lock" } ?? "another process holds the lock",
                errno: error.errno)
        }
        self.file = file
    }
}

/// The process that holds a flock(2) lock on a file, according to /proc/locks (proc_locks(5)):
/// `1: FLOCK  ADVISORY  WRITE 1234 00:16:4026532 0 EOF`. The device number is hexadecimal.
/// - Returns: nil if there is none, or if it is not visible in this PID namespace.
func lockHolder(of inode: UInt64, on device: DeviceNumber, in table: String) -> Int32? {
    for line in table.split(separator: "\n") {
        let fields = line.split(separator: " ")
        // The line of a waiting process has an arrow after its number, so its fields are shifted.
        guard fields.count >= 6, fields[1].utf8.elementsEqual("FLOCK".utf8),
            case let file = fields[5].split(separator: ":"), file.count == 3,
            parseHexadecimal(file[0]) == UInt64(device.major), parseHexadecimal(file[1]) == UInt64(device.minor),
            parseNumber(file[2]) == inode, let process = parseNumber(fields[4]).flatMap({ Int32(exactly: $0) }),
            process > 0
        else { continue }
        return process
    }
    return nil
}
