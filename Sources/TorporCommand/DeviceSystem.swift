// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Hibernation
import Linux

/// The block devices of a system.
protocol DeviceSystem {
    /// All block devices, each probed once.
    func catalog() throws(Failure) -> DeviceCatalog
    /// Whether a path names a block device.
    func isBlockDevice(_ path: String) throws(Failure) -> Bool
    /// Who uses a device, as a phrase such as `it is mounted on /srv`; nil if the device can be opened exclusively.
    func user(of path: String) throws(Failure) -> String?
}

/// The block devices of the running system.
struct LinuxDevices: DeviceSystem {
    func catalog() throws(Failure) -> DeviceCatalog { try DeviceCatalog.ofHibernationPartitions() }

    func isBlockDevice(_ path: String) throws(Failure) -> Bool { try Linux.isBlockDevice(path) }

    func user(of path: String) throws(Failure) -> String? {
        do throws(Failure) { _ = try File(path, [.exclusive, .nonBlocking]) } catch {
            guard error.errno == ErrorNumber.busy else { throw error }
            return holder(of: path)
        }
        return nil
    }
}

extension DeviceSystem {
    /// Refuses a device that is mounted, in use as swap space or held by another device.
    func requireUnused(_ path: String, _ operation: String) throws(Failure) {
        guard let user = try user(of: path) else { return }
        throw Failure(operation, path, user, remedy: "stop using it first, or name another partition")
    }
}
