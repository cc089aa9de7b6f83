// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

extension Failure {
    /// The failure of the system call that has just returned, with the reason that strerror(3) gives for errno(3).
    public init(lastError operation: String, _ operand: String, remedy: String? = nil) {
        let number = torpor_errno()
        self.init(operation, operand, errorText(number), remedy: remedy, errno: number)
    }

    /// A failure with the error number that a call answered.
    public init(_ operation: String, _ operand: String, errno number: CInt) {
        self.init(operation, operand, errorText(number), errno: number)
    }
}

/// The C library's sentence for an error number.
public func errorText(_ number: CInt) -> String {
    guard let text = strerror(number) else { return "error \(number)" }
    return String(cString: text)
}

/// Runs a system call that answers a negative number on error, again for as long as a signal interrupts it.
///
/// This function owns the EINTR rule: no other place tests for it.
/// - Throws: a failure with the operation, the operand and errno.
@discardableResult
public func retrying<T: SignedInteger & FixedWidthInteger>(
    _ operation: String, _ operand: String, _ call: () -> T
) throws(Failure) -> T {
    while true {
        let result = call()
        if result >= 0 { return result }
        if torpor_errno() != EINTR { throw Failure(lastError: operation, operand) }
    }
}

/// Error numbers that rooms above decide upon, by the names of errno(3).
public enum ErrorNumber {
    public static let notPermitted = EPERM
    public static let noEntry = ENOENT
    public static let noDevice = ENODEV
    public static let noAddress = ENXIO
    public static let wouldBlock = EWOULDBLOCK
    public static let outOfMemory = ENOMEM
    public static let badAddress = EFAULT
    public static let busy = EBUSY
    public static let invalid = EINVAL
    public static let notImplemented = ENOSYS
    public static let timedOut = ETIMEDOUT
    public static let noMedium = ENOMEDIUM
    /// What somebody who is not root gets.
    public static let areDenials = [EACCES, EPERM]
}
