import Basics
import Linux

/// A watchdog that kernel A has armed, as the parameter `torpor.watchdog=` hands it to kernel B: `NUMBER:SECONDS` or
/// `NUMBER:SECONDS:PARENT`, several with commas between them.
struct WatchdogHandover: Equatable, Sendable, CustomStringConvertible {
    /// N of kernel A's /dev/watchdogN; kernel B may number them otherwise.
    var number: Int
    /// Kernel A's timeout; 0 if that is not known.
    var seconds: Int
    /// The name of the device's parent, by which kernel B finds it; empty if there is none.
    var parent: String

    init(number: Int, seconds: Int, parent: String) {
        self.number = number
        self.seconds = seconds
        // Other characters would change the command line's meaning; no name of a bus has them.
        self.parent = parent.utf8.allSatisfy(WatchdogHandover.isNameCharacter) ? parent : ""
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
        self.init(number: Int(number), seconds: Int(seconds), parent: parts.count > 2 ? String(parts[2]) : "")
    }

    /// nil if one of them is no such text.
    static func list(_ text: String) -> [WatchdogHandover]? {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        let watchdogs = parts.compactMap { WatchdogHandover(String($0)) }
        return watchdogs.count == parts.count ? watchdogs : nil
    }

    var description: String { "\(number):\(seconds)" + (parent.isEmpty ? "" : ":\(parent)") }
}
