// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// Mapping windows onto physical memory, shared by workers. Their number bounds the size of the page tables, however large the
/// memory is.
///
/// The threads of a process wait for each other in mmap(2) and munmap(2), and each munmap(2) interrupts all of them. So there
/// are few windows, and recent ones stay mapped.
public final class MemoryWindows: Sendable {
    /// The size of a window in bytes, and the alignment of its ends. A window is larger only for a larger request. It takes
    /// 32 KiB of page tables.
    public static let byteCount: UInt64 = 16 << 20

    private let device: MemoryDevice
    /// The addresses that may be mapped: whole pages, normalized.
    private let allowed: [PhysicalRange]
    private let limit: Int
    /// The windows that stay mapped, the oldest first.
    private let kept = Locked<[Window]>([])

    /// - Parameters:
    ///   - allowed: the physical addresses that may be mapped: whole pages, normalized.
    ///   - limit: the number of windows that stay mapped. Each view may use one more.
    public init(_ device: MemoryDevice, allowed: [PhysicalRange], limit: Int) {
        self.device = device
        self.allowed = allowed
        self.limit = max(1, limit)
    }

    /// A window that contains physical addresses.
    fileprivate func window(onto addresses: PhysicalRange) throws(Failure) -> Window {
        try kept.withLock { kept throws(Failure) in
            if let window = kept.first(where: { $0.shows(addresses) }) { return window }
            let window = try Window(device, rangeToShow(addresses))
            if kept.count == limit { kept.removeFirst() }
            kept.append(window)
            return window
        }
    }

    private func rangeToShow(_ addresses: PhysicalRange) throws(Failure) -> PhysicalRange {
        for range in allowed where range.contains(addresses) {
            let start = max(range.lowerBound, addresses.lowerBound / MemoryWindows.byteCount * MemoryWindows.byteCount)
            return start..<min(range.upperBound, max(start + MemoryWindows.byteCount, addresses.upperBound))
        }
        throw Failure(
            "write", "memory at \(hexadecimal(addresses))", "it is not memory that kernel A saved", isFinal: true)
    }
}

/// A mapped range of physical memory. It is unmapped when `MemoryWindows` has dropped it and no view uses it.
///
/// It is `@unchecked Sendable` because the mapping does not change. The workers write to different pages.
private final class Window: @unchecked Sendable {
    let addresses: PhysicalRange
    private let mapping: Mapping

    init(_ device: MemoryDevice, _ addresses: PhysicalRange) throws(Failure) {
        mapping = try device.map(addresses)
        self.addresses = addresses
    }

    func shows(_ range: PhysicalRange) -> Bool { addresses.contains(range) }

    /// The bytes at physical addresses, which must be within the window.
    func memory(at range: PhysicalRange) -> UnsafeMutableRawBufferPointer {
        let start = Int(range.lowerBound - addresses.lowerBound)
        return UnsafeMutableRawBufferPointer(rebasing: mapping.bytes[start..<start + Int(range.byteCount)])
    }
}

/// One worker's access to the windows.
public struct MemoryView: ~Copyable {
    private let windows: MemoryWindows
    private var window: Window?

    public init(_ windows: MemoryWindows) { self.windows = windows }

    /// The memory at physical addresses, valid until the next call.
    /// - Throws: if an address is not allowed.
    public mutating func memory(for addresses: PhysicalRange) throws(Failure) -> UnsafeMutableRawBufferPointer {
        if let window, window.shows(addresses) { return window.memory(at: addresses) }
        let window = try windows.window(onto: addresses)
        self.window = window
        return window.memory(at: addresses)
    }
}
