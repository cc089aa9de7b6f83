import Basics
import CLinux

/// The machine's watchdog: restarts it where nobody says for a while that all is well
/// (Documentation/watchdog/watchdog-api.rst).
public final class Watchdog {
    private let file: File
    /// Seconds without a word after which the machine restarts, as far as the device takes them.
    public let seconds: Int

    /// Arms the watchdog; nil where the machine has none, somebody else has it open, or it could not be disarmed again and
    /// would end kernel A after a jump back.
    public init?(
        seconds: Int, path: String = "/dev/watchdog", nowayout: String = "/sys/class/watchdog/watchdog0/nowayout"
    ) {
        if let text = try? readText(nowayout), trimmed(text) != "0" { return nil }
        guard exists(path), let file = try? File(path, .write) else { return nil }
        let descriptor = file.descriptor
        var timeout = CInt(clamping: seconds)
        // A device with a time of its own keeps that.
        if torpor_watchdog_timeout(descriptor, &timeout) != 0 { timeout = CInt(clamping: seconds) }
        self.seconds = Int(timeout)
        self.file = file
    }

    /// Says that all is well.
    public func keepAlive() { say(UInt8(ascii: ".")) }

    /// Lets the watchdog stop when it is closed, which it does when this goes out of scope.
    public func disarm() { say(UInt8(ascii: "V")) }

    private func say(_ letter: UInt8) {
        var letter = letter
        _ = write(file.descriptor, &letter, 1)
    }
}
