import Foundation
import Machines
import MemoryImage

/// `make bench`: Torpor and the kernel's own hibernation side by side, in the same machine with the same memory; its
/// pipeline beside other programs; and how it grows.
///
/// TORPOR_BENCH_PARTS names the parts to run, of `pipeline growth machine`. TORPOR_BENCH_PAIRS is the number of pairs of
/// each comparison. TORPOR_BENCH_QUICK leaves out of the machines all but the two that the targets are about.
/// TORPOR_BENCH_CODEC is what Torpor compresses with there, where it is not the standard.
@main
struct Benchmark {
    private enum Part: String, CaseIterable { case pipeline, growth, machine }

    static func main() throws {
        let environment = ProcessInfo.processInfo.environment
        let pairs = environment["TORPOR_BENCH_PAIRS"].flatMap { Int($0) } ?? 5
        let isQuick = environment["TORPOR_BENCH_QUICK"] != nil
        let codec = try environment["TORPOR_BENCH_CODEC"].map { try Codec(parsing: $0) } ?? .standard
        let parts = environment["TORPOR_BENCH_PARTS"].map { $0.split(separator: " ").map(String.init) }
        let lab = try Lab("bench")
        let disk = try ContentsDisk(lab)
        // Written after each step, so that a run that is ended early has a report too.
        var report = ReportWriter(folder: Products.folder.appending(path: "bench"))

        for part in Part.allCases where parts?.contains(part.rawValue) ?? true {
            switch part {
            case .pipeline:
                let pipeline = try PipelineBenchmark(GuestCore(lab, .mixed, from: disk, mebibytes: 1024))
                defer { pipeline.removeFiles() }
                report.pipelineByteCount = pipeline.byteCount
                report.pipeline = try pipeline.run(times: pairs) { tell($0) }
                try report.write()
            case .growth:
                let benchmark = GrowthBenchmark(lab: lab, contents: disk)
                for mebibytes in [512, 1024, 2048, 4096, 8192] {
                    let row = try benchmark.run(mebibytes: mebibytes)
                    tell("bench: \(mebibytes) MiB: saved in \(row.saveSeconds) s, restored in \(row.restoreSeconds) s")
                    report.growth.append(row)
                    try report.write()
                }
            case .machine:
                let benchmark = MachineBenchmark(lab: lab, contents: disk, codec: codec)
                for comparison in comparisons(isQuick: isQuick) {
                    report.comparisons.append(try run(comparison, benchmark, pairs: pairs))
                    try report.write()
                }
            }
        }
    }

    private static func comparisons(isQuick: Bool) -> [Comparison] {
        if isQuick {
            return [Comparison(1024, .mixed, .kernelLZO), Comparison(4096, .gibibyte, .kernelLZO)]
        }
        return [1024, 2048, 4096].flatMap { mebibytes in
            Contents.cases(memory: mebibytes).flatMap { contents in
                [Hibernator.kernelLZO, .kernelLZ4].map { Comparison(mebibytes, contents, $0) }
            }
        }
    }

    private static func run(_ comparison: Comparison, _ benchmark: MachineBenchmark, pairs: Int) throws -> Comparison {
        var comparison = comparison
        for _ in 0..<pairs {
            comparison.torporSamples.append(
                try benchmark.run(.torpor, comparison.contents, mebibytes: comparison.mebibytes))
            comparison.peerSamples.append(
                try benchmark.run(comparison.peer, comparison.contents, mebibytes: comparison.mebibytes))
        }
        tell(
            String(
                format: "bench: %d MiB, %@, against %@: power-off %.2f, resume %.2f, disk %.2f", comparison.mebibytes,
                comparison.contents.rawValue, comparison.peer.rawValue, comparison.ratio { $0.save },
                comparison.ratio { $0.resume }, comparison.ratio { $0.stored }))
        return comparison
    }

    private static func tell(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }
}
