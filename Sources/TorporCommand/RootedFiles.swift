// SPDX-License-Identifier: Apache-2.0
import Linux

/// The files of a system. A test puts a folder in the place of /.
protocol RootedFiles {
    /// Stands before every path; empty for the running system.
    var root: String { get }
}

extension RootedFiles {
    /// A path as system calls need it.
    func real(_ path: String) -> String { root + path }

    func exists(_ path: String) -> Bool { Linux.exists(real(path)) }

    /// The names in a directory, sorted, without those that begin with a dot; none if it cannot be read.
    func names(in folder: String) -> [String] { (try? listDirectory(real(folder))) ?? [] }
}
