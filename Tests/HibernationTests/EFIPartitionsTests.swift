// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Foundation
import Testing

@testable import Hibernation
@testable import Linux

@Suite struct EFIPartitionsTests {
    private func partitions(_ table: String, types: [String: String] = [:]) -> EFIPartitions {
        EFIPartitions(table) { types[$0.description] }
    }

    private static let esp = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"

    @Test(
        arguments: [
            // By the type of the partition, wherever it is mounted: GPT, the extended boot loader partition, MBR.
            ("50 1 8:1 / /mnt/x rw - vfat /dev/sda1 rw\n", ["8:1": esp], ["/mnt/x"]),
            ("50 1 8:1 / /mnt/x rw - vfat /dev/sda1 rw\n", ["8:1": "bc13c2ff-59e6-4262-a352-b275fd6f7172"], ["/mnt/x"]),
            ("50 1 8:1 / /mnt/x rw - vfat /dev/sda1 rw\n", ["8:1": "0xef"], ["/mnt/x"]),
            // By the folder.
            (
                "50 1 8:1 / /boot rw - vfat /dev/sda1 rw\n51 1 8:2 / /efi rw - vfat /dev/sda2 rw\n", [:],
                ["/boot", "/efi"]
            ),
            // What is mounted twice is unmounted twice.
            (
                "60 1 8:1 / /again rw - vfat /dev/sda1 rw\n50 1 8:1 / /boot/efi rw - vfat /dev/sda1 rw\n", [:],
                ["/again", "/boot/efi"]
            ),
            // Others are watched.
            ("50 1 8:1 / /media/stick rw - vfat /dev/sda1 rw\n", ["8:1": "0xc"], []),
            ("50 1 8:1 / /boot rw - ext4 /dev/sda1 rw\n", ["8:1": esp], []), ("", [:], []),
        ] as [(String, [String: String], [String])])
    func findsPartitionsThatTheBootLoaderMayWrite(table: String, types: [String: String], expected: [String]) {
        #expect(partitions(table, types: types).mounts.map { $0.target } == expected)
    }

    @Test func refusesMountsThatCannotBeRestored() throws {
        let covered = partitions(
            "50 1 8:1 / /boot rw - vfat /dev/sda1 rw\n51 50 8:2 / /boot/x rw - ext4 /dev/sda2 rw\n")
        let failure = #expect(throws: Failure.self) { try covered.requireUnused() }
        #expect(
            failure?.description.contains(
                "unmount the vfat file system on /boot, to which the boot loader may write: /boot/x is mounted on top of it"
            )
                == true)
        #expect(failure?.remedy?.contains("--allow-unwatched") == true)
        let bound = partitions("50 1 77:77 /EFI /boot rw - vfat /dev/sda1 rw\n")
        #expect(throws: Failure.self) { try bound.requireUnused() }
    }

    /// The numbers of mounts are used again, so that the first may have the largest one.
    @Test func unmountsStackedMountsFirst() throws {
        // /efi, its folder on /boot, and all of it once more upon that: each after what it needs.
        let nested = partitions(
            """
            31 90 8:1 / /boot/whole rw - vfat /dev/sda1 rw
            90 1 8:1 /EFI/arch /boot rw - vfat /dev/sda1 rw
            40 1 8:1 / /efi rw - vfat /dev/sda1 rw

            """)
        #expect(nested.mounts.map { $0.target } == ["/efi", "/boot", "/boot/whole"])
        let stacked = partitions(
            "90 1 8:1 / /boot rw - vfat /dev/sda1 rw\n31 90 8:1 / /boot/efi rw - vfat /dev/sda1 rw\n")
        #expect(stacked.mounts.map { $0.target } == ["/boot", "/boot/efi"])
    }

    /// Arch users bind a folder of /efi to /boot: it is mounted again from there.
    @Test func takesAFolderThatIsBoundElsewhere() throws {
        let bound = partitions(
            """
            51 1 77:77 /EFI/arch /boot rw - vfat /dev/sda1 rw
            50 1 77:77 / /efi rw - vfat /dev/sda1 rw

            """)
        #expect(bound.mounts.map { $0.target } == ["/efi", "/boot"])
        #expect(throws: Never.self) { try bound.requireUnused() }
    }

    @Test(.enabled(if: effectiveUserID() == 0)) func bindsAFolderAgainAsItWas() throws {
        let top = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)").path
        let target = top + ".bound"
        try Mount("none", on: top, type: "tmpfs").perform()
        defer {
            try? unmountFileSystem(top)
            rmdir(top)
            rmdir(target)
        }
        for folder in ["\(top)/EFI", "\(top)/EFI/arch", target] { try #require(mkdir(folder, 0o755) == 0) }
        func line() throws -> MountEntry {
            try #require(mountEntries(try readText("/proc/self/mountinfo")).last { $0.target == target })
        }
        var first = try #require(mountEntries(try readText("/proc/self/mountinfo")).last { $0.target == top })
        first.target = target
        first.options = ["ro", "nosuid", "noexec", "relatime"]
        first.propagation = []
        try first.performBinding("\(top)/EFI/arch")
        let before = try line()
        #expect(before.root == "/EFI/arch" && before.options == ["ro", "nosuid", "noexec", "relatime"])
        try unmountFileSystem(target)
        try before.performBinding(top + before.root)
        defer { try? unmountFileSystem(target) }
        var after = try line()
        after.identifier = before.identifier
        #expect(after == before)
    }

    /// An automounter mounts it again for whoever looks into its folder.
    @Test func noticesANewMount() throws {
        let table = "50 1 8:1 / /boot rw - vfat /dev/sda1 rw\n60 1 8:2 / / rw - ext4 /dev/sda2 rw\n"
        let esp = partitions(table)
        let others = mountEntries("60 1 8:2 / / rw - ext4 /dev/sda2 rw\n")
        #expect(esp.newUse(others) { _ in false } == nil)
        #expect(esp.newUse(mountEntries(table)) { _ in false }?.reason == "it has been mounted again")
        #expect(esp.newUse(others) { _ in true }?.reason == "something holds it again")
        #expect(partitions("").newUse(mountEntries(table)) { _ in true } == nil)
    }

    /// A file system of this machine takes the place of a FAT, which the kernel here may not have.
    @Test func namesTheProcessThatUsesIt() throws {
        let device = try #require(fileSystemDevice("/proc/self/cwd"))
        let table = "50 1 \(device) / /boot rw - vfat /dev/sda1 rw\n"
        let failure = #expect(throws: Failure.self) { try partitions(table).requireUnused() }
        #expect(failure?.reason.hasSuffix(") uses it") == true)
        // A file system that no process uses.
        #expect(throws: Never.self) { try partitions("50 1 77:77 / /boot rw - vfat /dev/sda1 rw\n").requireUnused() }
    }

    /// What was unmounted is mounted again in the same way, line for line but for its number.
    @Test(
        .enabled(if: effectiveUserID() == 0),
        arguments: [
            (UInt(2 | 4 | 8 | 1 << 10), "size=4096k,mode=700"), (UInt(1 | 1 << 11), "size=8192k"),
            (UInt(1 << 24), "size=8192k,mode=755"),
        ])
    func mountsAgainWithTheSameOptions(flags: UInt, data: String) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)")
            .path
        defer { rmdir(folder) }
        try Mount("none", on: folder, type: "tmpfs", flags: flags, data: data).perform()
        defer { try? unmountFileSystem(folder) }
        func line() throws -> MountEntry {
            try #require(mountEntries(try readText("/proc/self/mountinfo")).last { $0.target == folder })
        }
        let before = try line()
        try unmountFileSystem(folder)
        #expect(try mountEntries(readText("/proc/self/mountinfo")).allSatisfy { $0.target != folder })
        try before.perform()
        var after = try line()
        after.identifier = before.identifier
        after.device = before.device
        #expect(after == before)
    }
}
