// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// Writes back what the page cache holds. The corresponding C function is `sync`.
public func syncFileSystems() { sync() }

/// Ends the machine's run, or restarts it. Only returns where the kernel refuses.
/// The corresponding C function is `reboot`.
public func powerOff() { _ = reboot(CInt(bitPattern: UInt32(RB_POWER_OFF))) }
public func restart() { _ = reboot(CInt(bitPattern: UInt32(RB_AUTOBOOT))) }
/// Whether Ctrl-Alt-Del restarts the machine at once, or signals PID 1.
public func setControlAltDelete(restarts: Bool) {
    _ = reboot(restarts ? CInt(bitPattern: UInt32(RB_ENABLE_CAD)) : RB_DISABLE_CAD)
}
/// Stops the CPU for good.
public func halt() { _ = reboot(CInt(bitPattern: UInt32(RB_HALT_SYSTEM))) }

/// Jumps into the kexec image that is loaded. With an image that preserves the context it returns when somebody jumps
/// back (kernel/kexec_core.c, `kernel_kexec`).
public func jumpToLoadedImage() throws(Failure) {
    try retrying("jump to", "the loaded kernel") { torpor_reboot_kexec() }
}

/// One segment for kexec_load(2): `content` goes to the physical addresses `destination`, zeros behind it.
public struct KexecSegment {
    public var content: UnsafeRawBufferPointer
    public var destination: PhysicalRange

    public init(content: UnsafeRawBufferPointer, destination: PhysicalRange) {
        self.content = content
        self.destination = destination
    }
}

/// Flags of kexec_load(2) for this architecture, <linux/kexec.h>.
private let kexecArchitecture = UInt(KEXEC_ARCH_X86_64)

/// Loads segments as the image to jump to, in place of the one loaded before; no segments unload it.
/// - Parameters:
///   - entry: the physical address to jump to.
///   - preservesContext: whether the jump comes back (`KEXEC_PRESERVE_CONTEXT`).
public func loadKexecImage(entry: UInt64, _ segments: [KexecSegment], preservesContext: Bool) throws(Failure) {
    let raw = segments.map {
        kexec_segment(
            buf: $0.content.baseAddress, bufsz: UInt($0.content.count),
            mem: UnsafeRawPointer(bitPattern: UInt($0.destination.lowerBound)), memsz: UInt($0.destination.byteCount))
    }
    let flags = kexecArchitecture | (preservesContext ? UInt(KEXEC_PRESERVE_CONTEXT) : 0)
    try retrying(segments.isEmpty ? "unload" : "load", "the kexec image") {
        torpor_kexec_load(entry, UInt(raw.count), raw, flags)
    }
}

/// What the running kernel answers to a kexec_load(2) that can change nothing, as its segment lies at no address.
///
/// `kexec_load_check` tests permission first, then the flags, then copies the segments (kernel/kexec.c).
/// - Returns: errno: EFAULT where loading is possible, EINVAL where the flag is unknown, EPERM, ENOSYS.
public func probeKexecLoad(preservesContext: Bool) -> CInt {
    let flags = kexecArchitecture | (preservesContext ? UInt(KEXEC_PRESERVE_CONTEXT) : 0)
    _ = torpor_kexec_load(0, 1, nil, flags)
    return torpor_errno()
}
