// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// The names of the modules that are built into a kernel.
struct BuiltInModules: Equatable {
    /// Names as in /sys/module.
    private let names: Set<String>

    /// Reads the list of a kernel; nil if there is none.
    ///
    /// Kernels are installed with `modules.builtin`, which has paths (`kernel/drivers/nvme/host/nvme.ko`). Torpor's small
    /// kernel has no modules; `builtin-RELEASE` beside it has a name on each line (scripts/builtin-modules.sh).
    /// - Parameters:
    ///   - release: the kernel's release, as uname(2) would report it.
    ///   - kernelPath: the kernel's file.
    ///   - root: a prefix of /lib, for tests.
    init?(release: String, kernelPath: String, root: String = "") {
        guard !release.isEmpty, !release.utf8.contains(UInt8(ascii: "/")) else { return nil }
        let folder = kernelPath.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        let own = (folder + ["builtin-\(release)"]).joined(separator: "/")
        for path in [own, "\(root)/lib/modules/\(release)/modules.builtin"] {
            guard let content = try? readFile(path, limit: 4 << 20) else { continue }
            self.init(String(decoding: content, as: UTF8.self))
            return
        }
        return nil
    }

    /// - Parameter list: names, or paths of modules, on a line each.
    init(_ list: String) {
        var names: Set<String> = []
        for line in list.split(separator: "\n") {
            guard let file = line.split(separator: "/").last else { continue }
            let name = file.split(separator: ".").first ?? file
            names.insert(HardwareParameters.canonical(name.utf8))
        }
        self.names = names
    }

    /// - Parameter name: as in /sys/module.
    func contains(_ name: String) -> Bool { names.contains(name) }
}
