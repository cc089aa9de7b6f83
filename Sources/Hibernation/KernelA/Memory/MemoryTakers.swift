// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// Drivers that take memory for a device or for the host, and would take it from the little that kernels B and C have.
struct MemoryTakers: Equatable, Sendable {
    /// The functions that start balloon drivers (6.12, drivers/virtio/virtio_balloon.c, drivers/hv/hv_balloon.c,
    /// drivers/misc/vmw_balloon.c). The host's target is for all of the machine's memory; a kernel with `mem=` that gives so
    /// much of its own away has nothing left before PID 1 starts. Nothing else keeps a driver from that which is built in.
    enum Balloon: String, CaseIterable, Sendable {
        case virtio = "virtio_balloon_driver_init"
        case hyperV = "init_balloon_drv"
        case vmware = "vmballoon_init"

        /// The module that the driver is, if it is one.
        fileprivate var module: String {
            switch self {
            case .virtio: "virtio_balloon"
            case .hyperV: "hv_balloon"
            case .vmware: "vmw_balloon"
            }
        }
    }

    /// Balloons that a kernel of this machine would find.
    var balloons: [Balloon] = []
    /// Whether an NVMe disk asks for memory of the machine's: up to 128 MiB for each (6.12, drivers/nvme/host/pci.c,
    /// `nvme_setup_host_mem`). It works without, only slower.
    var hasHungryDisk = false

    private static let noDiskMemory = "nvme.max_host_mem_size_mb=0"

    /// Kernel B's: all of them, since those for drivers that are not there do nothing. The kernel takes each initcall_blacklist=
    /// in addition to others (6.12, init/main.c); without CONFIG_KALLSYMS it takes none.
    static var parametersForB: [String] { [blacklist(Balloon.allCases), noDiskMemory] }

    /// Kernel C's: those that this machine needs.
    var parametersForC: [String] {
        (balloons.isEmpty ? [] : [MemoryTakers.blacklist(balloons)])
            + (hasHungryDisk ? [MemoryTakers.noDiskMemory] : [])
    }

    private static func blacklist(_ balloons: [Balloon]) -> String {
        "initcall_blacklist=" + balloons.map { $0.rawValue }.joined(separator: ",")
    }

    init() {}

    /// This machine's.
    /// - Parameter isOwnKernel: whether kernels B and C are the kernel that runs now, and so will not have what is a module here.
    init(isOwnKernel: Bool, _ system: SystemFolders = SystemFolders()) {
        balloons = MemoryTakers.balloonDevices(system).filter {
            !(isOwnKernel && exists("\(system.sys)/module/\($0.module)/initstate"))
        }
        let disks = (try? listDirectory("\(system.sys)/class/nvme")) ?? []
        // The file is there for disks that ask for memory.
        hasHungryDisk = disks.contains { exists("\(system.sys)/class/nvme/\($0)/hmb") }
    }

    /// Balloons that the host offers, whether this kernel has a driver for them or not.
    static func balloonDevices(_ system: SystemFolders) -> [Balloon] {
        func holds(_ bus: String, _ file: String, _ text: String) -> Bool {
            let folder = "\(system.sys)/bus/\(bus)/devices"
            return ((try? listDirectory(folder)) ?? []).contains { device in
                guard let content = try? readText("\(folder)/\(device)/\(file)") else { return false }
                return trimmed(content).utf8.elementsEqual(text.utf8)
            }
        }
        var found: [Balloon] = []
        // VIRTIO_ID_BALLOON of <linux/virtio_ids.h>
        if holds("virtio", "device", "0x0005") { found.append(.virtio) }
        // HV_DM_GUID of include/linux/hyperv.h
        if holds("vmbus", "class_id", "{525074dc-8985-46e2-8057-a307dc18a502}") { found.append(.hyperV) }
        let vendor = (try? readText("\(system.sys)/class/dmi/id/sys_vendor")) ?? ""
        if vendor.utf8.starts(with: "VMware".utf8) { found.append(.vmware) }
        return found
    }

    /// Whether a driver of this kernel may have given memory to the host that no file tells of: that of virtio gives all of
    /// it back before a jump (6.12, drivers/virtio/virtio_balloon.c, `virtballoon_freeze`), the others do not.
    static func hasSilentBalloon(_ system: SystemFolders = SystemFolders()) -> Bool {
        balloonDevices(system).contains { $0 != .virtio && exists("\(system.sys)/module/\($0.module)") }
    }
}
