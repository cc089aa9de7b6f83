// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines
import MemoryImage

/// `make bench`: compares Torpor with the kernel's own hibernation, in the same machine with the same memory; compares the
/// pipeline with other programs; measures the growth with the memory; profiles the CPUs; compares estimates with what happens.
///
/// TORPOR_BENCH_PARTS names the parts to run, of `pipeline growth profile estimate machine stock`; without it, `stock` runs if
/// `make stock` has made its guest. TORPOR_BENCH_PAIRS is the number of pairs of each comparison, and of estimates up to three.
/// TORPOR_BENCH_QUICK skips all machines except the two of the targets, and estimates once. TORPOR_BENCH_CODEC is Torpor's
/// codec in the machines, if not the default. TORPOR_BENCH_CPU adds features to QEMU's CPU model `max` for both sides, such
/// as `erms=off`.
@main
struct Benchmark {
    private enum Part: String, CaseIterable { case pipeline, growth, profile, estimate, machine, stock }

    static func main() {
        do { try run() } catch {
            FileHandle.standardError.write(Data("bench: \(error)\n".utf8))
            exit(1)
        }
    }

    private static func run() throws {
        let environment = ProcessInfo.processInfo.environment
        let pairs = Int(environment["TORPOR_BENCH_PAIRS"] ?? "5") ?? 0
        guard pairs > 0 else { throw Machine.Failed(description: "TORPOR_BENCH_PAIRS must be a number of pairs") }
        let isQuick = environment["TORPOR_BENCH_QUICK"] != nil
        let codec = try environment["TORPOR_BENCH_CODEC"].map { try Codec(parsing: $0) } ?? .standard
        let parts =
            try environment["TORPOR_BENCH_PARTS"]?.split(separator: " ").map { name in
                guard let part = Part(rawValue: String(name)) else {
                    let known = Part.allCases.map(\.rawValue).joined(separator: ", ")
                    throw Machine.Failed(description: "TORPOR_BENCH_PARTS names \(name): the parts are \(known)")
                }
                return part
            } ?? Part.allCases.filter { $0 != .stock || DebianGuest.isThere }
        let lab = try Lab("bench")
        let disk = try ContentsDisk(lab)
        // Written after each step, so that an interrupted run has a report as well.
        var report = ReportWriter(folder: Products.folder.appending(path: "bench"))

        for part in Part.allCases where parts.contains(part) {
            switch part {
            case .pipeline:
                let pipeline = try PipelineBenchmark(GuestCore(lab, .mixed, from: disk, mebibytes: 1024))
                defer { pipeline.removeFiles() }
                report.pipelineByteCount = pipeline.byteCount
                report.pipeline = try pipeline.run(times: pairs) { log($0) }
                try report.write()
            case .growth:
                let benchmark = GrowthBenchmark(lab: lab, contents: disk)
                for mebibytes in [512, 1024, 2048, 4096, 8192] {
                    let row = try benchmark.run(mebibytes: mebibytes)
                    log("bench: \(mebibytes) MiB: saved in \(row.saveSeconds) s, restored in \(row.restoreSeconds) s")
                    report.growth.append(row)
                    try report.write()
                }
            case .profile:
                guard FileManager.default.fileExists(atPath: Products.symbols.path) else {
                    log("bench: no profile: the kernel that TORPOR_TEST_KERNEL names has no symbol table")
                    continue
                }
                report.profile = try ProfileBenchmark(lab: lab, contents: disk, codec: codec).run()
                try report.write()
            case .estimate:
                let times = isQuick ? 1 : min(pairs, 3)
                for guest in EstimateBenchmark.guests {
                    report.estimates.append(try EstimateBenchmark(lab: lab, contents: disk).run(guest, times: times))
                    log("bench: estimated \(guest.name)")
                    try report.write()
                }
            case .stock:
                report.stock = try StockBenchmark().run(times: pairs) { log($0) }
                try report.write()
            case .machine:
                let benchmark = MachineBenchmark(
                    lab: lab, contents: disk, codec: codec, cpuFeatures: environment["TORPOR_BENCH_CPU"] ?? "")
                for guest in guests(isQuick: isQuick) {
                    report.comparisons += try compare(guest, benchmark, pairs: pairs)
                    try report.write()
                }
            }
        }
    }

    /// A machine, and the hibernations to compare Torpor with.
    private struct Guest {
        var mebibytes: Int
        var contents: Contents
        var peers: [Hibernator]
    }

    private static func guests(isQuick: Bool) -> [Guest] {
        if isQuick {
            return [
                Guest(mebibytes: 1024, contents: .mixed, peers: [.kernelLZO]),
                Guest(mebibytes: 4096, contents: .gibibyte, peers: [.kernelLZO]),
            ]
        }
        return [1024, 2048, 4096].flatMap { mebibytes in
            Contents.cases(memory: mebibytes).map { contents in
                Guest(mebibytes: mebibytes, contents: contents, peers: [.kernelLZO, .kernelLZ4])
            }
        }
    }

    /// Runs Torpor and its peers in turn. Each run of Torpor makes a pair with the next run of each peer.
    private static func compare(
        _ guest: Guest, _ benchmark: MachineBenchmark, pairs: Int
    ) throws -> [Comparison] {
        var comparisons = guest.peers.map { Comparison(guest.mebibytes, guest.contents, $0) }
        for _ in 0..<pairs {
            let own = try benchmark.run(.torpor, guest.contents, mebibytes: guest.mebibytes)
            for number in comparisons.indices {
                comparisons[number].torporSamples.append(own)
                comparisons[number].peerSamples.append(
                    try benchmark.run(guest.peers[number], guest.contents, mebibytes: guest.mebibytes))
            }
        }
        for comparison in comparisons {
            log(
                String(
                    format: "bench: %d MiB, %@, against %@: power-off %.2f, resume %.2f, disk %.2f",
                    comparison.mebibytes, comparison.contents.rawValue, comparison.peer.rawValue,
                    comparison.ratio { $0.save }, comparison.ratio { $0.resume }, comparison.ratio { $0.stored }))
        }
        return comparisons
    }

    private static func log(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }
}
