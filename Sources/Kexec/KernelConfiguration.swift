// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// The configuration of a kernel, from the file that a distribution installs with it.
public struct KernelConfiguration: Sendable {
    /// The file's path.
    public let path: String
    private let lines: Set<String>

    /// The options that kernels B and C need. Kernel A's own kernel needs them to serve as B and C.
    private static let needed = [
        "CONFIG_KEXEC", "CONFIG_KEXEC_JUMP", "CONFIG_CRASH_DUMP", "CONFIG_PROC_VMCORE", "CONFIG_DEVMEM",
    ]

    /// Reads the configuration of a kernel; nil if there is no such file.
    /// - Parameters:
    ///   - release: the kernel's release, as uname(2) would report it.
    ///   - kernelPath: the kernel's file, as the configuration may be in the same folder; nil if it is unknown.
    ///   - root: a prefix of /boot and /lib, for tests.
    public init?(release: String, kernelPath: String? = nil, root: String = "") {
        guard !release.isEmpty, !release.utf8.contains(UInt8(ascii: "/")) else { return nil }
        var paths = ["\(root)/boot/config-\(release)", "\(root)/lib/modules/\(release)/config"]
        if let kernelPath {
            let bytes = Array(kernelPath.utf8)
            let folder =
                bytes.lastIndex(of: UInt8(ascii: "/")).map { String(decoding: bytes[..<$0], as: UTF8.self) } ?? "."
            paths.insert("\(folder)/config-\(release)", at: 0)
        }
        for path in paths {
            guard let content = try? readFile(path, limit: 4 << 20) else { continue }
            self.init(String(decoding: content, as: UTF8.self), path: path)
            return
        }
        return nil
    }

    /// - Parameter text: the text of a `.config` file.
    init(_ text: String, path: String) {
        self.path = path
        lines = Set(text.split(separator: "\n").map { String($0) })
    }

    /// Whether an option is built in.
    func isSet(_ option: String) -> Bool { lines.contains("\(option)=y") }

    /// Refuses a kernel without the options that kernels B and C need. Without CONFIG_KEXEC_JUMP it cannot jump back to kernel
    /// A.
    /// - Parameter kernelPath: the kernel's file, for the message.
    public func require(kernelPath: String) throws(Failure) {
        let missing = KernelConfiguration.needed.filter { !isSet($0) }
        guard !missing.isEmpty else { return }
        throw Failure(
            "use kernel", kernelPath, "it has no \(missing.joined(separator: ", ")) (\(path))",
            remedy: "use --kernel to choose one that has it")
    }
}
