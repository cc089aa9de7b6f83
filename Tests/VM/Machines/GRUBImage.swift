// SPDX-License-Identifier: Apache-2.0
import Foundation

/// GRUB for a disk: its core image with all modules that it needs, its boot sector, its configuration.
enum GRUBImage {
    private static let modules = [
        "part_gpt", "ext2", "normal", "linux", "search", "search_fs_uuid", "loadenv", "test", "echo", "serial",
        "terminal",
    ]

    /// Makes the core image. It reads grub.cfg from the second partition of the disk that it was started from.
    static func make(_ firmware: Machine.Firmware, in lab: Lab) throws -> URL {
        let image = lab.folder.appending(path: "grub.img")
        let (format, more) = firmware == .bios ? ("i386-pc", ["biosdisk"]) : ("x86_64-efi", [])
        try Tool.run(
            ["/usr/bin/grub-mkimage", "-O", format, "-o", image.path, "-p", "(,gpt2)/grub"] + more + modules)
        return image
    }

    /// Writes GRUB's boot sector, which starts the core image in the first partition. grub-install would do this, but needs a
    /// loop device.
    static func writeBootSector(to disk: PartitionedDisk) throws {
        let start = disk.partitions[0].lowerBound / 512
        let file = try FileHandle(forUpdating: disk.image)
        var sector = try Data(contentsOf: URL(filePath: "/usr/lib/grub/i386-pc/boot.img"))
        put(start, into: &sector, at: 0x5c)
        // The code. Behind it are the disk's signature and its partition table.
        try file.write(contentsOf: sector.prefix(440))
        // The first sector of the core image loads the others. The list of their places is at its end: a sector's number, the
        // number of sectors and a segment; grub-mkimage knows only the last two.
        var first = try file.sector(start)
        put(start + 1, into: &first, at: 512 - 12)
        try file.seek(toOffset: start * 512)
        try file.write(contentsOf: first)
        try file.close()
    }

    private static func put(_ number: UInt64, into data: inout Data, at offset: Int) {
        for byte in 0..<8 { data[data.startIndex + offset + byte] = UInt8(truncatingIfNeeded: number >> (8 * byte)) }
    }

    /// The part of grub.cfg that grub-mkconfig always makes, as far as it decides which entry starts, and one entry.
    static func configuration(_ commandLine: String) -> String {
        """
        serial --unit=0 --speed=115200
        terminal_output serial
        load_env
        set default=a
        if [ "${next_entry}" ] ; then
            set default="${next_entry}"
            set next_entry=
            save_env next_entry
        fi
        set timeout=0
        menuentry A --id a {
            echo starting kernel A
            linux /a/vmlinuz \(commandLine)
            initrd /a/initrd
        }

        """
    }

    /// An empty environment block.
    static var environment: String {
        let header = "# GRUB Environment Block\n"
        return header + String(repeating: "#", count: 1024 - header.utf8.count)
    }
}

extension FileHandle {
    fileprivate func sector(_ number: UInt64) throws -> Data {
        try seek(toOffset: number * 512)
        return try read(upToCount: 512) ?? Data()
    }
}
