// SPDX-License-Identifier: Apache-2.0

/// The parameters of a kernel command line.
///
/// They are split as in kernel/params.c: at white space outside double quotes. The quotes are not part of a value. Text after
/// `--` is for init and left out (Documentation/admin-guide/kernel-parameters.rst).
public struct KernelCommandLine: Sendable {
    public let parameters: [String]

    public init(_ text: String) {
        var parameters: [String] = []
        var parameter: [UInt8] = []
        var isQuoted = false
        var isStarted = false
        for character in text.utf8 {
            let isSpace = character == UInt8(ascii: " ") || (9...13).contains(character)
            if character == UInt8(ascii: "\"") {
                isQuoted.toggle()
                isStarted = true
            } else if isSpace && !isQuoted {
                if isStarted { parameters.append(String(decoding: parameter, as: UTF8.self)) }
                parameter = []
                isStarted = false
            } else {
                parameter.append(character)
                isStarted = true
            }
        }
        if isStarted { parameters.append(String(decoding: parameter, as: UTF8.self)) }
        self.parameters = Array(parameters.prefix { $0 != "--" })
    }

    /// Whether the line has exactly this parameter.
    public func contains(_ parameter: String) -> Bool { parameters.contains(parameter) }

    /// All values of `name=value`, in order.
    public func values(_ name: String) -> [String] {
        let prefix = Array("\(name)=".utf8)
        return parameters.filter { $0.utf8.starts(with: prefix) }
            .map { String(decoding: $0.utf8.dropFirst(prefix.count), as: UTF8.self) }
    }

    /// The value of the last `name=value`, which is the one that the kernel uses; nil if there is none.
    public func value(_ name: String) -> String? { values(name).last }
}
