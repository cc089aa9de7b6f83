// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Runs programs of this machine.
public enum Tool {
    public struct Failed: Error, CustomStringConvertible {
        public var description: String
    }

    /// Runs a program and returns its output and error output. Throws if it ends with another status.
    @discardableResult
    public static func run(_ program: String, _ arguments: String..., status: Int32 = 0) throws -> String {
        try run([program] + arguments, status: status)
    }

    /// Runs a command; its first word is the path of the program.
    @discardableResult
    public static func run(_ command: [String], status: Int32 = 0) throws -> String {
        let program = command[0], arguments = Array(command.dropFirst())
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == status else {
            throw Failed(
                description:
                    "\(program) \(arguments.joined(separator: " ")): status \(process.terminationStatus): \(text)")
        }
        return text
    }
}
