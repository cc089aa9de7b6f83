// SPDX-License-Identifier: Apache-2.0

/// The names of the parameters that /init reads from the kernel command line. `KernelBCommandLine` and `KernelCCommandLine`
/// write some of them, `KernelParameters` reads all.
enum Parameter: String, CaseIterable {
    // Kernel B and kernel C
    case device = "torpor.device"
    case wait = "torpor.wait"
    case progressTimeout = "torpor.patience"
    case debug = "torpor.debug"
    case fault = "torpor.fault"

    // Kernel B; kernel A writes them
    case session = "torpor.session"
    case after = "torpor.after"
    case codec = "torpor.codec"
    case report = "torpor.report"
    case watchdog = "torpor.watchdog"
    case rehearse = "torpor.rehearse"
    /// The load stub writes it (Sources/CTrampoline/load_stub.S).
    case jumpBackEntry = "kexec_jump_back_entry"

    // Kernel C
    case fallback = "torpor.fallback"
    case refused = "torpor.refused"
    case unattended = "torpor.unattended"
    case ask = "torpor.ask"
    case retry = "torpor.retry"
    case noResume = "noresume"
    /// `torpor-resume` writes it: an ordinary start continues with this kernel C.
    case ordinaryStart = "torpor.ordinary"

    /// The parameter as messages name it: `torpor.device=`.
    var option: String { rawValue + "=" }

    /// The parameter with a value, as a command line contains it: `torpor.after=reboot`.
    func with(_ value: some CustomStringConvertible) -> String { "\(rawValue)=\(value)" }
}
