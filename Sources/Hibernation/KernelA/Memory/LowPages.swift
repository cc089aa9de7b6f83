// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// Refuses if a page below N must not be read: kernel A swaps all pages below N when it jumps.
///
/// - Parameters:
///   - ranges: the backup ranges.
///   - path: /proc/kpageflags, a file with 8 bytes of flags for each page frame (6.12, fs/proc/page.c).
///   - unreadableBits: the flags of pages that must not be read (<linux/kernel-page-flags.h>).
func requireReadablePages(_ ranges: [PhysicalRange], _ path: String, unreadableBits: UInt64) throws(Failure) {
    let remedy = "restart the system: the page may be usable then"
    guard exists(path) else {
        throw Failure(
            "hibernate", "",
            "some memory must not be read, and without \(path) torpor cannot check whether kernel B would use it",
            remedy: "use a kernel with CONFIG_PROC_PAGE_MONITOR, or restart the system")
    }
    let file = try File(path)
    for range in ranges {
        var flags = [UInt8](repeating: 0, count: Int(range.byteCount / pageSize) * 8)
        var failure: Failure?
        flags.withUnsafeMutableBytes { buffer in
            do throws(Failure) { try file.read(into: buffer, at: range.lowerBound / pageSize * 8) } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        for number in 0..<flags.count / 8
        where try flags.span.bytes.integer(at: number * 8, as: UInt64.self) & unreadableBits != 0 {
            let address = range.lowerBound + UInt64(number) * pageSize
            throw Failure(
                "hibernate", "",
                "the page at 0x\(hexadecimal(address)) must not be read (it has a memory error, or a balloon driver has "
                    + "taken it), and kernel B would use it",
                remedy: remedy)
        }
    }
}

/// The flags in /proc/kpageflags of pages that must not be read: pages with a memory error and pages of a balloon. Pages of
/// virtio-balloon may be read, because its hypervisor provides a new page on a read.
func unreadablePageFlags() -> UInt64 {
    let poisoned: UInt64 = 1 << 19, offline: UInt64 = 1 << 23
    let drivers = [
        "/sys/bus/vmbus/drivers/hv_balloon", "/sys/module/vmw_balloon", "/sys/bus/xen/drivers", "/proc/xen",
    ]
    return drivers.contains { exists($0) } ? poisoned | offline : poisoned
}
