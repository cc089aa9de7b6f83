// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines

/// Measures saves and resumes with growing memory, half of which is in use.
struct GrowthBenchmark {
    let lab: Lab
    let contents: ContentsDisk

    /// The results for one size.
    struct Row: Codable {
        var mebibytes: Int
        /// All pages of memory, and the stored pages among them.
        var pages = 0
        var dataPages = 0
        var saveSeconds = 0.0
        var restoreSeconds = 0.0
        /// Peak memory of /init in kernel B and in kernel C, in mebibytes.
        var savePeak = 0.0
        var restorePeak = 0.0
    }

    private struct Report: Decodable {
        struct Image: Decodable {
            let dataPages, omittedPages, saveMilliseconds: Int
        }
        let image: Image
        let restoreMilliseconds: Int
    }

    /// Runs of each size. The kernel counts the memory of a process per CPU and reports it with a precision of half a
    /// mebibyte (include/linux/mm.h, `get_mm_counter`), so one run says little about tenths.
    static let times = 3

    /// Returns the medians of the runs.
    func run(mebibytes memory: Int) throws -> Row {
        let runs = try (0..<Self.times).map { _ in try runOnce(mebibytes: memory) }
        var row = runs[0]
        row.dataPages = Int(median(runs.map { Double($0.dataPages) }))
        row.saveSeconds = median(runs.map(\.saveSeconds))
        row.restoreSeconds = median(runs.map(\.restoreSeconds))
        row.savePeak = median(runs.map(\.savePeak))
        row.restorePeak = median(runs.map(\.restorePeak))
        return row
    }

    private func runOnce(mebibytes memory: Int) throws -> Row {
        let disk = try lab.disk("disk", UInt64(memory) << 20)
        let fill = "left=\(memory / 2)\n" + Contents.fillFromDisk
        var a = try lab.kernelA(
            "a", disks: [disk, contents.image],
            fill + """
                expect format torpor format /dev/vda
                hibernate --json --backup-end \(MachineBenchmark.backupEnd) --append torpor.debug >/tmp/report ||
                    fail "torpor hibernate: $(cat /tmp/report)"
                say "report $(cat /tmp/report | tr -d '\\n')"
                """)
        a.memory = "\(memory)M"
        a.timeout = 900
        let saved = try lab.run(a)
        let resumed = try lab.run(lab.kernelC("c", like: a, "torpor.debug", backupEnd: MachineBenchmark.backupEnd))
        guard let text = resumed.verdicts("report").first, let savePeak = peak(saved), let restorePeak = peak(resumed)
        else {
            throw Machine.Failed(description: "the guest did not come back; the consoles are in \(lab.folder.path)")
        }
        let report = try JSONDecoder().decode(Report.self, from: Data(text.utf8))
        return Row(
            mebibytes: memory, pages: report.image.dataPages + report.image.omittedPages,
            dataPages: report.image.dataPages, saveSeconds: Double(report.image.saveMilliseconds) / 1000,
            restoreSeconds: Double(report.restoreMilliseconds) / 1000, savePeak: savePeak, restorePeak: restorePeak)
    }

    /// The peak memory of /init on the console, in mebibytes.
    private func peak(_ result: Machine.Result) -> Double? {
        result.console.firstMatch(of: /torpor: peak memory ([0-9.]+) MiB/).flatMap { Double($0.1) }
    }
}
