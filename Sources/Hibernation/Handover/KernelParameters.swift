// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Linux
import MemoryImage

/// The parameters for /init on the kernel command line. `Parameter` has their names.
public struct KernelParameters: Sendable {
    public var device: DeviceName?
    /// The session that kernel B saves. With `jumpBackEntry` it proves that this is kernel B, because only `torpor hibernate`
    /// sets it.
    public var session: UUID?
    public var after = AfterSave.powerOff
    public var codec = Codec.standard
    /// Seconds to wait for the device to appear.
    public var waitSeconds: Int
    /// Seconds to wait for a device that kernel A used: by default as long as for a named one, because the device existed.
    public var watchedDeviceSeconds = KernelParameters.namedDeviceSeconds
    /// Seconds without progress, not counting the wait for a device, after which PID 1 kills its child.
    public var progressTimeoutSeconds = 120
    public var fallback: Fallback
    /// Decides about a session that cannot be resumed now.
    var refusalPolicy = RefusalPolicy()
    /// Whether kernel B does everything but writing, and jumps back.
    public var isRehearsal: Bool
    public var isDebugging: Bool
    public var isResumeForbidden: Bool
    /// Physical address; nil if it is missing, or 0 as it is without a jump.
    public var jumpBackEntry: UInt64?
    /// The report page, for use if kernel A's session description cannot be read.
    public var reportPage: Report.Place?
    /// The watchdogs that kernel A has armed.
    var watchdogs: [WatchdogHandover] = []
    /// The fault to inject.
    public var fault: Fault?
    /// Whether to resume an image whose last resume failed.
    public var isRetrying: Bool
    /// Whether `torpor-resume` started this kernel C, in an ordinary start.
    public var isOrdinaryStart: Bool
    /// One sentence for each parameter whose value is not allowed; /init uses the default instead.
    public var problems: [String] = []

    /// Seconds that a named device may take to appear.
    static let namedDeviceSeconds = 30
    /// Seconds that kernel C searches for a hibernation partition if none is named.
    static let unnamedDeviceSeconds = 2

    /// - Parameter isInInitramfs: whether these are the parameters of an ordinary start, for `torpor-resume`.
    public init(_ commandLine: KernelCommandLine, isInInitramfs: Bool = false) {
        isDebugging = commandLine.contains(.debug)
        isRehearsal = commandLine.contains(.rehearse)
        isResumeForbidden = commandLine.contains(.noResume)
        isRetrying = commandLine.contains(.retry)
        isOrdinaryStart = commandLine.contains(.ordinaryStart)
        let hasRoot = commandLine.value("root") != nil
        fallback = isOrdinaryStart ? .reboot : hasRoot ? .root : .powerOff
        refusalPolicy.canBootRoot = hasRoot || isOrdinaryStart || isInInitramfs
        refusalPolicy.canGoOn = isOrdinaryStart || isInInitramfs
        waitSeconds = KernelParameters.unnamedDeviceSeconds
        // The last valid entry counts: kexec's own may precede the one of Torpor's load stub.
        jumpBackEntry = commandLine.values(.jumpBackEntry).compactMap { parseNumber($0) }.last { $0 != 0 }
        if commandLine.value(.device) != nil { waitSeconds = KernelParameters.namedDeviceSeconds }
        device = read(.device, commandLine, "a path, UUID=, LABEL=, PARTUUID= or PARTLABEL=") { DeviceName($0) }
        session = read(.session, commandLine, "a UUID") { UUID($0) }
        after = read(.after, commandLine, "poweroff, reboot or return") { AfterSave(rawValue: $0) } ?? after
        if let text = commandLine.value(.codec) {
            do throws(Failure) { codec = try Codec(parsing: text) } catch { problems.append(error.description) }
        }
        reportPage = read(.report, commandLine, "ADDRESS:KEY of a page") { Report.Place($0) }
        for text in commandLine.values(.watchdog) {
            if let list = WatchdogHandover.list(text) {
                watchdogs += list
            } else {
                reportProblem(.watchdog, text, "a list of NUMBER:SECONDS:PARENT")
            }
        }
        fault = read(.fault, commandLine, "STEP:KIND") { Fault($0) }
        if let given = seconds(.wait, commandLine) {
            waitSeconds = given
            watchedDeviceSeconds = given
        }
        progressTimeoutSeconds = seconds(.progressTimeout, commandLine) ?? progressTimeoutSeconds
        fallback =
            read(.fallback, commandLine, "root, poweroff, reboot or shell") { Fallback(rawValue: $0) } ?? fallback
        readRefusalPolicy(commandLine)
    }

    private mutating func readRefusalPolicy(_ commandLine: KernelCommandLine) {
        refusalPolicy.choice =
            read(.refused, commandLine, "ask, poweroff, reboot or root") { RefusalChoice(rawValue: $0) }
        refusalPolicy.unattended =
            read(.unattended, commandLine, "poweroff or root") { UnattendedChoice(rawValue: $0) }
        refusalPolicy.askSeconds = seconds(.ask, commandLine) ?? refusalPolicy.askSeconds
        guard !refusalPolicy.canBootRoot else { return }
        if refusalPolicy.choice == .root { problems.append("torpor.refused=root needs root=") }
        if refusalPolicy.unattended == .root { problems.append("torpor.unattended=root needs root=") }
    }

    /// The value of a parameter; nil if it is missing or not allowed.
    /// - Parameter allowed: the allowed values, for the sentence in `problems`.
    private mutating func read<Value>(
        _ parameter: Parameter, _ commandLine: KernelCommandLine, _ allowed: String, _ parse: (String) -> Value?
    ) -> Value? {
        guard let text = commandLine.value(parameter) else { return nil }
        if let value = parse(text) { return value }
        reportProblem(parameter, text, allowed)
        return nil
    }

    private mutating func seconds(_ parameter: Parameter, _ commandLine: KernelCommandLine) -> Int? {
        read(parameter, commandLine, "a number of seconds up to 86400") { text in
            parseNumber(text).flatMap { $0 <= 86400 ? Int($0) : nil }
        }
    }

    private mutating func reportProblem(_ parameter: Parameter, _ text: String, _ allowed: String) {
        problems.append("\(parameter.with(text)): the value must be \(allowed); using the default instead")
    }
}

extension KernelCommandLine {
    func contains(_ parameter: Parameter) -> Bool { contains(parameter.rawValue) }
    func value(_ parameter: Parameter) -> String? { value(parameter.rawValue) }
    func values(_ parameter: Parameter) -> [String] { values(parameter.rawValue) }
}
