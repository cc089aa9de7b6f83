// SPDX-License-Identifier: Apache-2.0
import Foundation
import Hibernation
import Testing

@testable import TorporCommand

@Suite struct ReportFileTests {
    private let fixture: CommandFixture

    init() throws { fixture = try CommandFixture() }

    private func write(_ text: String) throws {
        try FileManager.default.createDirectory(at: fixture.reports.folder, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: fixture.reports.folder.appending(path: "report.json"))
    }

    @Test func keepsAReportWithTheVersion() throws {
        #expect(fixture.reports.kept() == nil)
        var report = Report()
        report.outcome = .failed
        report.text = "no space"
        fixture.reports.keep(ReportOutput(report, Findings(), Date(timeIntervalSince1970: 0)))
        let kept = try #require(fixture.reports.kept())
        #expect(kept.outcome == .failed && kept.reason == "no space" && kept.time == "1970-01-01T00:00:00Z")
        let data = try Data(contentsOf: fixture.reports.folder.appending(path: "report.json"))
        let json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(json["version"] as? Int == 1)
    }

    /// As 0.1.0 wrote it, and as the versions between wrote it: `zeroPages` counts free pages as well.
    @Test(arguments: [
        "",
        #""warnings":["w"],"erased":"zeros","copies":[],"#,
    ]) func readsTheReportOfAnEarlierVersion(addition: String) throws {
        try write(
            #"{"outcome":"resumed","time":"2026-11-25T12:00:00Z",\#(addition)"restoreMilliseconds":900,"image":{"chunks":3,"#
                + #""dataPages":512,"zeroPages":70,"storedBytes":1048576,"saveMilliseconds":1700}}"#)
        let kept = try #require(fixture.reports.kept())
        #expect(kept.outcome == .resumed && kept.image.omittedPages == 70 && kept.image.dataPages == 512)
        #expect(kept.image.zeroPages == nil && kept.image.freePages == nil)
        #expect(kept.warnings == (addition.isEmpty ? nil : ["w"]))
        let json = try #require(try fixture.run("status", "--json").json["lastReport"] as? [String: Any])
        let image = try #require(json["image"] as? [String: Any])
        #expect(image["omittedPages"] as? Int == 70 && image["zeroPages"] == nil)
    }

    /// A file that is no report, or of a version that nobody can know, is as good as none.
    @Test(arguments: ["", "{", "[]", #"{"outcome":"frozen","version":9}"#]) func ignoresOtherFiles(text: String) throws
    {
        try write(text)
        #expect(fixture.reports.kept() == nil)
        #expect(fixture.run("status").status == 0)
    }

    @Test func goesWithoutAFolder() throws {
        let file = ReportFile(folder: URL(filePath: "/proc/nowhere/torpor"))
        file.keep(ReportOutput(Report(), Findings(), Date()))
        #expect(file.kept() == nil)
    }
}
