import Foundation
import Machines

/// `make bench`: Torpor and the kernel's own hibernation side by side, in the same machine with the same memory.
///
/// TORPOR_BENCH_PAIRS is the number of pairs of each comparison, TORPOR_BENCH_QUICK leaves out all but 1 GiB against LZO.
@main
struct Benchmark {
    static func main() throws {
        let environment = ProcessInfo.processInfo.environment
        let pairs = environment["TORPOR_BENCH_PAIRS"].flatMap { Int($0) } ?? 5
        let isQuick = environment["TORPOR_BENCH_QUICK"] != nil
        let lab = try Lab("bench")
        let report = Products.folder.appending(path: "bench")
        let benchmark = MachineBenchmark(lab: lab, text: try text(lab))
        let image = try benchmark.image(.mixed, mebibytes: 1024)
        let pipeline = try PipelineBenchmark(image: image)
        defer { pipeline.removeFiles() }
        let rows = try pipeline.run(times: pairs) { FileHandle.standardOutput.write(Data("\($0)\n".utf8)) }
        var comparisons: [Comparison] = []
        for mebibytes in isQuick ? [1024] : [1024, 2048, 4096] {
            for contents in Contents.allCases {
                for peer in isQuick ? [Hibernator.kernelLZO] : [.kernelLZO, .kernelLZ4] {
                    var comparison = Comparison(
                        mebibytes: mebibytes, contents: contents, peer: peer, torporSamples: [], peerSamples: [])
                    for _ in 0..<pairs {
                        comparison.torporSamples.append(try benchmark.run(.torpor, contents, mebibytes: mebibytes))
                        comparison.peerSamples.append(try benchmark.run(peer, contents, mebibytes: mebibytes))
                    }
                    comparisons.append(comparison)
                    tell(comparison)
                    // After each, so that a run that is ended early has a report too.
                    try ReportWriter(
                        folder: report, comparisons: comparisons, pipeline: rows, pipelineByteCount: pipeline.byteCount
                    ).write()
                }
            }
        }
    }

    private static func tell(_ comparison: Comparison) {
        let line = String(
            format: "bench: %d MiB, %@, against %@: power-off %.2f, resume %.2f, disk %.2f\n", comparison.mebibytes,
            comparison.contents.rawValue, comparison.peer.rawValue, comparison.ratio { $0.save },
            comparison.ratio { $0.resume }, comparison.ratio { $0.stored })
        FileHandle.standardOutput.write(Data(line.utf8))
    }

    /// A disk with text: words in an order that is the same in every run.
    private static func text(_ lab: Lab) throws -> URL {
        let words = (0..<2000).map { String($0 &* 2_654_435_761 % 1_000_003, radix: 26) }
        var state: UInt64 = 1
        var text = Data()
        let size = MachineBenchmark.textMebibytes << 20
        text.reserveCapacity(size + 16)
        while text.count < size {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            text.append(contentsOf: words[Int(state >> 33) % words.count].utf8)
            text.append(state >> 60 == 0 ? 10 : 32)
        }
        let file = lab.folder.appending(path: "text.img")
        try text.prefix(size).write(to: file)
        return file
    }
}
