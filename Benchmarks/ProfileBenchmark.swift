// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines
import MemoryImage

/// Profiles the CPUs while kernel B saves and kernel C restores the pages of a guest with 1 GiB and 300 MiB mixed.
struct ProfileBenchmark {
    let lab: Lab
    let contents: ContentsDisk
    let codec: Codec

    /// A function and its share of all samples.
    struct Row: Codable {
        var stage: String
        var function: String
        var share: Double
    }

    /// Functions with a smaller share are added up.
    private static let leastShare = 0.02
    /// The first address of the kernel's code; arch/x86/include/asm/page_64_types.h, `__START_KERNEL_map`.
    private static let kernelStart: UInt64 = 0xffff_ffff_8000_0000

    func run() throws -> [Row] {
        let memory = 1024
        var a = try lab.kernelA(
            "a", disks: [try lab.disk("disk", UInt64(memory) << 21), contents.image],
            Contents.mixed.script(memory: memory) + """
                expect format torpor format /dev/vda
                hibernate --backup-end \(MachineBenchmark.backupEnd) --codec \(codec) --append torpor.debug >/tmp/report ||
                    fail "torpor hibernate"
                """)
        a.memory = "\(memory)M"
        let saving = try sampled(a, "kernel B: pages", from: "torpor: begin: ")
        // Without nokaslr the symbol table would not fit kernel C. Kernel B always has it.
        let c = lab.kernelC("c", like: a, "nokaslr torpor.debug", backupEnd: MachineBenchmark.backupEnd)
        return saving + (try sampled(c, "kernel C: pages", from: "torpor: attempt: "))
    }

    private func sampled(_ machine: Machine, _ stage: String, from start: String) throws -> [Row] {
        var samples: [UInt64?] = []
        var machine = machine
        machine.sampling = Machine.Sampling(from: start, to: "torpor: pages: ") { samples += $0 }
        try lab.run(machine).requireNoFailure()
        let kernel = SymbolTable(try String(contentsOf: Products.symbols, encoding: .utf8))
        let program = SymbolTable(try Tool.run("/usr/bin/nm", Products.linkedInit.path))
        var counts: [String: Int] = [:]
        for sample in samples {
            guard let sample else {
                counts["idle", default: 0] += 1
                continue
            }
            let isKernel = sample >= Self.kernelStart
            let name = (isKernel ? kernel : program).name(of: sample)
            counts[(isKernel ? "kernel: " : "/init: ") + name, default: 0] += 1
        }
        var rows: [Row] = []
        var rest = ["/init": 0.0, "kernel": 0.0, "idle": 0.0]
        for (function, count) in counts {
            let share = Double(count) / Double(samples.count)
            if share >= Self.leastShare {
                rows.append(Row(stage: stage, function: function, share: share))
            } else {
                rest[String(function.prefix { $0 != ":" }), default: 0] += share
            }
        }
        rows.sort { ($0.share, $1.function) > ($1.share, $0.function) }
        for (side, share) in rest.sorted(by: { $0.key < $1.key }) where share > 0 {
            let function = side == "idle" ? side : "\(side): everything else"
            rows.append(Row(stage: stage, function: function, share: share))
        }
        return rows
    }
}

/// Functions by their addresses, as nm prints them.
private struct SymbolTable {
    private let symbols: [(address: UInt64, name: String)]

    init(_ text: String) {
        symbols = text.split(separator: "\n").compactMap { line -> (UInt64, String)? in
            let words = line.split(separator: " ")
            guard words.count == 3, "tTwWi".contains(words[1]), let address = UInt64(words[0], radix: 16) else {
                return nil
            }
            return (address, String(words[2]))
        }.sorted { $0.0 < $1.0 }
    }

    /// The name of the function that contains an address.
    func name(of address: UInt64) -> String {
        var (low, high) = (0, symbols.count)
        while low < high {
            let middle = (low + high) / 2
            if symbols[middle].address <= address { low = middle + 1 } else { high = middle }
        }
        return low > 0 ? symbols[low - 1].name : "unknown"
    }
}
