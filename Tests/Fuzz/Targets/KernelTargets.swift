// SPDX-License-Identifier: Apache-2.0
import Basics
import ELF

@testable import Hibernation
@testable import Kexec
@testable import PhysicalMemory

/// What comes from other kernels' memory and from files that are loaded.
let kernelTargets: [FuzzTarget] = [
    FuzzTarget("elf") { bytes in
        let table = Array(bytes)
        attempt { () throws(Failure) in
            let count = try CoreReader.tableByteCount(header: table)
            require(count <= 2 << 20, "tables are bounded")
            let core = try CoreReader(table: table)
            require(core.segments.count <= 4096 && core.notes.count <= 4096, "program headers are bounded")
            for segment in core.segments { _ = segment.addresses.wholePages }
        }
        attempt { () throws(Failure) in _ = try CoreReader.note(named: VMCoreInfo.noteName, in: table) }
    },
    FuzzTarget("vmcoreinfo") { bytes in
        let info = VMCoreInfo(Array(bytes))
        for name in ["init_top_pgt", "phys_base", "page", "vmemmap"] {
            _ = info.symbol(name)
            _ = info.number(name)
            _ = info.unsigned("SIZE(\(name))")
            _ = info.text(name)
        }
    },
    FuzzTarget("page-map") { bytes in
        // A control page, then the pages that the list may lie on, at 1 GiB and up.
        let backup: [PhysicalRange] = [0x1000..<0x9000, 0x10_0000..<0x18_0000]
        let input = Array(bytes)
        var reads = 0
        attempt { () throws(Failure) in
            let map = try BackupPageMap(controlPage: Array(input.prefix(4096)), backupRanges: backup) {
                (address) throws(Failure) in
                reads += 1
                require(reads < 1 << 16, "the list is not followed for ever")
                guard address >= 1 << 30, address < 1 << 31 else { throw Failure("read", "a page", "there is none") }
                let start = Int(address - 1 << 30) + 4096
                guard start < input.count else { throw Failure("read", "a page", "there is none") }
                let page = input[start..<min(start + 4096, input.count)]
                return Array(page) + [UInt8](repeating: 0, count: 4096 - page.count)
            }
            require(map.sources.count == 136, "a map has all pages of the backup ranges")
            for address: UInt64 in [0, 0x1000, 0x8fff, 0x10_0000, 0x17_ffff, 0x18_0000, .max] {
                _ = map.location(of: address, backupRanges: backup)
            }
        }
    },
    FuzzTarget("interrupt-table") { bytes in
        attempt { () throws(Failure) in
            let count = try enabledProcessorCount(interruptTable: Array(bytes))
            require(count * 8 <= bytes.count, "each CPU has an entry")
        }
    },
    FuzzTarget("bzimage") { bytes in
        attempt { () throws(Failure) in
            let kernel = try BzImage(Array(bytes), path: "input")
            let backup: [PhysicalRange] = [0x1000..<0x9f000, 0x10_0000..<0x800_0000]
            let plan = try LoadPlan(
                KexecPayload(
                    kernel: kernel, initrd: [1, 2, 3], commandLine: "quiet", backupRanges: backup,
                    savedRanges: [0x800_0000..<0x4000_0000], reservedEntries: [],
                    notes: [CoreNote(name: "N", content: [1])], rsdp: 0, ownBootParameters: []))
            for piece in plan.pieces {
                let end = piece.address + UInt64(piece.bytes.count)
                require(backup.covers(piece.address..<end), "what is loaded lies below N")
            }
        }
    },
]
