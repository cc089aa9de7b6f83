// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials

/// The report of the last hibernation, as a file that lasts until the system ends: /run/torpor/report.json.
struct ReportFile {
    let folder: URL

    private var file: URL { folder.appending(path: "report.json") }

    /// Keeps a report in place of the one before. A system without /run keeps none.
    func keep(_ report: ReportOutput) {
        try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try? JSONEncoder().encode(VersionedJSON(report)).write(to: file, options: .atomic)
    }

    /// The report that was kept last, also by an earlier version of Torpor; nil before the first hibernation.
    func kept() -> ReportOutput? {
        (try? Data(contentsOf: file)).flatMap { try? JSONDecoder().decode(ReportOutput.self, from: $0) }
    }
}
