// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Basics
import BlockDevices
import Hibernation
import Linux
import MemoryImage

// What a shell offers for the value of an option or an argument, in the scripts of `torpor --generate-completion-script`.

extension DeviceName {
    /// The block devices that exist when the shell asks. Names such as `LABEL=` are not offered: bash splits them at the `=`.
    public static var defaultCompletionKind: CompletionKind {
        .custom { _, _, prefix in DeviceCompletion().paths(prefix) }
    }
}

extension Codec {
    /// The names; a level may follow a colon.
    public static var defaultCompletionKind: CompletionKind { .list(["none", "lz4", "zstd", "xz"]) }
}

extension AfterSave {
    public static var defaultCompletionKind: CompletionKind {
        .list([AfterSave.powerOff, .reboot, .return].map { $0.rawValue })
    }
}

/// The paths of block devices that a shell offers.
struct DeviceCompletion {
    /// The folder that contains sys and dev; empty for the running system.
    var root = ""

    /// The disks and partitions that hold bytes: `/dev/sda1`, `/dev/mapper/NAME`. udev's links are offered only to somebody who
    /// began to type one, because each device has several.
    /// - Parameter prefix: what the user has typed of the word.
    func paths(_ prefix: String) -> [String] {
        (prefix.hasPrefix("/dev/disk/") ? links() : devices()).filter { $0.hasPrefix(prefix) && isOneWord($0) }
    }

    private func devices() -> [String] {
        names("/sys/class/block").compactMap { name in
            let folder = "\(root)/sys/class/block/\(name)"
            // Drives without a medium, and unused loop and zram devices, have no bytes.
            guard let size = try? readText("\(folder)/size"), size != "0\n" else { return nil }
            guard !name.hasPrefix("ram"), !name.hasPrefix("zram") else { return nil }
            // The device mapper's own name lasts, and dm-0 does not.
            if let mapped = try? readText("\(folder)/dm/name") { return "/dev/mapper/\(mapped.dropLast())" }
            // The kernel writes the slash of a device's name as `!`: cciss!c0d0.
            return "/dev/" + String(name.map { $0 == "!" ? "/" : $0 })
        }
    }

    private func links() -> [String] {
        names("/dev/disk").flatMap { folder in
            names("/dev/disk/\(folder)").map { "/dev/disk/\(folder)/\($0)" }
        }
    }

    private func names(_ folder: String) -> [String] { (try? listDirectory(root + folder)) ?? [] }

    /// Whether every shell reads the path as one word and as it stands; udev writes other characters as `\x20`.
    private func isOneWord(_ path: String) -> Bool {
        path.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "-"), UInt8(ascii: "+"):
                true
            default: false
            }
        }
    }
}
