// SPDX-License-Identifier: Apache-2.0

/// An error that prints as one sentence: `mount devtmpfs on /dev: No such device`.
///
/// Every module throws this one type. /init is Embedded Swift, which has no existentials, so several error types would have to
/// be converted at each module's border. A caller that must tell errors apart uses `errno`, or the call returns a result type.
public struct Failure: Error, Sendable, CustomStringConvertible {
    /// The action that failed, as a verb phrase: `mount devtmpfs on`.
    public var operation: String
    /// The object of the action: a path, an address, the name of a field.
    public var operand: String
    /// Why the action failed.
    public var reason: String
    /// The administrator's way out, as an imperative; nil if there is none.
    public var remedy: String?
    /// The error number of errno(3); 0 if no system call failed.
    public var errno: CInt
    /// Whether neither time nor a person can remove the reason: an image that is refused for it never resumes. Kernel C keeps
    /// the session after every other refusal, so this is set only if the reason is certain.
    public var isFinal: Bool

    public init(
        _ operation: String, _ operand: String, _ reason: String, remedy: String? = nil, errno: CInt = 0,
        isFinal: Bool = false
    ) {
        self.operation = operation
        self.operand = operand
        self.reason = reason
        self.remedy = remedy
        self.errno = errno
        self.isFinal = isFinal
    }

    public var description: String {
        var sentence = operation
        if !operand.isEmpty {
            if !sentence.isEmpty { sentence += " " }
            sentence += operand
        }
        sentence += ": \(reason)"
        if let remedy { sentence += "; \(remedy)" }
        return sentence
    }
}
