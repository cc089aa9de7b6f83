// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// The configuration of a kernel, from the file that distributions install with it.
public struct KernelConfiguration: Sendable {
    /// The file's path.
    public let path: String
    private let lines: Set<String>

    /// What kernels B and C need, and A's own kernel to be one of them.
    private static let needed = [
        "CONFIG_KEXEC", "CONFIG_KEXEC_JUMP", "CONFIG_CRASH_DUMP", "CONFIG_PROC_VMCORE", "CONFIG_DEVMEM",
    ]

    /// nil if there is no file.
    /// - Parameters:
    ///   - release: the kernel's, as uname(2) would tell it.
    ///   - kernelPath: its file, beside which a configuration may be; nil if that is not known.
    ///   - root: what /boot and /lib are below.
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

    /// - Parameter text: as kconfig writes it.
    init(_ text: String, path: String) {
        self.path = path
        lines = Set(text.split(separator: "\n").map { String($0) })
    }

    /// Whether an option is built in.
    func isSet(_ option: String) -> Bool { lines.contains("\(option)=y") }

    /// Refuses a kernel that lacks what kernels B and C need: without CONFIG_KEXEC_JUMP there is no way back into kernel A.
    /// - Parameter kernelPath: its file, for the message.
    public func require(kernelPath: String) throws(Failure) {
        let missing = KernelConfiguration.needed.filter { !isSet($0) }
        guard !missing.isEmpty else { return }
        throw Failure(
            "use kernel", kernelPath, "it has no \(missing.joined(separator: ", ")) (\(path))",
            remedy: "name one that has it with --kernel")
    }
}
