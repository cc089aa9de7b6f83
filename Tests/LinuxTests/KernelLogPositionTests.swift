// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Testing

@testable import Linux

@Suite struct KernelLogPositionTests {
    /// The kernel answers this with a record of its own; nobody else can write one.
    @Test(.enabled(if: access("/dev/kmsg", R_OK) == 0 && access("/proc/sysrq-trigger", W_OK) == 0))
    func readsWhatTheKernelHasLoggedSince() throws {
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

    @Test func findsWhoHasALock() {
        let table = """
            1: FLOCK  ADVISORY  WRITE 1234 00:16:4026532 0 EOF
            2: -> FLOCK  ADVISORY  WRITE 99 00:16:77 0 EOF
            3: POSIX  ADVISORY  WRITE 55 00:16:77 0 EOF
            4: FLOCK  ADVISORY  WRITE 0 00:16:78 0 EOF
            5: FLOCK  ADVISORY  WRITE 88 fd:1a:500 0 EOF
            """
        let device = DeviceNumber(major: 0, minor: 0x16)
        #expect(lockHolder(of: 500, on: DeviceNumber(major: 0xfd, minor: 0x1a), in: table) == 88)
        #expect(lockHolder(of: 500, on: device, in: table) == nil, "another file system's file has the same number")
        #expect(lockHolder(of: 4026532, on: device, in: table) == 1234)
        #expect(lockHolder(of: 77, on: device, in: table) == nil)
        #expect(lockHolder(of: 78, on: device, in: table) == nil, "it is not to be seen from here")
        #expect(lockHolder(of: 1, on: device, in: "garbage\n\n: :") == nil)
    }
}
