// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Testing

@testable import Linux

@Suite struct KernelLogPositionTests {
    /// The kernel answers this with a record of its own; nobody else can write one.
    @Test(.enabled(if: access("/dev/kmsg", R_OK) == 0 && access("/proc/sysrq-trigger", W_OK) == 0))
    func readsOnlyNewMessagesOfTheKernel() throws {
        func ask() throws { try File("/proc/sysrq-trigger", .write).write(line: "?") }
        try ask()
        guard let position = KernelLogPosition() else { return }
        let start = "torpor-test: \(Foundation.UUID().uuidString)"
        try File("/dev/kmsg", .write).write(line: "<6>\(start)\n")
        // The log goes on while others write to it, so that there may be more.
        #expect(!position.messages().contains { $0.contains("sysrq: HELP") }, "that was before")
        try ask()
        let messages = position.messages()
        #expect(messages.filter { $0.contains("sysrq: HELP") }.count == 1)
        #expect(!messages.contains(start), "a program has written that")
        #expect(position.messages().allSatisfy { !$0.contains("sysrq: HELP") }, "each is read once")
    }
}
