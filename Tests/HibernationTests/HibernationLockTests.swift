// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Kexec
import Linux
import Testing

@testable import Hibernation

@Suite struct HibernationLockTests {
    private func failure(_ body: () throws -> Void) -> Failure? {
        do { try body() } catch { return error as? Failure }
        return nil
    }

    @Test func refusesAKernelThatSomebodyElseLoaded() throws {
        for path in ["sys/kernel/kexec_loaded", "sys/kernel/kexec/loaded"] {
            let system = try FakeSystem()
            try requireNoLoadedKernel(system.folders.sys)
            try system.write(path, "0\n")
            try requireNoLoadedKernel(system.folders.sys)
            try system.write(path, "1\n")
            #expect(failure { try requireNoLoadedKernel(system.folders.sys) }?.remedy?.contains("kexec -u") == true)
        }
    }

    @Test func oneHibernationAtATime() throws {
        // Another file of /proc that has no content of its own to lock.
        let path = "/proc/uptime"
        let (input, output) = (Pipe(), Pipe())
        let child = try forkChild {
            guard let lock = try? FileLock(path) else { return 1 }
            _ = write(output.fileHandleForWriting.fileDescriptor, "x", 1)
            var byte: UInt8 = 0
            _ = read(input.fileHandleForReading.fileDescriptor, &byte, 1)
            withExtendedLifetime(lock) {}
            return 0
        }
        #expect(try output.fileHandleForReading.read(upToCount: 1)?.count == 1)
        let refusal = failure { _ = try HibernationLock(path) }
        #expect(refusal?.reason.hasPrefix("another torpor hibernate is running") == true)
        #expect(refusal?.reason.contains("(\(child))") == true)
        try input.fileHandleForWriting.write(contentsOf: Data([1]))
        var status: Int32 = 0
        #expect(waitpid(child, &status, 0) == child && status == 0)
        do {
            let lock = try HibernationLock(path)
            #expect(failure { _ = try HibernationLock(path) } != nil)
            withExtendedLifetime(lock) {}
        }
        _ = try HibernationLock(path)
        // Who cannot have the file hears of it later.
        _ = try HibernationLock("/nowhere")
    }
}
