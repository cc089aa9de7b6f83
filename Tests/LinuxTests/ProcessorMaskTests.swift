// SPDX-License-Identifier: Apache-2.0
import Foundation
import Linux
import Testing

@Suite struct ProcessorMaskTests {
    @Test func readsTheKernelsMasks() {
        #expect(ProcessorMask(kernelText: "1") == .first)
        #expect(ProcessorMask(kernelText: "00000000,00000000,00000001") == .first)
        #expect(ProcessorMask(kernelText: "ff") != .first)
        #expect(ProcessorMask(kernelText: "1,00000000") != ProcessorMask(kernelText: "1"))
        #expect(ProcessorMask(kernelText: "1,00000000") != ProcessorMask(kernelText: "2"))
        #expect(ProcessorMask(kernelText: "ff,ffffffff,ffffffff") == ProcessorMask(kernelText: "0ff,ffffffff,ffffffff"))
    }

    @Test(arguments: ["", "0", "00000000,00000000", ",1", "1,", "1,,1", "x", "0x1", "1 ", "1ffffffff", "1,1ffffffff"])
    func refusesOtherTexts(text: String) { #expect(ProcessorMask(kernelText: text) == nil) }

    /// A mask that is applied comes back from the kernel.
    @Test(.enabled(if: availableProcessorCount() > 1)) func appliesToAThread() throws {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sleep")
        process.arguments = ["60"]
        try process.run()
        defer {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        func allowed() throws -> ProcessorMask {
            let status = try readText("/proc/\(process.processIdentifier)/status")
            let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed:") })
            return try #require(ProcessorMask(kernelText: line.split(separator: "\t")[1]))
        }
        let before = try allowed()
        #expect(ProcessorMask.first.apply(to: process.processIdentifier))
        #expect(try allowed() == .first)
        #expect(before.apply(to: process.processIdentifier))
        #expect(try allowed() == before)
        #expect(!ProcessorMask.first.apply(to: Int32.max))
    }
}
