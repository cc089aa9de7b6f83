import Basics
import Linux
import PhysicalMemory

/// What kernel A counts of its own memory just before the jump, for kernel B.
struct MemoryNote: Equatable, Sendable {
    var free: FreePageCount
    /// Pages that must not be read, as far as /proc/meminfo tells.
    var unreadablePages: UInt64
}

/// Memory that must not be read, by the reason, as /proc/meminfo has it; bytes.
struct UnreadableMemory: Equatable, Sendable {
    /// Each with the line of /proc/meminfo and what VMCOREINFO must have for kernel B to see which pages they are.
    private static let reasons: [(line: String, marks: [String])] = [
        ("HardwareCorrupted", ["OFFSET(page.flags)", "NUMBER(PG_hwpoison)"]),
        ("Balloon", ["NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)"]),
        ("Unaccepted", ["NUMBER(PAGE_UNACCEPTED_MAPCOUNT_VALUE)"]),
    ]

    /// Bytes for each reason.
    private let counts: [UInt64]

    /// - Parameter table: the text of /proc/meminfo.
    init(memoryInformation table: String) {
        counts = UnreadableMemory.reasons.map { reason in
            number(reason.line, in: table).map { $0 < 1 << 50 ? $0 * 1024 : 0 } ?? 0
        }
    }

    static func now() throws(Failure) -> UnreadableMemory {
        UnreadableMemory(memoryInformation: try readText("/proc/meminfo"))
    }

    var pages: UInt64 { counts.reduce(0) { $0 &+ $1 / pageSize } }

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
    }
}

extension MemoryNote {
    static func now() throws(Failure) -> MemoryNote {
        MemoryNote(free: try FreePageCount.now(), unreadablePages: try UnreadableMemory.now().pages)
    }
}
