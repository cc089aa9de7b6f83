// SPDX-License-Identifier: Apache-2.0
import Foundation

/// The products of the Makefile that machines use.
public enum Products {
    private static let top = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        .standardizedFileURL
    public static let folder = top.appending(path: "build")
    public static let kernel = folder.appending(path: "bzImage")
    /// The kernel's symbol table; missing for a kernel that TORPOR_TEST_KERNEL names.
    public static let symbols = folder.appending(path: "System.map")
    /// Debian's kernel, which lacks CONFIG_KEXEC_JUMP.
    public static let stockKernel = folder.appending(path: "vmlinuz-stock")
    public static let rootfs = folder.appending(path: "rootfs.gz")
    public static let initProgram = folder.appending(path: "init")
    /// /init with its symbols.
    public static let linkedInit = top.appending(path: ".build-init/release/init")
    public static let torpor = folder.appending(path: "torpor")
    /// A program for guests that fills memory and compares it.
    public static let pattern = folder.appending(path: "pattern")
    public static let mkinitramfs = top.appending(path: "mkinitramfs.sh")
}
