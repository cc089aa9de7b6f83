// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// The command line of a kernel C that `torpor-resume` starts. /init reads its parameters with `KernelParameters`.
struct SecondStageCommandLine {
    /// The parameters that kernel A kept with the boot files.
    let parameters: String
    /// The command line of the ordinary start: its consoles and its parameters for Torpor are passed on.
    let own: KernelCommandLine

    /// Parameters for Torpor that are not passed on: kernel A's are right for the image, or another kernel's role is theirs.
    private static let kept: [Parameter] = [
        .device, .session, .report, .after, .codec, .watchdog, .fallback, .ordinaryStart,
    ]

    var text: String {
        var result = [parameters, Parameter.ordinaryStart.rawValue, "printk.devkmsg=on"]
        // If kernel C panics, the machine restarts, and the ordinary start goes on.
        result.append("panic=10")
        result += HardwareParameters.consoles(own)
        result += own.parameters.filter { isPassedOn($0) }.map { HardwareParameters.quoted($0) }
        if !own.contains(Parameter.debug.rawValue) { result.append("quiet") }
        return result.joined(separator: " ")
    }

    private func isPassedOn(_ parameter: String) -> Bool {
        guard parameter.utf8.starts(with: "torpor.".utf8) else { return false }
        let name = parameter.utf8.prefix { $0 != UInt8(ascii: "=") }
        if SecondStageCommandLine.kept.contains(where: { name.elementsEqual($0.rawValue.utf8) }) { return false }
        // A fault is for one of the two kernels.
        guard name.elementsEqual(Parameter.fault.rawValue.utf8),
            let fault = Fault(String(decoding: parameter.utf8.dropFirst(name.count + 1), as: UTF8.self))
        else { return true }
        return !Step.secondStage.contains(fault.step) || fault.step == .end
    }
}
