// SPDX-License-Identifier: Apache-2.0
import Basics
import FoundationEssentials
import Hibernation
import MemoryImage

/// How the last hibernation went, both its halves, as JSON and as a sentence.
struct ReportOutput: Codable {
    let outcome: String
    /// When kernel A learned of it.
    let time: String
    let reason: String?
    let image: CountsOutput
    let restoreMilliseconds: UInt64
    /// What was found before the jump and did not keep this system from hibernating.
    var warnings: [String]?
    /// How the image's contents were erased: `discard` or `zeros`; nil if there were none, or they could not be.
    var erased: String?
    /// Why they could not be erased.
    var eraseFailure: String?
    /// Copies of the partition, as a cloned disk has one, with contents of an image; nil if nobody has looked.
    var copies: [String]?

    /// Where it is kept for `torpor status`, until the system ends.
    private static let folder = URL(filePath: "/run/torpor")
    private static let file = folder.appending(path: "report.json")

    init(_ report: Report, _ findings: Findings) {
        switch report.outcome {
        case .none: outcome = "none"
        case .failed: outcome = "failed"
        case .snapshot: outcome = "snapshot"
        case .resumed: outcome = "resumed"
        }
        time = Date().formatted(.iso8601)
        reason = report.text.isEmpty ? nil : report.text
        image = CountsOutput(report.counts)
        restoreMilliseconds = report.restoreMilliseconds
        warnings = findings.warnings.map { $0.description }
    }

    /// A hibernation that failed before the jump.
    init(failure: Failure, _ findings: Findings) {
        outcome = "failed"
        time = Date().formatted(.iso8601)
        reason = torpor.sentence(failure)
        image = CountsOutput(ImageCounts())
        restoreMilliseconds = 0
        warnings = findings.warnings.map { $0.description }
    }

    /// - Parameter size: writes a count of bytes.
    func sentence(_ size: (UInt64) -> String) -> String {
        guard outcome == "snapshot" || outcome == "resumed" else {
            return "not hibernated: \(reason ?? (outcome == "none" ? "there is no report" : "kernel B gave no reason"))"
        }
        var text = "\(outcome): \(size(image.dataPages &* pageSize)) of data in \(size(image.storedBytes))"
        text += ", saved in \(describe(milliseconds: image.saveMilliseconds))"
        if outcome == "resumed" { text += ", restored in \(describe(milliseconds: restoreMilliseconds))" }
        return text
    }

    /// Keeps it for `torpor status`; a system without /run goes without.
    func keep() {
        try? FileManager.default.createDirectory(at: Self.folder, withIntermediateDirectories: true)
        try? JSONEncoder().encode(self).write(to: Self.file, options: .atomic)
    }

    /// What was kept last; nil where this system has not hibernated since it booted.
    static func kept() -> ReportOutput? {
        (try? Data(contentsOf: file)).flatMap { try? JSONDecoder().decode(ReportOutput.self, from: $0) }
    }
}

/// What an image holds, as JSON; sizes in bytes.
struct CountsOutput: Codable {
    let chunks, dataPages, zeroPages, storedBytes, saveMilliseconds: UInt64

    init(_ counts: ImageCounts) {
        chunks = counts.chunks
        dataPages = counts.dataPages
        zeroPages = counts.zeroPages
        storedBytes = counts.storedBytes
        saveMilliseconds = counts.milliseconds
    }
}
