// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Linux
import MemoryImage

/// The words of the kernel command line that are for Torpor.
public struct KernelParameters: Sendable {
    public var device: DeviceName?
    /// Proof, together with `jumpBackEntry`, that this is kernel B: `torpor hibernate` set it.
    public var session: UUID?
    public var after = AfterSave.powerOff
    public var codec = Codec.standard
    /// Seconds to wait for the device to appear.
    public var waitSeconds: Int
    /// Seconds to wait for a device that kernel A used, which is known to have been there: as long as for one that was named.
    public var watchedDeviceSeconds = KernelParameters.namedDeviceSeconds
    /// Seconds without a sign of life, besides those it may wait for a device, after which a role's work is given up.
    public var progressTimeoutSeconds = 120
    public var fallback: Fallback
    /// What to do with an image that cannot be resumed now.
    var refusalPolicy = RefusalPolicy()
    public var isDebugging: Bool
    public var isResumeForbidden: Bool
    /// Physical address; nil where there is none, or only the zeros that stand there without a jump.
    public var jumpBackEntry: UInt64?
    /// Where the report goes when kernel A's own description of it cannot be read.
    public var reportPage: Report.Place?
    /// The watchdogs that kernel A has armed.
    var watchdogs: [WatchdogHandover] = []
    /// What is to go wrong on purpose.
    public var fault: Fault?
    /// Whether an image is resumed whose resume was attempted before.
    public var isRetrying: Bool
    /// Words that cannot be understood, each as a sentence; the standard value is taken in their place.
    public var problems: [String] = []

    /// How long a device that was named may take to appear.
    static let namedDeviceSeconds = 30
    /// How long is looked for a hibernation partition where none was named.
    static let unnamedDeviceSeconds = 2

    public init(_ commandLine: KernelCommandLine) {
        isDebugging = commandLine.contains("torpor.debug")
        isResumeForbidden = commandLine.contains("noresume")
        isRetrying = commandLine.contains("torpor.retry")
        fallback = commandLine.value("root") != nil ? .root : .powerOff
        refusalPolicy.canBootRoot = commandLine.value("root") != nil
        waitSeconds = KernelParameters.unnamedDeviceSeconds
        // Every word that was appended counts, the last one first: kexec's own could stand before ours.
        for text in commandLine.values("kexec_jump_back_entry").reversed() {
            if let entry = parseNumber(text), entry != 0 {
                jumpBackEntry = entry
                break
            }
        }
        if let text = commandLine.value("torpor.device") {
            device = DeviceName(text)
            waitSeconds = KernelParameters.namedDeviceSeconds
            if device == nil {
                problems.append("torpor.device=\(text) is no path, UUID=, LABEL=, PARTUUID= or PARTLABEL=")
            }
        }
        if let text = commandLine.value("torpor.session") {
            session = UUID(text)
            if session == nil { problems.append("torpor.session=\(text) is no UUID") }
        }
        if let text = commandLine.value("torpor.after") {
            if let value = AfterSave(rawValue: text) {
                after = value
            } else {
                problems.append("torpor.after=\(text) is not poweroff, reboot or return")
            }
        }
        if let text = commandLine.value("torpor.codec") {
            do throws(Failure) { codec = try Codec(parsing: text) } catch { problems.append(error.description) }
        }
        if let text = commandLine.value("torpor.report") {
            reportPage = Report.Place(text)
            if reportPage == nil { problems.append("torpor.report=\(text) names no page") }
        }
        for text in commandLine.values("torpor.watchdog") {
            if let list = WatchdogHandover.list(text) {
                watchdogs += list
            } else {
                problems.append("torpor.watchdog=\(text) is no list of NUMBER:SECONDS:PARENT")
            }
        }
        if let text = commandLine.value("torpor.fault") {
            fault = Fault(text)
            if fault == nil { problems.append("torpor.fault=\(text) is no STEP:KIND") }
        }
        if let given = seconds("torpor.wait", commandLine) {
            waitSeconds = given
            watchedDeviceSeconds = given
        }
        progressTimeoutSeconds = seconds("torpor.patience", commandLine) ?? progressTimeoutSeconds
        if let text = commandLine.value("torpor.fallback") {
            if let value = Fallback(rawValue: text) {
                fallback = value
            } else {
                problems.append("torpor.fallback=\(text) is not root, poweroff, reboot or shell")
            }
        }
        readRefusalPolicy(commandLine)
    }

    private mutating func readRefusalPolicy(_ commandLine: KernelCommandLine) {
        if let text = commandLine.value("torpor.refused") {
            refusalPolicy.choice = RefusalChoice(rawValue: text)
            if refusalPolicy.choice == nil {
                problems.append("torpor.refused=\(text) is not ask, poweroff, reboot or root")
            }
        }
        if let text = commandLine.value("torpor.unattended") {
            if let value = UnattendedChoice(rawValue: text) {
                refusalPolicy.unattended = value
            } else {
                problems.append("torpor.unattended=\(text) is not poweroff or root")
            }
        }
        refusalPolicy.askSeconds = seconds("torpor.ask", commandLine) ?? refusalPolicy.askSeconds
        guard !refusalPolicy.canBootRoot else { return }
        if refusalPolicy.choice == .root { problems.append("torpor.refused=root needs root=") }
        if refusalPolicy.unattended == .root { problems.append("torpor.unattended=root needs root=") }
    }

    /// The seconds that a word tells; nil where it does not stand there or cannot be understood.
    private mutating func seconds(_ word: String, _ commandLine: KernelCommandLine) -> Int? {
        guard let text = commandLine.value(word) else { return nil }
        if let value = parseNumber(text), value <= 86400 { return Int(value) }
        problems.append("\(word)=\(text) is no number of seconds up to 86400")
        return nil
    }
}
