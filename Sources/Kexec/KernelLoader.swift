// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

extension LoadPlan {
    /// Loads kernel B as the running kernel's kexec image, in place of one loaded before.
    ///
    /// - Parameter preservesContext: whether the jump into it can come back.
    /// - Throws: what the kernel answers, with the reason as far as errno tells one from the other.
    public func load(preservesContext: Bool) throws(Failure) {
        var kexecSegments: [KexecSegment] = []
        // The segments' contents lie one behind the other here.
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
            let size = describe(bytes: segments.byteCount)
            switch error.errno {
            case ErrorNumber.outOfMemory:
                throw Failure(
                    "load", "kernel B", "the kernel has not \(size) of free memory for the backup",
                    remedy: "end programs, or use a smaller --backup-end", errno: ErrorNumber.outOfMemory)
            case ErrorNumber.invalid:
                throw Failure(
                    "load", "kernel B", "its \(size) are more than half of the memory",
                    remedy: "use a smaller --backup-end", errno: ErrorNumber.invalid)
            default: throw error
            }
        }
    }

    /// The part of a segment that has contents: from its beginning as far as its last piece reaches.
    private func contentRange(of segment: PhysicalRange) -> PhysicalRange {
        let ends = pieces.map { $0.addresses.upperBound }
        let last = ends.filter { segment.lowerBound < $0 && $0 <= segment.upperBound }.max()
        return segment.lowerBound..<(last ?? segment.lowerBound)
    }
}

/// Whether the running kernel can load and jump into kernel B; nothing is changed by the question.
/// - Parameter release: the running kernel's.
/// - Returns: what could not be known without being counted, as a sentence; nil if all is known.
public func checkKexecJump(release: String) throws(Failure) -> String? {
    let what = "hibernate through", kernel = "a second kernel"
    let permission = KexecPermission(release: release)
    if permission.callsLeft != nil { return try permission.check() }
    switch probeKexecLoad(preservesContext: true) {
    // The segments are looked at last: permission and flags were in order.
    case ErrorNumber.badAddress: return nil
    case ErrorNumber.notImplemented:
        throw Failure(
            what, kernel, "the running kernel has no kexec_load",
            remedy: "use one with CONFIG_KEXEC and CONFIG_KEXEC_JUMP")
    case ErrorNumber.invalid:
        throw Failure(
            what, kernel, "the running kernel cannot come back from a jump", remedy: "use one with CONFIG_KEXEC_JUMP")
    case ErrorNumber.notPermitted:
        if effectiveUserID() != 0 { throw Failure(what, kernel, "only root may do that", remedy: "run this as root") }
        if let lockdown = try? readText("/sys/kernel/security/lockdown"), !lockdown.utf8.starts(with: "[none]".utf8) {
            throw Failure(
                what, kernel, "the kernel is locked down (\(trimmed(lockdown)))",
                remedy: "boot without lockdown= and with Secure Boot off")
        }
        if let disabled = try? readText("/proc/sys/kernel/kexec_load_disabled"), trimmed(disabled) != "0" {
            throw Failure(
                what, kernel, "kernel.kexec_load_disabled is set",
                remedy: "boot again without setting it: it cannot be cleared")
        }
        throw Failure(
            what, kernel, "the kernel does not permit it",
            remedy: "look for lockdown= and for a container without CAP_SYS_BOOT")
    case let number: throw Failure(what, kernel, errorText(number), errno: number)
    }
}
