// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux

/// Loop devices of this machine, as far as it lets us have some.
public enum LoopDevice {
    /// Runs a script; its result is what it printed.
    public static func shell(_ script: String) throws -> String {
        let process = Process(), output = Pipe()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-ec", script]
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failure("run", "a script", "it ended with an error") }
        return trimmed(String(decoding: data, as: UTF8.self))
    }

    public static let areThere: Bool =
        effectiveUserID() == 0 && exists("/dev/loop-control") && exists("/sbin/mkfs.ext4")
        && (try? shell(
            """
            f=$(mktemp); truncate -s 1M $f; l=$(losetup -f --show $f); rm $f; losetup -d $l
            """)) != nil
}
