// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import PhysicalMemory

/// The amount of memory that must not be read, for each reason, from /proc/meminfo.
struct UnreadableMemory: Equatable, Sendable {
    private static let balloon = (line: "Balloon", marks: ["NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)"])
    /// The reasons: the line in /proc/meminfo, and the entries of VMCOREINFO that kernel B needs to find the pages.
    private static let reasons: [(line: String, marks: [String])] = [
        ("HardwareCorrupted", ["OFFSET(page.flags)", "NUMBER(PG_hwpoison)"]),
        balloon,
        ("Unaccepted", ["NUMBER(PAGE_UNACCEPTED_MAPCOUNT_VALUE)"]),
    ]

    /// Bytes for each reason.
    private let counts: [UInt64]

    /// Whether a balloon driver may have given memory to the host although /proc/meminfo does not count it. Before Linux 6.16
    /// it has no line for balloons.
    private let hasUncountedBalloon: Bool

    /// - Parameters:
    ///   - table: the text of /proc/meminfo.
    ///   - hasBalloonDriver: whether a loaded driver may have given memory to the host.
    init(memoryInformation table: String, hasBalloonDriver: Bool = false) {
        hasUncountedBalloon = hasBalloonDriver && number("Balloon", in: table) == nil
        counts = UnreadableMemory.reasons.map { reason in
            number(reason.line, in: table).map { $0 < 1 << 50 ? $0 * 1024 : 0 } ?? 0
        }
    }

    /// The running kernel's.
    static func now() throws(Failure) -> UnreadableMemory {
        UnreadableMemory(
            memoryInformation: try readText("/proc/meminfo"), hasBalloonDriver: MemoryTakers.hasUncountedBalloon())
    }

    /// The number of pages that are counted; at least 1 if there may be others.
    var pages: UInt64 { max(counts.reduce(0) { $0 &+ $1 / pageSize }, hasUncountedBalloon ? 1 : 0) }
    /// Whether there may be memory that must not be read.
    var isPossible: Bool { pages > 0 }

    /// Refuses if there are pages that must not be read and the kernel's VMCOREINFO lacks the entries to find them.
    func requireMarks(_ info: VMCoreInfo) throws(Failure) {
        for (count, reason) in zip(counts, UnreadableMemory.reasons) where count > 0 {
            guard let missing = reason.marks.first(where: { info.text($0) == nil }) else { continue }
            throw Failure(
                "hibernate", "",
                "\(describe(bytes: count)) of memory must not be read (\(reason.line) in /proc/meminfo), and kernel B could "
                    + "not find it: the kernel's VMCOREINFO has no \(missing)",
                remedy: "use a newer kernel, or restart the system")
        }
        let balloon = UnreadableMemory.balloon
        if hasUncountedBalloon, let missing = balloon.marks.first(where: { info.text($0) == nil }) {
            throw Failure(
                "hibernate", "",
                "the balloon driver may have given memory to the host, and kernel B could not find it: the kernel's "
                    + "VMCOREINFO has no \(missing)", remedy: "use a newer kernel, or boot this one without that driver"
            )
        }
    }
}

extension MemoryNote {
    /// The running kernel's counts.
    static func now() throws(Failure) -> MemoryNote {
        MemoryNote(free: try FreePageCount.now(), unreadablePages: try UnreadableMemory.now().pages)
    }
}
