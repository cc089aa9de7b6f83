// SPDX-License-Identifier: Apache-2.0
import Foundation

/// The products of the Makefile that machines use.
public enum Products {
    private static let top = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        .standardizedFileURL
    public static let folder = top.appending(path: "build")
    public static let kernel = folder.appending(path: "bzImage")
    /// The kernel's symbol table; missing for a kernel that TORPOR_TEST_KERNEL names.
    public static let symbols = folder.appending(path: "bzImage.map")
    /// The kernel of `make kernel`, for kernels B and C, if it was built.
    public static let smallKernel = folder.appending(path: "vmlinuz-torpor")
    public static var hasSmallKernel: Bool { exists(smallKernel) }
    /// Debian's kernel, which lacks CONFIG_KEXEC_JUMP.
    public static let stockKernel = folder.appending(path: "vmlinuz-stock")
    public static let rootfs = folder.appending(path: "rootfs.gz")
    /// rootfs.gz with the kernel's modules for NVMe and AHCI disks.
    private static let rootfsWithModules = folder.appending(path: "test/rootfs-modules.gz")
    /// Those modules as files, in `root`, and their list in load order, in `list`.
    private static let modules = folder.appending(path: "test/modules")

    /// Whether drivers of the kernel are modules.
    public static var hasModules: Bool { exists(modules) }

    /// The rootfs.gz for kernels B and C of a machine. A kernel that TORPOR_TEST_KERNEL names may have no modules; then all
    /// drivers are built in.
    static func rootfs(for disks: [Machine.Disk]) -> URL {
        disks.contains { $0.bus != .virtio } && exists(rootfsWithModules) ? rootfsWithModules : rootfs
    }

    /// The files with which kernel A of a machine loads the modules that its disks need, by their path in the guest.
    static func modules(for disks: [Machine.Disk]) throws -> [String: URL] {
        guard disks.contains(where: { $0.bus != .virtio }), exists(modules) else { return [:] }
        let name = "etc/torpor/modules", list = modules.appending(path: "list/\(name)")
        var files = [name: list]
        for line in try String(contentsOf: list, encoding: .utf8).split(separator: "\n").dropFirst() {
            let path = String(line.dropFirst().prefix { $0 != " " })
            files[path] = modules.appending(path: "root/\(path)")
        }
        return files
    }

    static func exists(_ file: URL) -> Bool { FileManager.default.fileExists(atPath: file.path) }

    public static let initProgram = folder.appending(path: "init")
    /// /init with its symbols.
    public static let linkedInit = top.appending(path: ".build-init/release/init")
    public static let torpor = folder.appending(path: "torpor")
    /// A program for guests that fills memory and compares it.
    public static let pattern = folder.appending(path: "pattern")
    /// The script that builds a Debian initramfs.
    public static let makeSystem = top.appending(path: "Tests/VM/boot/make-system.sh")
    public static let mkinitramfs = top.appending(path: "mkinitramfs.sh")
    /// A kernel with Debian's own configuration and KEXEC_JUMP, and the Debian guest that it runs (`make stock`).
    static let stockJumpKernel = folder.appending(path: "stock/vmlinuz")
    static let stockRoot = folder.appending(path: "stock/root.ext4")
    static let stockInitrd = folder.appending(path: "stock/initrd")
    /// The guest that has Torpor's packages as files only.
    static let stockPackagesRoot = folder.appending(path: "stock/package/root.ext4")
    static let stockPackagesInitrd = folder.appending(path: "stock/package/initrd")
}
