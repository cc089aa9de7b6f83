// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import Linux

/// The firmware's variables for the boot loader (systemd's Boot Loader Interface), through efivarfs. Each holds text in UTF-16
/// that ends with a zero.
struct EFIVariables {
    let system: BootSystem

    static let folder = "/sys/firmware/efi/efivars"
    private static let vendor = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"

    /// Whether the firmware's variables can be read at all.
    var areReadable: Bool { !system.names(in: EFIVariables.folder).isEmpty }

    private func path(_ name: String) -> String { "\(EFIVariables.folder)/\(name)-\(EFIVariables.vendor)" }

    /// The bytes of a variable; nil if the firmware does not have it.
    func bytes(_ name: String) -> [UInt8]? {
        // In front of the value are its attributes. efivarfs shows a variable that the boot loader removed while kernel A was
        // off as an empty file.
        guard let content = try? readFile(system.real(path(name))), content.count >= 4 else { return nil }
        return Array(content.dropFirst(4))
    }

    func text(_ name: String) -> String? {
        guard let bytes = bytes(name) else { return nil }
        let units = stride(from: 0, to: bytes.count - 1, by: 2).map { UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8 }
        return String(decoding: units.prefix { $0 != 0 }, as: UTF16.self)
    }

    /// Sets a variable that lasts without power, or removes it.
    func set(_ name: String, _ text: String?) throws(Failure) {
        let path = system.real(path(name))
        if Linux.exists(path) { try remove(path) }
        guard let text else { return }
        // Non-volatile, accessible at boot and at run time (UEFI specification, "GetVariable()").
        var content: [UInt8] = [7, 0, 0, 0]
        for unit in Array(text.utf16) + [0] { content += [UInt8(truncatingIfNeeded: unit), UInt8(unit >> 8)] }
        let descriptor = try retrying("make", path) { torpor_open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644) }
        defer { close(descriptor) }
        // efivarfs takes a whole variable with one call.
        let count = try retrying("write", path) { CLinux.write(descriptor, content, content.count) }
        if count != content.count { throw Failure("write", path, "the firmware took only \(count) bytes") }
    }

    private func remove(_ path: String) throws(Failure) {
        do {
            // efivarfs protects variables that it does not know (6.12, fs/efivarfs/inode.c, `efivarfs_get_inode`). Other file
            // systems do not know the flag.
            let file = try File(path)
            _ = torpor_clear_immutable(file.descriptor)
        }
        try retrying("remove", path) { unlink(path) }
    }
}
