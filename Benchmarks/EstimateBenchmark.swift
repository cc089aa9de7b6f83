// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines

/// Compares the estimate of `torpor check --estimate`, and that of a rehearsal, with the hibernation that follows.
struct EstimateBenchmark {
    let lab: Lab
    let contents: ContentsDisk

    /// One kind of guest.
    struct Guest {
        var name: String
        var mebibytes = 1024
        var codec = "lz4"
        /// Mebibytes of random data, of zeros, and from the contents disk.
        var random = 0, zeros = 0, disk = 0
        /// The limit of the disk's write speed, in bytes per second; 0 for none.
        var bytesPerSecond = 0
    }

    static let guests = [
        Guest(name: "idle", mebibytes: 512),
        Guest(name: "half of it random", random: 512),
        Guest(name: "text and programs", mebibytes: 2048, disk: 1024),
        Guest(name: "zero pages", random: 50, zeros: 400, disk: 100),
        Guest(name: "mixed, zstd:3", codec: "zstd:3", random: 50, disk: 250),
        Guest(name: "mixed, slow disk", random: 50, disk: 250, bytesPerSecond: 40_000_000),
    ]

    /// The sizes and times of an estimate, or of what happened.
    struct Figures: Codable {
        /// Bytes of the image behind the superblocks.
        var image: Double
        var saveSeconds: Double
        var resumeSeconds: Double
    }

    struct Row: Codable {
        var name: String
        var estimate: Figures
        var rehearsal: Figures
        var real: Figures
    }

    private struct Estimate: Decodable {
        let imageBytes, saveMilliseconds, resumeMilliseconds: Int

        var figures: Figures {
            Figures(
                image: Double(imageBytes - 1 << 20), saveSeconds: Double(saveMilliseconds) / 1000,
                resumeSeconds: Double(resumeMilliseconds) / 1000)
        }
    }

    private struct Report: Decodable {
        struct Image: Decodable {
            let storedBytes, saveMilliseconds: Int
        }
        let estimate: Estimate?
        let image: Image
        let restoreMilliseconds: Int
    }

    private struct Check: Decodable { let estimate: Estimate }

    /// Returns the medians of the runs.
    func run(_ guest: Guest, times: Int) throws -> Row {
        let runs = try (0..<times).map { _ in try run(guest) }
        func medians(_ figures: (Row) -> Figures) -> Figures {
            Figures(
                image: median(runs.map { figures($0).image }),
                saveSeconds: median(runs.map { figures($0).saveSeconds }),
                resumeSeconds: median(runs.map { figures($0).resumeSeconds }))
        }
        return Row(
            name: runs[0].name, estimate: medians(\.estimate), rehearsal: medians(\.rehearsal), real: medians(\.real))
    }

    private func run(_ guest: Guest) throws -> Row {
        let disk = try lab.disk("disk", UInt64(guest.mebibytes) << 21)
        let options = "--json --backup-end \(MachineBenchmark.backupEnd) --codec \(guest.codec)"
        var a = try lab.kernelA(
            "a", disks: [disk, contents.image],
            """
            dd if=/dev/urandom of=/tmp/random bs=1M count=\(guest.random) 2>/dev/null
            dd if=/dev/zero of=/tmp/zeros bs=1M count=\(guest.zeros) 2>/dev/null
            left=\(guest.disk)

            """ + Contents.fillFromDisk + """
                expect format torpor format --boot-files 0 /dev/vda
                show() { say "$1 $(tr -d '\\n' </tmp/$1)"; }
                torpor check --estimate $torpor_b \(options) >/tmp/check || fail "check: $(cat /tmp/check)"
                show check
                hibernate --rehearse \(options) >/tmp/rehearsal || fail "rehearsal: $(cat /tmp/rehearsal)"
                show rehearsal
                hibernate \(options) >/tmp/report || fail "torpor hibernate: $(cat /tmp/report)"
                show report
                """)
        a.memory = "\(guest.mebibytes)M"
        a.timeout = 900
        a.disks[0].bytesPerSecond = guest.bytesPerSecond
        let saved = try lab.run(a)
        try saved.requireNoFailure()
        var c = lab.kernelC("c", like: a, backupEnd: MachineBenchmark.backupEnd)
        // A real machine does not get its memory page by page at the first use.
        c.options = ["-mem-prealloc"]
        let resumed = try lab.run(c)
        func decoded<Value: Decodable>(_ name: String, _ result: Machine.Result, _ type: Value.Type) throws -> Value {
            guard let text = result.verdicts(name).first else {
                throw Machine.Failed(description: "the guest did not come back; the consoles are in \(lab.folder.path)")
            }
            return try JSONDecoder().decode(type, from: Data(text.utf8))
        }
        let report = try decoded("report", resumed, Report.self)
        guard let rehearsal = try decoded("rehearsal", saved, Report.self).estimate else {
            throw Machine.Failed(description: "the rehearsal has no estimate")
        }
        return Row(
            name: "\(guest.mebibytes) MiB, \(guest.name)",
            estimate: try decoded("check", saved, Check.self).estimate.figures, rehearsal: rehearsal.figures,
            real: Figures(
                image: Double(report.image.storedBytes - 1 << 20),
                saveSeconds: Double(report.image.saveMilliseconds) / 1000,
                resumeSeconds: Double(report.restoreMilliseconds) / 1000))
    }
}

extension EstimateBenchmark {
    /// The rows as a table, with the ratio of each estimate to what happened.
    static func table(_ rows: [Row]) -> String {
        var text = """
            # Estimates

            `torpor check --estimate`, then a rehearsal, then a hibernation and its resume, in guests of different kinds with 2
            emulated CPUs. Figures are medians. In brackets is the estimate divided by what happened.

            | guest | figure | `--estimate` | rehearsal | real |
            |---|---|---:|---:|---:|

            """
        let figures: [(String, String, (Figures) -> Double)] = [
            ("image", "%.1f MiB", { $0.image / 1_048_576 }), ("save", "%.2f s", { $0.saveSeconds }),
            ("resume", "%.2f s", { $0.resumeSeconds }),
        ]
        for row in rows {
            for (name, format, value) in figures {
                let real = value(row.real)
                func cell(_ figures: Figures) -> String {
                    String(format: format, value(figures)) + String(format: " (%.2f)", value(figures) / real)
                }
                text += "| \(row.name) | \(name) | \(cell(row.estimate)) | \(cell(row.rehearsal)) | "
                text += String(format: format, real) + " |\n"
            }
        }
        return text
    }
}
