// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// A watchdog that kernel A has armed, as the parameter `torpor.watchdog=` hands it to kernel B: `NUMBER:SECONDS`,
/// `NUMBER:SECONDS:PARENT` or `NUMBER:SECONDS:PARENT/IDENTITY`, several with commas between them.
struct WatchdogHandover: Equatable, Sendable, CustomStringConvertible {
    /// N of kernel A's /dev/watchdogN; kernel B may number them otherwise.
    var number: Int
    /// Kernel A's timeout; 0 if that is not known.
    var seconds: Int
    /// The name of the device's parent, by which kernel B finds it; empty if there is none.
    var parent: String
    /// The maker's name for it, with `_` for characters that a command line might not keep; empty if that is not known.
    var identity: String

    /// What stands for the parent of /dev/watchdog if that is a miscellaneous device.
    static let miscellaneous = "misc"

    init(number: Int, seconds: Int, parent: String, identity: String = "") {
        self.number = number
        self.seconds = seconds
        self.identity = WatchdogHandover.plain(identity)
        // Other characters would change the command line's meaning; no name of a bus has them.
        self.parent = parent.utf8.allSatisfy(WatchdogHandover.isNameCharacter) ? parent : ""
    }

    /// An identity as it is handed over.
    static func plain(_ identity: String) -> String {
        String(decoding: identity.utf8.prefix(32).map { isNameCharacter($0) ? $0 : UInt8(ascii: "_") }, as: UTF8.self)
    }

    private static func isNameCharacter(_ character: UInt8) -> Bool {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: ":"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    /// nil for what is no such text.
    init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2, let number = parseNumber(parts[0]), number < 1024, let seconds = parseNumber(parts[1]),
            seconds <= 1 << 20
        else { return nil }
        let names = parts.count > 2 ? parts[2].split(separator: "/", omittingEmptySubsequences: false) : []
        self.init(
            number: Int(number), seconds: Int(seconds), parent: names.first.map { String($0) } ?? "",
            identity: names.count > 1 ? String(names[1]) : "")
    }

    /// nil if one of them is no such text.
    static func list(_ text: String) -> [WatchdogHandover]? {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        let watchdogs = parts.compactMap { WatchdogHandover(String($0)) }
        return watchdogs.count == parts.count ? watchdogs : nil
    }

    var description: String {
        // Without a parent it is found by its number.
        "\(number):\(seconds)" + (parent.isEmpty ? "" : ":\(parent)")
            + (parent.isEmpty || identity.isEmpty ? "" : "/\(identity)")
    }

    /// The device among those of this kernel; nil if it is not there. A watchdog that is not kernel A's must not be taken for it:
    /// it would be armed, and nobody in kernel A would feed it.
    func find(in devices: [WatchdogDevice]) -> WatchdogDevice? {
        if let exact = devices.first(where: { $0.parent.utf8.elementsEqual(parent.utf8) }) { return exact }
        // Platform devices get the next free number: iTCO_wdt.1.auto may be iTCO_wdt.0.auto here.
        let stem = WatchdogHandover.stem(parent)
        let kin = devices.filter { WatchdogHandover.stem($0.parent) == stem }
        if stem != nil, kin.count == 1 { return kin[0] }
        return devices.first {
            $0.number == number && !identity.isEmpty
                && WatchdogHandover.plain($0.identity).utf8.elementsEqual(identity.utf8)
        }
    }

    /// A name without `.N.auto` (6.12, drivers/base/platform.c, `platform_device_add`); nil for one that has no such end.
    private static func stem(_ name: String) -> String? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count > 2, parts[parts.count - 1].utf8.elementsEqual("auto".utf8),
            parseNumber(parts[parts.count - 2]) != nil
        else { return nil }
        return parts.dropLast(2).joined(separator: ".")
    }
}
