// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import BlockDevices

@Suite struct MountTableTests {
    @Test func readsMounts() throws {
        let line =
            "45 30 8:5 /sub /a\\040b ro,nosuid,noatime shared:16 master:2 - vfat /dev/sda\\0405 rw,fmask=0022,utf8"
        let mount = try #require(MountEntry(line))
        #expect(mount.target == "/a b" && mount.root == "/sub" && mount.source == "/dev/sda 5")
        #expect(mount.options == ["ro", "nosuid", "noatime"] && mount.propagation == ["shared:16", "master:2"])
        #expect(mount.fileSystemOptions == ["rw", "fmask=0022", "utf8"] && !mount.isReadOnly)
        for text in ["", "garbage", "22 1 8:2 / / rw", "22 1 8:2 / / rw - ext4", "x 1 8:2 / / rw - ext4 /dev/a rw"] {
            #expect(MountEntry(text) == nil)
        }
        #expect(try !mountsOfAllNamespaces().isEmpty)
        #expect(fileSystemTypesWithoutDevice("nodev\tsysfs\n\text4\nnodev\tzfs\n") == ["rootfs", "sysfs", "zfs"])
    }
}
