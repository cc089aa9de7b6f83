// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

extension LoadPlan {
    /// Bytes of memory that the kernel allocates for the load.
    public var byteCount: UInt64 { segments.byteCount }

    /// Loads the kernel as the running kernel's kexec image, in place of the image loaded before.
    ///
    /// - Parameter preservesContext: whether the loaded kernel can jump back, as kernel B.
    /// - Throws: if the kernel refuses, with the reason that its errno stands for.
    public func load(preservesContext: Bool) throws(Failure) {
        var kexecSegments: [KexecSegment] = []
        // The contents of the segments, one after the other.
        let contentRanges = segments.map { contentRange(of: $0) }
        let content = try Mapping(anonymous: max(1, Int(contentRanges.byteCount)), isPopulated: true)
        var offset = 0
        for (segment, range) in zip(segments, contentRanges) {
            let size = Int(range.byteCount)
            let bytes = UnsafeMutableRawBufferPointer(rebasing: content.bytes[offset..<offset + size])
            for piece in pieces where range.lowerBound <= piece.address && piece.address < range.upperBound {
                UnsafeMutableRawBufferPointer(rebasing: bytes[Int(piece.address - range.lowerBound)...])
                    .copyBytes(from: piece.bytes)
            }
            kexecSegments.append(KexecSegment(content: UnsafeRawBufferPointer(bytes), destination: segment))
            offset += size
        }
        do throws(Failure) {
            try loadKexecImage(entry: entry, kexecSegments, preservesContext: preservesContext)
        } catch {
            throw explained(error, preservesContext: preservesContext)
        }
    }

    /// The running kernel's refusal to load the kernel, as a sentence.
    /// - Parameter error: of kexec_load(2).
    func explained(_ error: Failure, preservesContext: Bool) -> Failure {
        let size = describe(bytes: segments.byteCount)
        var failure = Failure("load", name, error.reason, errno: error.errno)
        switch error.errno {
        case ErrorNumber.outOfMemory where preservesContext:
            failure.reason = "not enough free memory: the backup of low memory takes \(size)"
            failure.remedy = "end programs, or use a smaller --backup-end"
        case ErrorNumber.outOfMemory:
            failure.reason = "not enough free memory: it takes \(size)"
            failure.remedy = LoadPlan.moreMemory
        case ErrorNumber.invalid where preservesContext:
            failure.reason = "its \(size) are more than half of this machine's memory"
            failure.remedy = "use a smaller --backup-end"
        case ErrorNumber.invalid:
            failure.reason = "its \(size) are more than half of the running kernel's memory"
            failure.remedy = LoadPlan.moreMemory
        case ErrorNumber.notImplemented:
            failure.reason = "the running kernel has no kexec_load(2)"
            failure.remedy = "boot one with CONFIG_KEXEC"
        case ErrorNumber.notPermitted:
            failure.reason = "the running kernel refuses kexec_load(2)"
            failure.remedy = "boot without lockdown=, with Secure Boot off and without kernel.kexec_load_disabled"
        default: return error
        }
        return failure
    }

    /// The way out of an ordinary start. N was chosen when kernel A hibernated.
    private static let moreMemory = "boot without mem= and memmap=, or start kernel C directly: torpor boot-entry"

    /// The part of a segment with contents: from its beginning to the end of its last piece.
    private func contentRange(of segment: PhysicalRange) -> PhysicalRange {
        let ends = pieces.map { $0.addresses.upperBound }
        let last = ends.filter { segment.lowerBound < $0 && $0 <= segment.upperBound }.max()
        return segment.lowerBound..<(last ?? segment.lowerBound)
    }
}

/// Refuses if the running kernel cannot load kernel B and jump into it. Changes nothing.
/// - Parameter release: the running kernel's release.
/// - Returns: a warning if the answer is unknown, because the kernel counts each test; nil if it is certain.
public func checkKexecJump(release: String) throws(Failure) -> String? {
    let operation = "hibernate through", kernel = "a second kernel"
    let permission = KexecPermission(release: release)
    if permission.callsLeft != nil { return try permission.check() }
    switch probeKexecLoad(preservesContext: true) {
    // The kernel reads the segments last, so permission and flags were accepted.
    case ErrorNumber.badAddress: return nil
    case ErrorNumber.notImplemented:
        throw Failure(
            operation, kernel, "the running kernel has no kexec_load(2)",
            remedy: "boot one with CONFIG_KEXEC and CONFIG_KEXEC_JUMP")
    case ErrorNumber.invalid:
        throw Failure(
            operation, kernel, "the running kernel does not support KEXEC_PRESERVE_CONTEXT",
            remedy: "boot one with CONFIG_KEXEC_JUMP")
    case ErrorNumber.notPermitted:
        if effectiveUserID() != 0 {
            throw Failure(operation, kernel, "only root may load a kernel", remedy: "run this as root")
        }
        if let lockdown = try? readText("/sys/kernel/security/lockdown"), !lockdown.utf8.starts(with: "[none]".utf8) {
            throw Failure(
                operation, kernel, "the kernel is locked down (\(trimmed(lockdown)))",
                remedy: "boot without lockdown= and with Secure Boot off")
        }
        if let disabled = try? readText("/proc/sys/kernel/kexec_load_disabled"), trimmed(disabled) != "0" {
            throw Failure(
                operation, kernel, "kernel.kexec_load_disabled is set",
                remedy: "reboot without setting it: it cannot be cleared")
        }
        throw Failure(
            operation, kernel, "the kernel refuses kexec_load(2)",
            remedy: "check for kernel lockdown and for a container without CAP_SYS_BOOT")
    case let number: throw Failure(operation, kernel, errorText(number), errno: number)
    }
}
