// SPDX-License-Identifier: Apache-2.0
import Fixtures
import Foundation
import Testing

@testable import Hibernation

/// mkinitramfs.sh --kernel-version.
@Suite struct MakeInitramfsModulesTests {
    private var tree: FakeModules
    private var script: MakeInitramfs { tree.script }

    init() throws { tree = try FakeModules() }

    @Test(arguments: [
        // Dependencies first, then softdeps; a softdep that is not there does not matter.
        (["nvme"], ["nvme-core", "x-generic", "nvme", "fan"]), (["nvme_core"], ["nvme-core"]),
        (["ahci", "nvme"], ["libata", "ahci", "nvme-core", "x-generic", "nvme", "fan"]),
        // Each once, and nothing for what is built in.
        (["pata", "ext4", "ahci", "pata"], ["libata", "pata", "ahci"]), (["ext4"], []),
    ])
    func listsModulesInLoadOrder(names: [String], expected: [String]) throws {
        let result = try tree.run(names)
        try #require(result.status == 0, "\(result.error)")
        #expect(result.error == "")
        #expect(try tree.list() == expected)
    }

    @Test func keepsTheOptionsOfModprobe() throws {
        try script.write(
            "options nvme poll_queues=2 name=\"a b\"\noptions nvme_core io_timeout=9\nblacklist nvme\n",
            "modprobe.d/a.conf")
        try #require(try tree.run(["nvme"]).status == 0)
        #expect(
            try tree.list() == ["nvme-core io_timeout=9", "x-generic", "nvme poll_queues=2 name=\"a b\"", "fan"])
    }

    @Test func unpacksModules() throws {
        try tree.change("xz --check=crc32 nvme-core.ko && zstd -q --rm nvme.ko")
        try tree.index()
        try #require(try tree.run(["nvme"]).status == 0)
        #expect(try tree.list() == ["nvme-core", "x-generic", "nvme", "fan"])
    }

    /// Debian's kmod does not read .ko.gz, but others do.
    @Test func unpacksModulesOfGzip() throws {
        try tree.change("gzip -k ahci.ko libata.ko")
        try script.write(
            """
            #!/bin/sh
            case $1 in --version) echo 'kmod version 30' ;; esac
            [ $1 = --version ] || PATH=${PATH#*:} modprobe "$@" | sed 's/\\.ko $/.ko.gz /'

            """, "bin/modprobe")
        try tree.change("chmod +x ../../../../../../bin/modprobe")
        var script = script
        let path = script.path("bin") + ":" + (script.environment?["PATH"] ?? "")
        script.environment?["PATH"] = path
        let result = try script.run(
            ["--kernel-version", FakeModules.version, "--modules-from", script.path("a"), "--module", "ahci"])
        try #require(result.status == 0, "\(result.error)")
        #expect(try tree.list() == ["libata", "ahci"])
    }

    /// A machine with one disk, by the module of its driver and by its modalias.
    @Test(arguments: [
        // The driver that runs the disk, and not another one that wants it too.
        ("nvme", "pci:v00001B36d00000010sv0sd0bc01sc08i02", ["nvme-core", "x-generic", "nvme", "fan"], ""),
        // A driver that has another name in that kernel, or was built in.
        (nil, "crypto-x", ["x-generic"], ""), ("gone", "crypto-x", ["x-generic"], ""),
        ("ext4", "crypto-x", [], ""), (nil, "absent", [], ""),
        ("gone", "absent", [], "warning: kernel 6.12.117-fake does not have this machine's driver gone\n"),
    ])
    func takesTheDriversOfAMachine(module: String?, modalias: String, expected: [String], text: String) throws {
        try script.write("30 1 8:0 / / rw - ext4 /dev/sda rw\n", "system/proc/self/mountinfo")
        try script.write("", "system/sys/class/block/none")
        try script.link("system/sys/dev/block/8:0", to: "../../devices/disk/block/sda")
        try script.write("", "system/sys/devices/disk/block/sda/size")
        try script.write("\(modalias)\n", "system/sys/devices/disk/modalias")
        try script.link("system/sys/devices/disk/driver", to: "../../bus/driver")
        try script.write("", "system/sys/bus/driver/bind")
        if let module {
            try script.write("", "system/sys/module/\(module)/refcnt")
            try script.link("system/sys/bus/driver/module", to: "../../module/\(module)")
        }
        let result = try tree.run([], ["--system", script.path("system")])
        try #require(result.status == 0, "\(result.error)")
        #expect(text == "" ? result.error == "" : result.error.hasSuffix(text), "\(result.error)")
        #expect(try tree.list() == expected)
    }

    /// The list's archive is behind microcode, and nothing else of rootfs.gz depends on it.
    @Test func buildsTheSameBytesAgain() throws {
        var microcode = [UInt8](repeating: 7, count: 2048)
        microcode.put(UInt32(1), at: 0)
        microcode.put(UInt32(1), at: 20)
        try script.write(microcode, "intel.bin")
        let others = ["--microcode", script.path("intel.bin")]
        try #require(try tree.run(["nvme"], others).status == 0)
        try tree.change("touch -d @0 * && chmod 600 *")
        try #require(try tree.run(["nvme"], others, output: "again.gz").status == 0)
        let image = try script.bytes("rootfs.gz")
        #expect(try image == script.bytes("again.gz"))
        try #require(try script.run(others, output: "plain.gz").status == 0)
        let plain = try script.bytes("plain.gz"), start = try #require(MakeInitramfs.compressedStart(plain))
        #expect(Array(image.prefix(start)) == Array(plain.prefix(start)))
        #expect(EarlyInitrd(image).microcode == [.intel])
        #expect(try EarlyInitrd(image).modules(path: "rootfs.gz").modules.count == 4)
        #expect(RootfsMarker.member(in: image)?.upperBound == image.count)
        try RootfsMarker.require(image, path: "rootfs.gz")
    }

    /// Refusals, after a command in the folder of the drivers.
    @Test(arguments: [
        (":", ["absent"], "--module absent: kernel 6.12.117-fake has no such module; "),
        (":", ["../nvme"], "--module ../nvme: that is no module's name; "),
        (":", [""], "--module : that is no module's name"),
        ("rm fan.ko", ["nvme"], "fan.ko: modules.dep names it, but it is not there; run depmod "),
        // modprobe itself would leave out what ahci depends on.
        ("rm libata.ko", ["ahci"], "libata.ko: modules.dep names it, but it is not there; run depmod "),
        (
            "cp other.ko libata.ko", ["ahci"],
            "libata.ko: it is a module for kernel 6.12.118, not for 6.12.117-fake; install"
        ),
        ("cp none.ko libata.ko", ["ahci"], "libata.ko: it is a module for kernel without a version, not for"),
        ("echo text >libata.ko", ["ahci"], "libata.ko: it is no kernel module"),
        ("rm ../../modules.dep", ["ahci"], "modules.dep: it cannot be read; run depmod"),
        ("rm ../../modules.dep.bin", ["ahci"], "modules.dep.bin: it cannot be read; run depmod"),
        ("rm ../../modules.dep && mkdir ../../modules.dep", ["ahci"], "modules.dep: it cannot be read; run depmod"),
        ("echo text >../../modules.dep.bin", ["ahci"], "modules.dep.bin: it is no index of modules; run depmod"),
        // kmod itself would only say that there is no such module.
        ("truncate -s 24 ../../modules.dep.bin", ["ahci"], "of modules.dep is not in it; run depmod"),
        (
            "cd ../../.. && rm -r 6.12.117-fake", ["ahci"],
            "/lib/modules/6.12.117-fake; install that kernel's modules, or name their root with"
        ),
        (
            "echo 'install libata /bin/false x' >../../../../../../modprobe.d/a.conf", ["ahci"],
            "modprobe.d has the command \"/bin/false x\" to load a module, but kernels B and C run no commands; remove"
        ),
    ])
    func refuses(command: String, modules: [String], text: String) throws {
        let other = KernelModuleFixture(exports: ["ata_port"])
        try script.write(other.bytes(version: "6.12.118"), "a/\(FakeModules.drivers)/other.ko")
        try script.write(other.bytes(version: nil), "a/\(FakeModules.drivers)/none.ko")
        try script.write("before", "rootfs.gz")
        try tree.change(command)
        let result = try tree.run(modules)
        #expect(result.status == 1 && result.error.contains(text), "\(result.error)")
        #expect(result.error.hasPrefix("mkinitramfs.sh: ") && result.error.filter { $0 == "\n" }.count == 1)
        #expect(try script.bytes("rootfs.gz") == Array("before".utf8))
    }

    @Test(arguments: [
        (["--module", "nvme"], Int32(2), "need a kernel's version; add --kernel-version"),
        (["--modules-from", "/"], 2, "need a kernel's version; add --kernel-version"),
        (["--system", "/"], 2, "need a kernel's version; add --kernel-version"),
        (["--kernel-version"], 2, "--kernel-version needs a value"),
        (
            ["--kernel-version", "no-such-kernel"], 1,
            "there is no /lib/modules/no-such-kernel; install that kernel's modules"
        ),
        (["--kernel-version", "../modules"], 1, "that is no kernel's version; uname -r shows one"),
        (["--kernel-version", ""], 1, "that is no kernel's version"),
        (["--kernel-version", "1", "--module", "a", "--system", "/"], 2, "leave one of the two out"),
    ])
    func refusesOptions(words: [String], status: Int32, text: String) throws {
        let result = try script.run(words)
        #expect(result.status == status && result.error.contains(text), "\(result.error)")
        #expect(!script.exists("rootfs.gz"))
    }

    @Test func refusesAMachineWithoutDisks() throws {
        try script.write("", "system/proc/self/mountinfo")
        try script.write("", "system/sys/class/block/none")
        let result = try tree.run([], ["--system", script.path("system")])
        #expect(result.status == 1 && result.error.contains("there is no disk in use that has a driver; name the"))
        #expect(!script.exists("rootfs.gz"))
    }

    /// Programs that are missing: kmod's, or busybox's in their place, and one that unpacks.
    @Test func namesMissingPrograms() throws {
        try tree.change("xz ahci.ko")
        try tree.index()
        let links = "mkdir bin && ln -s /usr/bin/* /bin/* bin/ 2>/dev/null; rm bin/xz bin/modprobe bin/modinfo; "
        try script.write("#!/bin/sh\necho 'BusyBox v1.35.0'\n", "busybox")
        _ = try script.runShell(["-c", "cd \"$1\" && \(links)chmod +x busybox; :", "sh", script.path("")])
        var script = script
        let path = script.path("bin")
        script.environment?["PATH"] = path
        let words = ["--kernel-version", FakeModules.version, "--modules-from", script.path("a"), "--module", "ahci"]
        var result = try script.run(words)
        #expect(result.error.contains("ahci.ko.xz: the program xz is missing, which unpacks it; install xz-utils\n"))
        for program in ["modinfo", "modprobe"] {
            try script.link("bin/\(program)", to: "../busybox")
            result = try script.run(words)
            #expect(result.error.contains("kmod's program \(program) is missing; install kmod\n"), "\(result.error)")
        }
        #expect(result.status == 1 && !script.exists("rootfs.gz"))
    }
}
