// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// /etc/torpor.conf.
struct ConfigurationFile {
    /// Its path on this system.
    static let standardPath = "/etc/torpor.conf"

    /// The path to open, which is another one in tests.
    let path: String
    /// The path to show.
    var shownPath = ConfigurationFile.standardPath

    /// The settings; none if there is no such file.
    /// - Throws: if the file cannot be read, or has a line that is no setting.
    func read() throws(Failure) -> Configuration {
        let bytes: [UInt8]
        do throws(Failure) { bytes = try readFile(path, limit: Configuration.byteLimit) } catch {
            guard error.errno != ErrorNumber.noEntry else { return try Configuration([], path: shownPath) }
            throw Failure("read", shownPath, error.reason, remedy: error.remedy, errno: error.errno)
        }
        return try Configuration(bytes, path: shownPath)
    }
}
