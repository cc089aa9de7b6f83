// SPDX-License-Identifier: Apache-2.0

/// What went wrong, as one sentence: `mount devtmpfs on /dev: No such device`.
///
/// Every room throws this one type. Under init there are no existentials, so errors of several types would have to be
/// converted at each border; what a caller decides upon is `errno`, or a result type of the call itself.
public struct Failure: Error, Sendable, CustomStringConvertible {
    /// What was attempted, as a verb with what belongs to it: `mount devtmpfs on`.
    public var operation: String
    /// What it was attempted on: a path, an address, the name of a field.
    public var operand: String
    /// Why it did not work.
    public var reason: String
    /// What the administrator can do about it.
    public var remedy: String?
    /// The error number of errno(3), or 0 where no system call failed.
    public var errno: CInt
    /// Whether neither time nor a person can mend the reason: an image that is refused so never resumes. Kernel C keeps the
    /// session after every other refusal, so this is set only where the reason is certain.
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
