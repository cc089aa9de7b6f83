// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines
import MemoryImage
import Testing

extension MachineTests {
    /// `torpor check --estimate` against the image that is written then. The times depend on how busy this machine is, so
    /// `make bench` compares them.
    @Suite(.serialized) struct EstimateTests {
        private struct Check: Decodable {
            struct Estimate: Decodable {
                let imageBytes, usedBytes, saveMilliseconds, resumeMilliseconds, writeBytesPerSecond: UInt64
                let fits: Bool
            }
            let estimate: Estimate
        }
        private struct Report: Decodable {
            struct Image: Decodable {
                let storedBytes, dataPages: UInt64
            }
            let image: Image
        }

        /// Data that do not compress, and zero pages; and data that compress well.
        @Test(arguments: [
            (
                "random", "lz4",
                "dd if=/dev/urandom of=/tmp/random bs=1M count=150; dd if=/dev/zero of=/tmp/zero bs=1M count=80"
            ),
            ("text", "zstd", "i=0; while [ $i -lt 60 ]; do cat /bin/busybox; dmesg; i=$((i + 1)); done >/tmp/text"),
        ])
        func estimatesTheImage(name: String, codec: String, fill: String) throws {
            let lab = try Lab("estimate-\(name)")
            var a = try lab.kernelA(
                "a", disks: [try lab.formattedDisk()],
                """
                (\(fill)) 2>/dev/null
                torpor check --json --estimate --codec \(codec) $torpor_b >/tmp/check || fail check
                say check "$(tr -d '\\n' </tmp/check)"
                hibernate --json --codec \(codec) --after return >/tmp/report || fail hibernate
                say report "$(tr -d '\\n' </tmp/report)"
                """)
            a.memory = "512M"
            let result = try lab.run(a)
            result.expectDone()
            let check = try #require(result.verdicts("check").first),
                report = try #require(result.verdicts("report").first)
            let estimate = try JSONDecoder().decode(Check.self, from: Data(check.utf8)).estimate
            let image = try JSONDecoder().decode(Report.self, from: Data(report.utf8)).image
            let start = Superblock.dataOffset
            let ratio = Double(estimate.imageBytes - start) / Double(image.storedBytes - start)
            #expect((0.75...1.25).contains(ratio), "estimated \(estimate.imageBytes), stored \(image.storedBytes)")
            #expect(estimate.fits && estimate.usedBytes >= image.dataPages * 4096 * 3 / 4)
            #expect(
                estimate.saveMilliseconds > 0 && estimate.resumeMilliseconds > 0 && estimate.writeBytesPerSecond > 0)
        }

        /// A slow disk does not make the estimate take longer than seconds.
        @Test(.completeRunOnly) func isBounded() throws {
            let lab = try Lab("estimate-slow")
            var a = try lab.kernelA(
                "a", disks: [try lab.formattedDisk()],
                """
                before=$(cut -d. -f1 /proc/uptime)
                torpor check --json --estimate --codec xz:9 $torpor_b >/tmp/check || fail check
                after=$(cut -d. -f1 /proc/uptime)
                say check "$(tr -d '\\n' </tmp/check)"
                expect "$((after - before)) s" [ $((after - before)) -lt 30 ]
                refuses deadline "it is estimated to take" torpor check --estimate --deadline 1 $torpor_b
                expect "a long deadline" torpor check --estimate --deadline 100000 $torpor_b
                """)
            a.memory = "512M"
            a.disks[0].bytesPerSecond = 1_000_000
            let result = try lab.run(a)
            result.expectDone()
            let check = try #require(result.verdicts("check").first)
            let estimate = try JSONDecoder().decode(Check.self, from: Data(check.utf8)).estimate
            // The disk writes a megabyte a second, so the image takes that many seconds at least.
            let seconds = Double(estimate.imageBytes - Superblock.dataOffset) / 1e6
            #expect(Double(estimate.saveMilliseconds) / 1000 > seconds * 0.5)
            #expect(try lab.superblock(a).isUnused)
        }
    }
}
