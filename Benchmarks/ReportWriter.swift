// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Writes the results: tables, numbers, charts.
struct ReportWriter {
    let folder: URL
    var comparisons: [Comparison] = []
    var pipeline: [PipelineBenchmark.Row] = []
    /// Bytes of the packed pages.
    var pipelineByteCount = 0
    var growth: [GrowthBenchmark.Row] = []
    var profile: [ProfileBenchmark.Row] = []
    var stock: [StockBenchmark.Way] = []
    var estimates: [EstimateBenchmark.Row] = []

    init(folder: URL) { self.folder = folder }

    private struct Everything: Encodable {
        let machine: [Comparison]
        let pipeline: [PipelineBenchmark.Row]
        let pipelineByteCount: Int
        let growth: [GrowthBenchmark.Row]
        let profile: [ProfileBenchmark.Row]
        let stock: [StockBenchmark.Way]
        let estimates: [EstimateBenchmark.Row]
    }

    private static let figures: [(name: String, unit: String, scale: Double, value: @Sendable (Sample) -> Double)] = [
        ("command → power-off", "s", 1, { $0.save }), ("power-on → running", "s", 1, { $0.resume }),
        ("on disk", "MiB", 1_048_576, { $0.stored }),
    ]

    func write() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(
            Everything(
                machine: comparisons, pipeline: pipeline, pipelineByteCount: pipelineByteCount, growth: growth,
                profile: profile, stock: stock, estimates: estimates)
        ).write(to: folder.appending(path: "report.json"))
        var tables: [String] = []
        if !comparisons.isEmpty { tables.append(machineTable) }
        if !pipeline.isEmpty { tables.append(pipelineTable) }
        if !growth.isEmpty { tables.append(growthTable) }
        if !profile.isEmpty { tables.append(profileTable) }
        if !estimates.isEmpty { tables.append(EstimateBenchmark.table(estimates)) }
        if !stock.isEmpty { tables.append(stockTable) }
        try Data(tables.joined(separator: "\n").utf8).write(to: folder.appending(path: "report.md"))
        for (number, figure) in Self.figures.enumerated() {
            try Data(plot(figure.name, figure.value).utf8).write(to: folder.appending(path: "ratio-\(number + 1).svg"))
        }
    }

    private var machineTable: String {
        var text = """
            # Torpor against the kernel's own hibernation

            One guest, with the same kernel, memory and contents and 2 emulated CPUs, hibernates in turn with Torpor and with
            the kernel. Figures are medians. A ratio is the median of the ratios of the pairs, Torpor's figure divided by the
            kernel's: below 1, Torpor is ahead.

            | memory | contents | peer | pairs | figure | Torpor | kernel | ratio |
            |---|---|---|---:|---|---:|---:|---:|

            """
        for comparison in comparisons {
            for figure in Self.figures {
                let own = median(comparison.torporSamples.map(figure.value)) / figure.scale
                let peer = median(comparison.peerSamples.map(figure.value)) / figure.scale
                text += "| \(comparison.mebibytes) MiB | \(comparison.contents.rawValue) | \(comparison.peer.rawValue) "
                text += "| \(comparison.torporSamples.count) | \(figure.name) "
                text += String(
                    format: "| %.1f %@ | %.1f %@ | %.2f |\n", own, figure.unit, peer, figure.unit,
                    comparison.ratio(figure.value))
            }
        }
        return text
    }

    private var pipelineTable: String {
        let bytes = Double(pipelineByteCount), cpuCount = ProcessInfo.processInfo.activeProcessorCount
        var text = """
            # Packing and unpacking

            The memory of a guest with 1 GiB and 300 MiB mixed, dumped by QEMU, on \(cpuCount) CPUs of this machine, with
            files in memory. MB/s count its non-zero pages, \(pipelineByteCount >> 20) MiB. Torpor and makedumpfile take the
            whole memory, zstd and cp a file of the non-zero pages. The last two columns are the time of a save and a resume
            together with a disk of that speed; the slower of codec and disk counts.

            | | packed | unpacked | size | at 500 MB/s | at 3 GB/s |
            |---|---:|---:|---:|---:|---:|

            """
        for row in pipeline {
            let pack = median(row.packSeconds), unpack = median(row.unpackSeconds), stored = Double(row.storedBytes)
            text += String(format: "| %@ | %.0f MB/s ", row.name, bytes / pack / 1e6)
            if row.unpackSeconds.isEmpty {
                text += String(format: "| – | %.1f MB | – | – |\n", stored / 1e6)
                continue
            }
            func both(_ speed: Double) -> Double { max(pack, stored / speed) + max(unpack, stored / speed) }
            text += String(
                format: "| %.0f MB/s | %.1f MB | %.2f s | %.2f s |\n", bytes / unpack / 1e6, stored / 1e6,
                both(500e6), both(3e9))
        }
        return text
    }

    private var growthTable: String {
        var text = """
            # Growth

            Guests with half of their memory in use and 2 emulated CPUs, \(GrowthBenchmark.times) runs each. Figures are
            medians. Peak memory is the most that the process /init had at once.

            | memory | pages saved/s | stored pages/s | pages restored/s | peak saving | peak restoring |
            |---|---:|---:|---:|---:|---:|

            """
        for row in growth {
            text += String(
                format: "| %d MiB | %.0f | %.0f | %.0f | %.1f MiB | %.1f MiB |\n", row.mebibytes,
                Double(row.pages) / row.saveSeconds, Double(row.dataPages) / row.saveSeconds,
                Double(row.pages) / row.restoreSeconds, row.savePeak, row.restorePeak)
        }
        return text
    }

    private var stockTable: String {
        var text = """
            # A Debian guest

            2 GiB, PostgreSQL under load, a kernel with Debian's own configuration, its drivers as modules; UEFI, GRUB, root on
            NVMe, the partition on AHCI; one thread emulates both CPUs. Figures are medians. A ratio is the median of the
            ratios of the runs, a way's figure divided by the first one's.

            | | runs | command → power-off | ratio | power-on → running | ratio |
            |---|---:|---:|---:|---:|---:|

            """
        for way in stock {
            let pairs = Array(zip(way.samples, stock[0].samples))
            text += String(
                format: "| %@ | %d | %.1f s | %.2f | %.1f s | %.2f |\n", way.name, way.samples.count,
                median(way.samples.map(\.save)), median(pairs.map { $0.0.save / $0.1.save }),
                median(way.samples.map(\.resume)), median(pairs.map { $0.0.resume / $0.1.resume }))
        }
        return text
    }

    private var profileTable: String {
        var text = """
            # CPU profile

            The two emulated CPUs of a guest with 1 GiB and 300 MiB mixed, during the steps that save and restore pages:
            program counters from QEMU's monitor, some hundred samples a second.

            | stage | function | share |
            |---|---|---:|

            """
        for row in profile {
            text += "| \(row.stage) | \(row.function) | " + String(format: "%.0f %% |\n", row.share * 100)
        }
        return text
    }

    /// A bar for each comparison, with a line at 1.
    private func plot(_ name: String, _ value: (Sample) -> Double) -> String {
        let height = 24, left = 300, unit = 240.0
        var svg = """
            <svg xmlns="http://www.w3.org/2000/svg" width="860" height="\(comparisons.count * height + 50)" \
            font-family="sans-serif" font-size="13">
            <text x="10" y="20" font-weight="bold">\(name): Torpor divided by the kernel</text>

            """
        for (row, comparison) in comparisons.enumerated() {
            let ratio = comparison.ratio(value), y = 34 + row * height
            let label = "\(comparison.mebibytes) MiB, \(comparison.contents.rawValue), \(comparison.peer.rawValue)"
            svg += "<text x=\"10\" y=\"\(y + 14)\">\(label)</text>\n"
            svg += "<rect x=\"\(left)\" y=\"\(y)\" height=\"18\" fill=\"\(ratio <= 1 ? "#2a7" : "#c52")\" "
            svg += String(format: "width=\"%.0f\"/>", min(ratio, 2) * unit)
            svg += String(
                format: "<text x=\"%.0f\" y=\"%d\">%.2f</text>\n", Double(left) + min(ratio, 2) * unit + 6, y + 14,
                ratio)
        }
        let x = Double(left) + unit
        svg += String(
            format: "<line x1=\"%.0f\" x2=\"%.0f\" y1=\"28\" y2=\"%d\" stroke=\"#333\"/>\n", x, x,
            comparisons.count * height + 40)
        return svg + "</svg>\n"
    }
}
