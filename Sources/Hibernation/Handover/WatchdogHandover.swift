// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// A watchdog that kernel A has armed, as `torpor.watchdog=` names it to kernel B: `NUMBER:SECONDS`, `NUMBER:SECONDS:PARENT` or
/// `NUMBER:SECONDS:PARENT/IDENTITY`; commas separate several.
struct WatchdogHandover: Equatable, Sendable, CustomStringConvertible {
    /// N of kernel A's /dev/watchdogN; kernel B may number its watchdogs differently.
    var number: Int
    /// Kernel A's timeout; 0 if unknown.
    var seconds: Int
    /// The name of the parent device, by which kernel B finds the watchdog; empty if it has none.
    var parent: String
    /// The driver's identity string, with `_` for characters that are not safe on a command line; empty if unknown.
    var identity: String

    /// Used as the parent if /dev/watchdog is a miscellaneous device.
    static let miscellaneous = "misc"

    init(number: Int, seconds: Int, parent: String, identity: String = "") {
        self.number = number
        self.seconds = seconds
        self.identity = WatchdogHandover.plain(identity)
        // Other characters would change the meaning of the command line. Names of bus devices do not have them.
        self.parent = parent.utf8.allSatisfy(WatchdogHandover.isNameCharacter) ? parent : ""
    }

    /// An identity as the parameter has it: at most 32 bytes, with `_` for unsafe characters.
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

    /// nil if the text has none of the three forms.
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

    /// Parses a list with commas; nil if an item is malformed.
    static func list(_ text: String) -> [WatchdogHandover]? {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        let watchdogs = parts.compactMap { WatchdogHandover(String($0)) }
        return watchdogs.count == parts.count ? watchdogs : nil
    }

    var description: String {
        // Without a parent, kernel B finds it by its number.
        "\(number):\(seconds)" + (parent.isEmpty ? "" : ":\(parent)")
            + (parent.isEmpty || identity.isEmpty ? "" : "/\(identity)")
    }

    /// Finds the device among this kernel's; nil if it is missing. Another watchdog must not be taken for it: it would be
    /// armed, and nobody in kernel A would feed it.
    func find(in devices: [WatchdogDevice]) -> WatchdogDevice? {
        if let exact = devices.first(where: { $0.parent.utf8.elementsEqual(parent.utf8) }) { return exact }
        // A platform device gets the next free number: kernel A's iTCO_wdt.1.auto may be iTCO_wdt.0.auto here.
        let stem = WatchdogHandover.stem(parent)
        let kin = devices.filter { WatchdogHandover.stem($0.parent) == stem }
        if stem != nil, kin.count == 1 { return kin[0] }
        return devices.first {
            $0.number == number && !identity.isEmpty
                && WatchdogHandover.plain($0.identity).utf8.elementsEqual(identity.utf8)
        }
    }

    /// A name without its suffix `.N.auto` (6.12, drivers/base/platform.c, `platform_device_add`); nil if it has none.
    private static func stem(_ name: String) -> String? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count > 2, parts[parts.count - 1].utf8.elementsEqual("auto".utf8),
            parseNumber(parts[parts.count - 2]) != nil
        else { return nil }
        return parts.dropLast(2).joined(separator: ".")
    }
}
