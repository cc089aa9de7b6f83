// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// The kernel modules in a rootfs.gz, in the order in which /init loads them. mkinitramfs.sh writes the list.
///
/// The first line is `kernel RELEASE`. Each other line is the path of a module in the initramfs and, behind a space, the
/// module's options, if it has any.
struct ModuleList: Equatable {
    struct Module: Equatable {
        let path: String
        let options: String

        /// The module's name: that of the file, with underscores in place of dashes, as in /sys/module (6.12,
        /// scripts/Makefile.lib, `KBUILD_MODNAME`).
        var name: String {
            var file = Array(lastComponent(path).utf8)
            if file.count > 3, file[(file.count - 3)...].elementsEqual(".ko".utf8) { file.removeLast(3) }
            return HardwareParameters.canonical(file)
        }
    }

    /// The release of the kernel for which the modules are; empty if there are no modules.
    let release: String
    let modules: [Module]

    /// The path of the list in the initramfs.
    static let path = "/etc/torpor/modules"
    /// The limits of a list that is read: bytes, and modules.
    static let byteLimit = 64 << 10, countLimit = 512

    static let none = ModuleList(release: "", modules: [])

    private init(release: String, modules: [Module]) {
        self.release = release
        self.modules = modules
    }

    /// - Throws: if the text is malformed.
    init(_ text: String) throws(Failure) {
        var lines = text.split(separator: "\n").map { String($0) }[...]
        let prefix = "kernel "
        guard let first = lines.popFirst(), first.utf8.starts(with: prefix.utf8), first.utf8.count > prefix.utf8.count,
            lines.count <= ModuleList.countLimit
        else { throw ModuleList.malformed }
        release = String(decoding: first.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
        var modules: [Module] = []
        for line in lines {
            guard line.utf8.first == UInt8(ascii: "/") else { throw ModuleList.malformed }
            let parts = line.split(separator: " ", maxSplits: 1).map { String($0) }
            modules.append(Module(path: parts[0], options: parts.count > 1 ? parts[1] : ""))
        }
        self.modules = modules
    }

    private static var malformed: Failure {
        Failure(
            "read", "the list of modules \(path)", "it is malformed",
            remedy: "build rootfs.gz again with mkinitramfs.sh")
    }

    /// The list in the running system's root file system; `none` if it has no list.
    static func ofThisInitramfs(_ path: String = ModuleList.path) throws(Failure) -> ModuleList {
        guard exists(path) else { return .none }
        return try ModuleList(String(decoding: try readFile(path, limit: byteLimit), as: UTF8.self))
    }

    /// Whether a module is in the list.
    /// - Parameter name: as in /sys/module.
    func contains(_ name: String) -> Bool { modules.contains { $0.name.utf8.elementsEqual(name.utf8) } }

    /// Refuses modules that are for another kernel.
    /// - Parameters:
    ///   - kernel: the release of the kernel that is to load them.
    ///   - path: the initramfs, for the message.
    func require(kernel: String, path: String) throws(Failure) {
        guard !modules.isEmpty, !release.utf8.elementsEqual(kernel.utf8) else { return }
        throw Failure(
            "load the modules of", path,
            "they are for the kernel \(release.utf8.printable), and this kernel is "
                + kernel.utf8.printable,
            remedy: "build it again with: mkinitramfs.sh --kernel-version \(kernel.utf8.printable)")
    }

    /// Loads all modules, in their order.
    ///
    /// A driver whose device is missing refuses with ENODEV: some modules stand in for others that this processor supports.
    /// - Parameter beat: is called after each module.
    /// - Throws: the failure of the first module that the kernel refuses for another reason. The modules behind it are loaded
    ///   all the same.
    func load(_ beat: () -> Void) throws(Failure) {
        var first: Failure?
        for module in modules {
            do throws(Failure) { try loadModule(module.path, options: module.options) } catch {
                if error.errno != ErrorNumber.noDevice, first == nil { first = error }
            }
            beat()
        }
        if let first { throw first }
    }
}
