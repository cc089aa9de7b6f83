// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// Writes all dirty pages of the page cache to the disks. The corresponding C function is `sync`.
public func syncFileSystems() { sync() }

/// Powers the machine off. Returns only if the kernel refuses. The corresponding C function is `reboot`.
public func powerOff() { _ = reboot(CInt(bitPattern: UInt32(RB_POWER_OFF))) }
/// Restarts the machine. Returns only if the kernel refuses. The corresponding C function is `reboot`.
public func restart() { _ = reboot(CInt(bitPattern: UInt32(RB_AUTOBOOT))) }
/// Sets whether Ctrl-Alt-Del restarts the machine at once. Otherwise it sends SIGINT to PID 1.
public func setControlAltDelete(restarts: Bool) {
    _ = reboot(restarts ? CInt(bitPattern: UInt32(RB_ENABLE_CAD)) : RB_DISABLE_CAD)
}
/// Halts the machine.
public func halt() { _ = reboot(CInt(bitPattern: UInt32(RB_HALT_SYSTEM))) }

/// Jumps into the loaded kexec image. If the image preserves the context, this returns when that kernel jumps back
/// (kernel/kexec_core.c, `kernel_kexec`).
public func jumpToLoadedImage() throws(Failure) {
    try retrying("jump to", "the loaded kernel") { torpor_reboot_kexec() }
}

/// One segment for kexec_load(2): the kernel copies `content` to the physical addresses `destination` and fills the rest with
/// zeros.
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

/// Loads segments as the kexec image, in place of the image loaded before. No segments unload that image.
/// - Parameters:
///   - entry: the physical address to jump to.
///   - preservesContext: whether the loaded kernel can jump back (`KEXEC_PRESERVE_CONTEXT`).
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

/// Calls kexec_load(2) with an invalid pointer to its segments, so that it changes nothing.
///
/// `kexec_load_check` tests the permission, then the flags; only then the kernel copies the segments (kernel/kexec.c).
/// - Returns: errno: EFAULT if loading is possible, EINVAL if the flag is unknown, EPERM, ENOSYS.
public func probeKexecLoad(preservesContext: Bool) -> CInt {
    let flags = kexecArchitecture | (preservesContext ? UInt(KEXEC_PRESERVE_CONTEXT) : 0)
    _ = torpor_kexec_load(0, 1, nil, flags)
    return torpor_errno()
}
