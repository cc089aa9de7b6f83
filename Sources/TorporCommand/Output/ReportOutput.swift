// SPDX-License-Identifier: Apache-2.0
import Basics
import FoundationEssentials
import Hibernation
import MemoryImage

/// How a hibernation went, with both halves, as JSON and as a sentence.
struct ReportOutput: Codable {
    let outcome: Outcome
    /// When kernel A got the report.
    let time: String
    let reason: String?
    let image: CountsOutput
    let restoreMilliseconds: UInt64
    /// Warnings from the checks before the jump.
    var warnings: [String]?
    /// How the image's contents were erased: `discard` or `zeros`; nil if there were none, or erasing failed.
    var erased: String?
    /// Why the contents could not be erased.
    var eraseFailure: String?
    /// Other partitions that hold a copy of the image, as a cloned disk has one; nil if nobody has looked.
    var copies: [String]?

    /// The time before the first page is saved, as this hibernation took it, or the last one that told it.
    var overheadMilliseconds: UInt64?
    /// What a hibernation would take; nil if this was no rehearsal.
    var estimate: EstimateOutput?

    enum Outcome: String, Codable { case none, failed, snapshot, resumed, rehearsed }

    init(_ report: Report, _ findings: Findings, _ time: Date) {
        outcome =
            switch report.outcome {
            case .none: .none
            case .failed: .failed
            case .snapshot: .snapshot
            case .resumed: .resumed
            case .rehearsed: .rehearsed
            }
        self.time = time.formatted(.iso8601)
        reason = report.text.isEmpty ? nil : report.text
        // The report's page does not tell free pages from pages of zeros.
        image = CountsOutput(report.counts, tellsFreePages: false)
        restoreMilliseconds = report.restoreMilliseconds
        warnings = findings.warnings.map { $0.description }
    }

    /// The report of a hibernation that failed before the jump.
    init(failure: String, _ findings: Findings, _ time: Date) {
        outcome = .failed
        self.time = time.formatted(.iso8601)
        reason = failure
        image = CountsOutput(ImageCounts(), tellsFreePages: false)
        restoreMilliseconds = 0
        warnings = findings.warnings.map { $0.description }
    }

    /// Kernel B tells the time only if it jumps back. After a resume, the time of the hibernation before still holds.
    mutating func keepOverhead(of report: Report, _ before: ReportOutput?) {
        overheadMilliseconds = report.overheadMilliseconds ?? before?.overheadMilliseconds
    }

    /// The report in one line.
    /// - Parameter size: writes a number of bytes.
    func sentence(_ size: (UInt64) -> String) -> String {
        switch outcome {
        case .none: return "failed: \(reason ?? "no report arrived")"
        case .failed: return "failed: \(reason ?? "kernel B gave no reason")"
        case .rehearsed: return rehearsalSentence(size)
        case .snapshot, .resumed:
            var text = "\(outcome.rawValue): \(size(image.dataPages &* pageSize)) of data"
            text += ", \(size(image.storedBytes)) on disk, saved in \(describe(milliseconds: image.saveMilliseconds))"
            if outcome == .resumed { text += ", restored in \(describe(milliseconds: restoreMilliseconds))" }
            return text
        }
    }

    /// The report for the kernel's log, where nothing around the line tells what it is about.
    func logLine(_ size: (UInt64) -> String) -> String {
        switch outcome {
        case .none, .failed: "hibernation \(sentence(size))"
        case .snapshot, .resumed, .rehearsed: sentence(size)
        }
    }

    private func rehearsalSentence(_ size: (UInt64) -> String) -> String {
        var text =
            "rehearsed: kernel B started, found its disk, and would save \(size(image.dataPages &* pageSize)) of data in "
        text += "\(size(image.storedBytes)) on disk"
        guard let estimate else { return text }
        text += "; hibernating would take about \(describe(milliseconds: estimate.hibernateMilliseconds))"
        if let overheadMilliseconds {
            text += " (\(describe(milliseconds: overheadMilliseconds)) of it until kernel B saves)"
        }
        text += ", resuming about \(describe(milliseconds: estimate.resumeMilliseconds)) and the start of kernel C"
        if estimate.writeBytesPerSecond == nil { text += ", both without the time of the disk" }
        return text
    }
}
