// SPDX-License-Identifier: Apache-2.0
import Fixtures
import Foundation
import Testing

/// mkinitramfs.sh with the modules of a kernel that nobody boots, and its options of modprobe.d. depmod makes the indexes.
struct FakeModules {
    var script: MakeInitramfs
    static let version = "6.12.117-fake"
    static let drivers = "lib/modules/\(version)/kernel/drivers"
    private static let nvmeAlias = "alias=pci:v*d*sv*sd*bc01sc08i02*"
    private static let signature = Array("PKCS#7~Module signature appended~\n".utf8)

    /// The modules: nvme depends on nvme_core, and has softdeps; ahci shares libata with pata.
    private static let modules: [String: KernelModuleFixture] = [
        "nvme-core": .init(exports: ["nvme_init"]),
        "nvme": .init([nvmeAlias, "softdep=pre: crypto-x absent post: fan"], imports: ["nvme_init"]),
        "x-generic": .init(["alias=crypto-x"]), "fan": .init(),
        "libata": .init(exports: ["ata_port"]), "ahci": .init(imports: ["ata_port"]),
        "pata": .init([nvmeAlias], imports: ["ata_port"]),
    ]

    init() throws {
        script = try MakeInitramfs()
        for (name, module) in Self.modules {
            try script.write(module.bytes(version: Self.version) + Self.signature, "a/\(Self.drivers)/\(name).ko")
        }
        try script.write("kernel/fs/ext4.ko\n", "a/lib/modules/\(Self.version)/modules.builtin")
        try script.write("", "a/lib/modules/\(Self.version)/modules.order")
        // An empty folder of options, instead of this machine's.
        try script.write("", "modprobe.d/none.conf")
        var environment = ProcessInfo.processInfo.environment
        environment["MODPROBE_OPTIONS"] = "-C \(script.path("modprobe.d"))"
        environment["PATH"] = (environment["PATH"] ?? "/usr/bin:/bin") + ":/usr/sbin:/sbin"
        script.environment = environment
        try index()
    }

    func index() throws {
        let result = try script.runShell(["-c", "depmod -b \"$1\" \"$2\"", "sh", script.path("a"), Self.version])
        try #require(result.status == 0, "\(result.error)")
    }

    func run(
        _ modules: [String], _ others: [String] = [], output: String = "rootfs.gz"
    ) throws -> (status: Int32, error: String) {
        try script.run(
            ["--kernel-version", Self.version, "--modules-from", script.path("a")]
                + modules.flatMap { ["--module", $0] } + others, output: output)
    }

    /// Runs a command in the folder of the drivers.
    func change(_ command: String) throws {
        let result = try script.runShell(["-c", "cd \"$1\" && \(command)", "sh", script.path("a/\(Self.drivers)")])
        try #require(result.status == 0, "\(result.error)")
    }

    /// The list of a rootfs.gz, as the names of modules with their options. Every module of the list must be in the archive.
    func list(_ name: String = "rootfs.gz") throws -> [String] {
        let contents = try script.contents(name)
        let list = try #require(contents.early["etc/torpor/modules"])
        let lines = String(decoding: list, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.first == "kernel \(Self.version)" && lines.last == "")
        let prefix = "/\(Self.drivers)/"
        var files: Set<String> = []
        for line in lines.dropFirst().dropLast() {
            let file = String(line.prefix { $0 != " " }.dropFirst())
            #expect("/\(file)".hasPrefix(prefix) && file.hasSuffix(".ko"))
            let module = file.split(separator: "/").last.flatMap { Self.modules[String($0.dropLast(3))] }
            #expect(try contents.packed[file] == #require(module).bytes(version: Self.version) + Self.signature)
            files.insert(file)
        }
        #expect(Set(contents.packed.keys.filter { $0.hasPrefix("lib/") }) == files)
        return lines.dropFirst().dropLast().map { String($0.dropFirst(prefix.count).replacing(".ko", with: "")) }
    }
}
