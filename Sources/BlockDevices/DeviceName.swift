// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore

/// The administrator's name for a block device: a path, `UUID=`, `LABEL=`, `PARTUUID=` or `PARTLABEL=`.
public enum DeviceName: Equatable, Sendable, CustomStringConvertible {
    case path(String)
    case uuid(String)
    case label(String)
    case partitionUUID(String)
    case partitionLabel(String)

    /// Parses a name; nil for an empty name and for an unknown `TAG=`.
    public init?(_ text: String) {
        if text.utf8.isEmpty { return nil }
        if text.utf8.first == UInt8(ascii: "/") {
            self = DeviceName.tag(linkedFrom: text) ?? .path(text)
            return
        }
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[1].isEmpty else { return nil }
        let value = String(parts[1])
        switch String(parts[0]) {
        case "UUID": self = .uuid(value)
        case "LABEL": self = .label(value)
        case "PARTUUID": self = .partitionUUID(value)
        case "PARTLABEL": self = .partitionLabel(value)
        default: return nil
        }
    }

    /// The tag that a udev link such as /dev/disk/by-uuid/… stands for; nil for any other path.
    private static func tag(linkedFrom path: String) -> DeviceName? {
        let links: [(String, (String) -> DeviceName)] = [
            ("/dev/disk/by-uuid/", { .uuid($0) }), ("/dev/disk/by-label/", { .label($0) }),
            ("/dev/disk/by-partuuid/", { .partitionUUID($0) }), ("/dev/disk/by-partlabel/", { .partitionLabel($0) }),
        ]
        for (folder, name) in links where path.utf8.starts(with: folder.utf8) {
            let value = decodedLink(String(decoding: path.utf8.dropFirst(folder.utf8.count), as: UTF8.self))
            return value.isEmpty ? nil : name(value)
        }
        return nil
    }

    public var description: String {
        switch self {
        case .path(let path): path
        case .uuid(let value): "UUID=\(value)"
        case .label(let value): "LABEL=\(value)"
        case .partitionUUID(let value): "PARTUUID=\(value)"
        case .partitionLabel(let value): "PARTLABEL=\(value)"
        }
    }

    /// Whether a device with this path and content has the name. The case of UUIDs does not matter: libblkid prints them in the
    /// case that the file system's tools use.
    public func matches(path: String, _ content: BlockDeviceContent) -> Bool {
        switch self {
        case .path(let name): name == path
        case .uuid(let value): content.uuid.map { lowercased($0) == lowercased(value) } ?? false
        case .label(let value): content.label == value
        case .partitionUUID(let value): content.partitionUUID.map { lowercased($0) == lowercased(value) } ?? false
        case .partitionLabel(let value): content.partitionLabel == value
        }
    }
}

private func lowercased(_ text: String) -> [UInt8] {
    text.utf8.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
}

/// Decodes the name of a udev link, which has `\x20` for a space (libudev, `udev_util_encode_string`).
func decodedLink(_ text: String) -> String {
    let bytes = Array(text.utf8)
    var result: [UInt8] = []
    var i = 0
    while i < bytes.count {
        if i + 3 < bytes.count, bytes[i] == UInt8(ascii: "\\"), bytes[i + 1] == UInt8(ascii: "x"),
            let value = parseHexadecimal(String(decoding: bytes[i + 2...i + 3], as: UTF8.self))
        {
            result.append(UInt8(truncatingIfNeeded: value))
            i += 4
        } else {
            result.append(bytes[i])
            i += 1
        }
    }
    return String(decoding: result, as: UTF8.self)
}
