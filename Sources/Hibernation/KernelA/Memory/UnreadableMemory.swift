// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import PhysicalMemory

/// Memory that must not be read, by the reason, as /proc/meminfo has it; bytes.
struct UnreadableMemory: Equatable, Sendable {
    private static let balloon = (line: "Balloon", marks: ["NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)"])
    /// Each with the line of /proc/meminfo and what VMCOREINFO must have for kernel B to see which pages they are.
    private static let reasons: [(line: String, marks: [String])] = [
        ("HardwareCorrupted", ["OFFSET(page.flags)", "NUMBER(PG_hwpoison)"]),
        balloon,
        ("Unaccepted", ["NUMBER(PAGE_UNACCEPTED_MAPCOUNT_VALUE)"]),
    ]

    /// Bytes for each reason.
    private let counts: [UInt64]

    /// Whether a balloon's driver may have given memory away although /proc/meminfo has no line for it: before Linux 6.16 it
    /// has none.
    private let hasSilentBalloon: Bool

    /// - Parameters:
    ///   - table: the text of /proc/meminfo.
    ///   - hasBalloonDriver: whether there is a driver that keeps memory from this kernel.
    init(memoryInformation table: String, hasBalloonDriver: Bool = false) {
        hasSilentBalloon = hasBalloonDriver && number("Balloon", in: table) == nil
        counts = UnreadableMemory.reasons.map { reason in
            number(reason.line, in: table).map { $0 < 1 << 50 ? $0 * 1024 : 0 } ?? 0
        }
    }

    static func now() throws(Failure) -> UnreadableMemory {
        UnreadableMemory(
            memoryInformation: try readText("/proc/meminfo"), hasBalloonDriver: MemoryTakers.hasSilentBalloon())
    }

    /// Pages, as far as they are counted; at least 1 if there may be some.
    var pages: UInt64 { max(counts.reduce(0) { $0 &+ $1 / pageSize }, hasSilentBalloon ? 1 : 0) }
    /// Whether there may be such memory.
    var isPossible: Bool { pages > 0 }

    /// Refuses a kernel whose VMCOREINFO does not tell which pages must not be read, if it has such pages.
    func requireMarks(_ info: VMCoreInfo) throws(Failure) {
        for (count, reason) in zip(counts, UnreadableMemory.reasons) where count > 0 {
            guard let missing = reason.marks.first(where: { info.text($0) == nil }) else { continue }
            throw Failure(
                "hibernate", "",
                "\(describe(bytes: count)) of memory must not be read (\(reason.line) in /proc/meminfo), and the "
                    + "kernel's VMCOREINFO has no \(missing) to find it by",
                remedy: "use a newer kernel, or restart this one")
        }
        let balloon = UnreadableMemory.balloon
        if hasSilentBalloon, let missing = balloon.marks.first(where: { info.text($0) == nil }) {
            throw Failure(
                "hibernate", "",
                "the host's balloon driver may have given memory away, and the kernel's VMCOREINFO has no \(missing) to "
                    + "find it by", remedy: "use a newer kernel, or boot this one without that driver")
        }
    }
}

extension MemoryNote {
    static func now() throws(Failure) -> MemoryNote {
        MemoryNote(free: try FreePageCount.now(), unreadablePages: try UnreadableMemory.now().pages)
    }
}
