// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Testing

@testable import TorporCommand

@Suite struct StagedFileTests {
    private let fixture: CommandFixture
    private var boot: FakeBoot { fixture.boot }
    private var path: String { boot.folder.path + "/boot/file" }

    init() throws { fixture = try CommandFixture() }

    @Test func replacesAFileAsAWhole() throws {
        try boot.write("/boot/file", "old")
        let staged = try StagedFile(path, Array("new".utf8), mode: 0o640)
        #expect(boot.text("/boot/file") == "old")
        try staged.commit()
        #expect(boot.text("/boot/file") == "new")
        #expect(try boot.mode("/boot/file") == 0o640)
        #expect(boot.files("/boot") == ["file", "vmlinuz-6.12.107"])
    }

    @Test func leavesTheOldFileIfItIsDiscarded() throws {
        try boot.write("/boot/file", "old")
        try StagedFile(path, Array("new".utf8), mode: 0o600).discard()
        #expect(boot.text("/boot/file") == "old")
        #expect(boot.files("/boot") == ["file", "vmlinuz-6.12.107"])
    }

    /// /dev/full stands for a full file system.
    @Test func leavesNothingIfThereIsNoSpace() throws {
        try boot.link("/boot/.file.new", "/dev/full")
        let failure = #expect(throws: Failure.self) {
            try StagedFile(path, [UInt8](repeating: 0, count: 5 << 20), mode: 0o600)
        }
        #expect(
            failure?.description
                == "write \(path): its file system has no space for 5.0 MiB; remove old kernels there, or use a "
                + "smaller one with "
                + "--kernel")
        #expect(boot.files("/boot") == ["vmlinuz-6.12.107"])
    }

    @Test func namesTheFileInOtherFailures() {
        let missing = boot.folder.path + "/none/file"
        let failure = #expect(throws: Failure.self) { try StagedFile(missing, [1], mode: 0o600) }
        #expect(failure?.description == "write \(missing): No such file or directory")
    }
}
