// SPDX-License-Identifier: Apache-2.0
import Basics
import MemoryImage
import Testing

@testable import BlockDevices
@testable import Hibernation
@testable import Linux

@Suite struct RootFileSystemTests {
    /// A session is not given up for a device that cannot be mounted.
    @Test func requiresARootFileSystemThatThisKernelKnows() throws {
        let known = "nodev\tsysfs\nnodev\ttmpfs\n\text3\n\text4\n\tvfat\n"
        func mountable(_ types: [String], canLoadModules: Bool = false) throws(Failure) -> [String] {
            try RootFileSystem.mountable(types, "/dev/a", known: known, canLoadModules: canLoadModules)
        }
        #expect(try mountable(["ext4"]) == ["ext4"])
        #expect(try mountable(["xfs", "ext4", "btrfs"]) == ["ext4"])
        for type in ["crypto_LUKS", "LVM2_member", "btrfs", "ext", "nodev", "", "gpt partition table"] {
            let failure = #expect(throws: Failure.self) { try mountable([type]) }
            #expect(failure?.description.hasPrefix("mount /dev/a: this kernel has no driver for \(type); ") == true)
            #expect(try mountable([type], canLoadModules: true) == [type])
        }
        #expect(try RootFileSystem.mountable(["xfs"], "/dev/a", known: nil, canLoadModules: false) == ["xfs"])
    }

    @Test func triesTheTypesOfTheRootFileSystemInOrder() throws {
        #expect(RootFileSystem.types("ext4,xfs") == ["ext4", "xfs"])
        #expect(RootFileSystem.types(",ext4,,xfs,") == ["ext4", "xfs"])
        #expect(RootFileSystem.types("") == [])
        var tried: [String] = []
        try RootFileSystem.tryInOrder(["ext4", "xfs", "btrfs"], "/dev/a") { (type) throws(Failure) in
            tried.append(type)
            if type == "ext4" { throw Failure("mount", "/root", "Invalid argument") }
        }
        #expect(tried == ["ext4", "xfs"])
        let failure = #expect(throws: Failure.self) {
            try RootFileSystem.tryInOrder(["ext4", "xfs"], "/dev/a") { (type) throws(Failure) in
                throw Failure("mount", "/root", type == "xfs" ? "No such device" : "Invalid argument")
            }
        }
        #expect(
            failure?.description
                == "mount /dev/a: as ext4: Invalid argument, as xfs: No such device; name its type with rootfstype=")
        let none = #expect(throws: Failure.self) { try RootFileSystem.tryInOrder([], "/dev/a") { _ in } }
        #expect(none?.reason == "its file system was not recognized")
    }
}
