// SPDX-License-Identifier: Apache-2.0
import Foundation

/// QEMU's command line for a machine.
extension Machine {
    func arguments(console: URL, verdict: URL, in folder: URL) throws -> [String] {
        var arguments = [
            "-accel", isSingleThreaded ? "tcg,thread=single" : "tcg",
            "-cpu", cpuFeatures.isEmpty ? "max" : "max,\(cpuFeatures)", "-m", memory, "-smp", smp ?? "\(cpus)",
            "-machine", (firmware == .uefi ? "q35" : "pc") + (isMemorySparse ? ",memory-backend=ram" : ""),
            "-nodefaults", "-display", "none", "-no-reboot",
            "-chardev", consoleDevice(in: folder) + ",id=console,logfile=\(console.path)",
            "-serial", "chardev:console",
            // Not a PCI device: for its interrupt, each booting kernel would have to interpret AML, which takes long.
            "-chardev", "file,id=verdict,path=\(verdict.path)", "-serial", "chardev:verdict",
        ]
        if boots == .kernel {
            arguments += [
                "-kernel", kernel.path, "-initrd", initrd.path, "-append", "console=ttyS0 panic=-1 \(commandLine)",
            ]
        }
        if hasMonitor { arguments += ["-monitor", "stdio"] }
        if dump != nil { arguments += ["-device", "vmcoreinfo"] }
        if firmware == .uefi {
            let variables = folder.appending(path: "efi-variables.fd")
            if !FileManager.default.fileExists(atPath: variables.path) {
                try FileManager.default.copyItem(at: URL(filePath: "/usr/share/OVMF/OVMF_VARS_4M.fd"), to: variables)
            }
            arguments += [
                "-drive", "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd",
                "-drive", "if=pflash,format=raw,file=\(variables.path)",
            ]
        }
        if isMemorySparse { arguments += ["-object", "memory-backend-ram,id=ram,size=\(memory),reserve=off"] }
        arguments += options
        for device in devices { arguments += ["-device", device] }
        if let dirtyMemory {
            arguments += ["-device", "loader,file=\(dirtyMemory.path),addr=0x10000000,force-raw=on"]
        }
        if disks.contains(where: { $0.bus == .ahci }) && firmware == .bios { arguments += ["-device", "ahci,id=ahci"] }
        for (number, disk) in disks.enumerated() {
            var file = disk.image.path
            // The page cache of this machine survives the guest's power-off, so no flush is necessary. But a flush error needs
            // flushes.
            var options = "cache=unsafe"
            if !disk.errors.isEmpty {
                let rules = folder.appending(path: "\(name).disk\(number).blkdebug")
                try Data(disk.errors.utf8).write(to: rules)
                file = "blkdebug:\(rules.path):\(file)"
                options = "cache=writeback,werror=report,rerror=report"
            }
            var drive = "format=raw,\(options),file=\(file)"
            if let log = disk.log {
                try Data().write(to: log)
                // The driver records only flushes that reach it.
                drive = "driver=blklogwrites,cache=writeback,file.driver=file,file.filename=\(file)"
                drive += ",log.driver=file,log.filename=\(log.path),log-sector-size=512"
            }
            if disk.bytesPerSecond > 0 { drive += ",throttling.bps-write=\(disk.bytesPerSecond)" }
            if disk.readBytesPerSecond > 0 { drive += ",throttling.bps-read=\(disk.readBytesPerSecond)" }
            arguments += ["-drive", "id=disk\(number),if=none,\(drive)"]
            let order = boots == .disk && number == 0 ? ",bootindex=0" : ""
            switch disk.bus {
            case .virtio: arguments += ["-device", "virtio-blk-pci,drive=disk\(number)\(order)"]
            case .nvme: arguments += ["-device", "nvme,drive=disk\(number),serial=disk\(number)\(order)"]
            case .ahci:
                arguments += [
                    "-device", "ide-hd,drive=disk\(number),bus=\(firmware == .uefi ? "ide" : "ahci").\(number)\(order)",
                ]
            }
        }
        return arguments
    }

    private func consoleDevice(in folder: URL) -> String {
        if !answers.isEmpty { return "pipe,path=\(folder.appending(path: name).path)" }
        return showsConsole ? "stdio,signal=off" : "null"
    }
}
