// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

extension Failure {
    /// The failure of the last system call: the reason is strerror(3) of errno(3).
    public init(lastError operation: String, _ operand: String, remedy: String? = nil) {
        let number = torpor_errno()
        self.init(operation, operand, errorText(number), remedy: remedy, errno: number)
    }

    /// The failure of a call that returns its error number.
    public init(_ operation: String, _ operand: String, errno number: CInt) {
        self.init(operation, operand, errorText(number), errno: number)
    }
}

/// The C library's text for an error number.
public func errorText(_ number: CInt) -> String {
    guard let text = strerror(number) else { return "error \(number)" }
    return String(cString: text)
}

/// Runs a system call that returns a negative number on error, and repeats it while signals interrupt it (EINTR).
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

/// The values of errno(3) that other modules test for.
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
    /// The errors of a process without the permission, such as one that is not root.
    public static let areDenials = [EACCES, EPERM]
}
