// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// Refuses to hibernate if kernel A itself could not read a page below N: it swaps all of them when it jumps.
///
/// - Parameters:
///   - ranges: the backup ranges.
///   - path: a file with 8 bytes of flags for each page frame, /proc/kpageflags (6.12, fs/proc/page.c).
///   - unreadableBits: flags that a page must not have, of <linux/kernel-page-flags.h>.
func requireReadablePages(_ ranges: [PhysicalRange], _ path: String, unreadableBits: UInt64) throws(Failure) {
    let remedy = "restart the system: the kernel takes other pages then"
    guard exists(path) else {
        throw Failure(
            "hibernate", "",
            "some memory must not be read, and without \(path) it cannot be seen whether it is below N",
            remedy: "use a kernel with CONFIG_PROC_PAGE_MONITOR, or restart this one")
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
                "the page at 0x\(hexadecimal(address)) must not be read (a memory error, or a balloon has it), and kernel "
                    + "B would live there",
                remedy: remedy)
        }
    }
}

/// Flags of /proc/kpageflags that pages have which must not be read: memory errors and, unless the hypervisor gives a
/// new page to whoever reads one as virtio-balloon's does, pages of a balloon.
func unreadablePageFlags() -> UInt64 {
    let poisoned: UInt64 = 1 << 19, offline: UInt64 = 1 << 23
    let drivers = [
        "/sys/bus/vmbus/drivers/hv_balloon", "/sys/module/vmw_balloon", "/sys/bus/xen/drivers", "/proc/xen",
    ]
    return drivers.contains { exists($0) } ? poisoned | offline : poisoned
}
