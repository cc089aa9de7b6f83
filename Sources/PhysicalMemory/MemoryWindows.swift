// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// Windows onto physical memory, shared by workers: bounded page tables, however large the memory is.
///
/// Threads of one process wait for each other's mappings, and each unmapping interrupts all of them: so there are few, and
/// a window stays for whoever comes back to it.
public final class MemoryWindows: Sendable {
    /// Bytes that a window shows, and the alignment of its ends; more only where more is asked for. It takes 32 KiB of page
    /// tables.
    public static let byteCount: UInt64 = 16 << 20

    private let device: MemoryDevice
    /// Addresses that may be shown: whole pages, normalized.
    private let allowed: [PhysicalRange]
    private let limit: Int
    /// The windows that are kept, the oldest first.
    private let kept = Locked<[Window]>([])

    /// - Parameters:
    ///   - allowed: physical addresses that may be shown: whole pages, normalized.
    ///   - limit: how many windows are kept; one more for each view may be in use.
    public init(_ device: MemoryDevice, allowed: [PhysicalRange], limit: Int) {
        self.device = device
        self.allowed = allowed
        self.limit = max(1, limit)
    }

    /// A window that shows physical addresses.
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

/// A range of physical memory, unmapped when neither the windows that are kept nor a view have it any more.
private final class Window: @unchecked Sendable {
    let addresses: PhysicalRange
    private let mapping: Mapping

    init(_ device: MemoryDevice, _ addresses: PhysicalRange) throws(Failure) {
        mapping = try device.map(addresses)
        self.addresses = addresses
    }

    func shows(_ range: PhysicalRange) -> Bool { addresses.contains(range) }

    /// The bytes at physical addresses that it shows.
    func memory(at range: PhysicalRange) -> UnsafeMutableRawBufferPointer {
        let start = Int(range.lowerBound - addresses.lowerBound)
        return UnsafeMutableRawBufferPointer(rebasing: mapping.bytes[start..<start + Int(range.byteCount)])
    }
}

/// One worker's view through the windows.
public struct MemoryView: ~Copyable {
    private let windows: MemoryWindows
    private var window: Window?

    public init(_ windows: MemoryWindows) { self.windows = windows }

    /// The memory at physical addresses; valid until the next call.
    /// - Throws: where any of them is not allowed.
    public mutating func memory(for addresses: PhysicalRange) throws(Failure) -> UnsafeMutableRawBufferPointer {
        if let window, window.shows(addresses) { return window.memory(at: addresses) }
        let window = try windows.window(onto: addresses)
        self.window = window
        return window.memory(at: addresses)
    }
}
