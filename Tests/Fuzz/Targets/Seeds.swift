// SPDX-License-Identifier: Apache-2.0
import Basics
import ELF
import Fixtures

@testable import Hibernation
@testable import Kexec
@testable import MemoryImage
@testable import PhysicalMemory

extension FuzzTarget {
    /// What a fuzzer begins with: inputs that are right.
    public var seeds: [[UInt8]] {
        switch name {
        case "superblock": [Seeds.superblock.encoded()]
        case "boot-files":
            [BootFilesHeader(BootFiles(kernel: [1, 2], initrd: [3], parameters: "no5lvl tsx=on")).encoded()]
        case "initrd": [Seeds.initrd]
        case "index": [Seeds.contiguousIndex]
        case "index-block": [Seeds.indexBlock.encoded()]
        case "index-table": [Seeds.indexTable.encoded()]
        case "description": [Array(Seeds.description.encoded().dropFirst(ImageDescription.magic.count))]
        case "chunk", "chunk-raw": [Codec.none, .lz4, .zstd(level: 1), .xz(level: 0)].compactMap { Seeds.chunk($0) }
        case "payload":
            [Codec.none, .lz4, .zstd(level: 1), .xz(level: 0)].compactMap { codec in
                Seeds.payload(codec).map { [UInt8(codec.number), 4] + $0 }
            }
        case "report": [Seeds.report.encoded()]
        case "elf": [Seeds.core]
        case "vmcoreinfo": [Array(Seeds.vmcoreInfo.utf8)]
        case "page-map": [Seeds.pageMap]
        case "bzimage": [Seeds.kernel]
        case "interrupt-table": [Seeds.interruptTable]
        case "file-system": FileSystemSeed.all
        default: Seeds.texts[name].map { $0.map { Array($0.utf8) } } ?? []
        }
    }
}

private enum Seeds {
    static let pages = (0..<4 * 4096).map { UInt8(truncatingIfNeeded: $0 / 64) }

    static var superblock: Superblock {
        var superblock = Superblock(uuid: .zero, label: "nap", deviceByteCount: 1 << 30)
        superblock.state = .ready
        superblock.codec = .zstd(level: -3)
        superblock.features = .indexBlocks
        superblock.refusals = 2
        superblock.reason = "none"
        return superblock
    }

    /// ACPI's table of a local APIC and a local x2APIC.
    static var interruptTable: [UInt8] {
        Array("APIC".utf8) + [UInt8](repeating: 0, count: 40) + [0, 8, 0, 0, 1, 0, 0, 0]
            + [9, 16, 0, 0, 44, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    }

    static let entries: [ChunkIndex.Entry] = (0..<3).map {
        ChunkIndex.Entry(offset: 1 << 20 + $0 * 8192, byteCount: 8192, dataPages: 4, sequence: $0, headerChecksum: $0)
    }

    static var indexBlock: IndexBlock { IndexBlock(imageUUID: .zero, number: 1, entries: entries) }

    static var indexTable: IndexTable {
        IndexTable(
            imageUUID: .zero,
            rows: (1..<4).map {
                .init(extent: .init(offset: $0 << 20, byteCount: 128 + $0 * 32, checksum: $0), dataPages: $0)
            })
    }

    /// An index of version 1: as a block, with another magic and no number.
    static var contiguousIndex: [UInt8] {
        var bytes = IndexBlock(imageUUID: .zero, number: 0, entries: entries).encoded()
        bytes.put(ContiguousIndex.magic, at: 0)
        return bytes
    }

    static var description: ImageDescription {
        var description = ImageDescription()
        description.host = "host"
        description.kernelRelease = "6.12"
        description.jumpBackEntry = 0x3fac_0123
        description.backupRanges = [0x1000..<0x9f000, 0x10_0000..<0x800_0000]
        description.memoryRanges = description.backupRanges + [0x800_0000..<0x4000_0000]
        description.machine.firmwareMap = [
            FirmwareRange(addresses: 0..<0x9fc00, type: "System RAM")
        ]
        description.backupSources = [0x9000, 0x9001]
        description.vmcoreInfo = Array(vmcoreInfo.utf8)
        description.reportKey = [UInt8](repeating: 7, count: 32)
        description.watchedAreas = [
            WatchedArea(user: "the ext4 on /", device: "UUID=1", deviceByteCount: 1 << 30, bytes: 0..<8 << 20)
        ]
        description.watchedDevices = [
            WatchedDevice(
                user: "the xfs on /x", identity: "UUID=1", byteCount: 1 << 30,
                extents: [0..<8 << 20, 16 << 20..<17 << 20],
                walk: .places, fingerprints: [.init(byteCount: 1 << 30, checksum: 9)])
        ]
        return description
    }

    static func payload(_ codec: Codec) -> [UInt8]? {
        if codec == .none { return pages }
        let output = UnsafeMutableRawBufferPointer.allocate(byteCount: pages.count, alignment: 8)
        defer { output.deallocate() }
        let size = pages.withUnsafeBytes { input in
            try? Compressor(codec).compress(input, into: output, limit: pages.count)
        }
        return size.map { Array(output[..<$0]) }
    }

    static func chunk(_ codec: Codec) -> [UInt8]? {
        guard let payload = payload(codec) else { return nil }
        var header = ChunkHeader(
            imageUUID: .zero, sequence: 1, codecNumber: codec.number,
            runs: [
                PageRun(firstFrame: 0x4_0000, count: 3, kind: .data),
                PageRun(firstFrame: 0x4_0010, count: 9, kind: .zero),
                PageRun(firstFrame: 0x4_0020, count: 7, kind: .free),
                PageRun(firstFrame: 0x4_0008, count: 1, kind: .data),
            ], dataPages: 4, zeroPages: 16, payloadOffset: 192, payloadByteCount: payload.count, payloadChecksum: 0)
        header.payloadChecksum = xxh64(payload)
        var bytes = header.encoded().bytes
        bytes += [UInt8](repeating: 0, count: header.payloadOffset - bytes.count) + payload
        return bytes + [UInt8](repeating: 0, count: header.storedByteCount - bytes.count)
    }

    static var report: Report {
        var report = Report()
        report.outcome = .failed
        report.text = "the disk is full"
        return report
    }

    static let vmcoreInfo = """
        OSRELEASE=6.12.0
        SYMBOL(init_top_pgt)=ffffffff81300000
        NUMBER(phys_base)=-16777216
        SIZE(page)=64
        SYMBOL(vmemmap)=ffffea0000000000

        """

    static var core: [UInt8] {
        let header = try? CoreWriter(
            notes: [CoreNote(name: VMCoreInfo.noteName, content: Array(vmcoreInfo.utf8))],
            memory: [0x800_0000..<0x4000_0000])
        return header?.encoded(at: 0) ?? []
    }

    /// A control page, and a list of 136 pages on the page behind it, at 1 GiB.
    static var pageMap: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 8192)
        bytes.put(UInt64(1 << 30 | 2), at: 0x830)
        var entries: [UInt64] = [0x1000 | 1]
        for page in 0..<8 as Range<UInt64> { entries.append((0x5000_0000 + page * 4096) | 8) }
        entries.append(0x10_0000 | 1)
        for page in 8..<136 as Range<UInt64> { entries.append((0x5000_0000 + page * 4096) | 8) }
        entries.append(4)
        for (i, entry) in entries.enumerated() { bytes.put(entry, at: 4096 + i * 8) }
        return bytes
    }

    static var kernel: [UInt8] { SmallKernel.bytes(payloadByteCount: 3 * 512) }

    /// An archive with a list of modules, and behind it the beginning of a rootfs.gz.
    static var initrd: [UInt8] {
        var bytes = archiveEntry("etc/torpor/modules", Array("kernel 6.12.117\n/lib/nvme.ko\n".utf8))
        bytes += archiveEntry("kernel/x86/microcode/GenuineIntel.bin", [1])
        bytes += archiveEntry("TRAILER!!!", [], mode: 0)
        bytes += [UInt8](repeating: 0, count: 512 - bytes.count % 512)
        return bytes + [0x1f, 0x8b, 8, 8, 40, 0, 0, 0, 2, 3] + Array("torpor-rootfs\0".utf8)
            + [UInt8](repeating: 1, count: 16)
    }

    static let texts = [
        "module-list": [
            "kernel 6.12.117-torpor\n/usr/lib/modules/nvme-core.ko multipath=0 io_timeout=30\n/lib/nvme.ko\n"
        ],
        "command-line": [
            "root=/dev/sda2 ro torpor.device=UUID=01234567-89ab-4cde-8f01-23456789abcd torpor.codec=zstd:-7 quiet",
            "kexec_jump_back_entry=0x3fac0123 torpor.session=01234567-89ab-4cde-8f01-23456789abcd torpor.after=return",
            "a=\"b c\" torpor.wait=30 torpor.patience=5 torpor.fallback=shell noresume torpor.debug -- single",
        ],
        "iomem": [
            """
            00000000-00000fff : Reserved
            00001000-0009fbff : System RAM
            00100000-3ffd9fff : System RAM
              01000000-019fffff : Kernel code
            fffc0000-ffffffff : Reserved

            """
        ],
        "ranges": ["\u{2}\u{2}12345678abcd12345678abcd12345678abcd12345678abcd"],
        "tables": [
            "0 2048 linear 8:1 2048\n2048 4096 crypt aes-xts-plain64 :64:logon:k 0 8:2 4096\n",
            "22 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw\n30 22 0:35 /@ /a\\040b rw - btrfs /dev/sdb1 rw\n",
            "Filename Type Size Used Priority\n/dev/sdb1 partition 1000 0 -2\n", "0-3,6", "MemFree:  512 kB\n",
            "128MiB",
            "01234567-89ab-4cde-8f01-23456789abcd", "flags\t\t: fpu la57\n",
        ],
    ]
}
