// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// Drivers that take memory for a device or for the host. They would take it from the little memory that kernels B and C have.
struct MemoryTakers: Equatable, Sendable {
    /// The initcalls of balloon drivers (6.12, drivers/virtio/virtio_balloon.c, drivers/hv/hv_balloon.c,
    /// drivers/misc/vmw_balloon.c). The host sets its target for all of the machine's memory. A kernel with `mem=` that gives
    /// as much away has none left before PID 1 starts. Only `initcall_blacklist=` stops a driver that is built in.
    enum Balloon: String, CaseIterable, Sendable {
        case virtio = "virtio_balloon_driver_init"
        case hyperV = "init_balloon_drv"
        case vmware = "vmballoon_init"

        /// The driver's module, if it is not built in.
        fileprivate var module: String {
            switch self {
            case .virtio: "virtio_balloon"
            case .hyperV: "hv_balloon"
            case .vmware: "vmw_balloon"
            }
        }
    }

    /// The balloon drivers for which kernel C would find a device.
    var balloons: [Balloon] = []
    /// Whether an NVMe disk asks for a host memory buffer, of up to 128 MiB (6.12, drivers/nvme/host/pci.c,
    /// `nvme_setup_host_mem`). The disk works without it, but slower.
    var needsHostMemoryBuffer = false

    private static let noHostMemoryBuffer = "nvme.max_host_mem_size_mb=0"

    /// Kernel B's parameters against all of these drivers: a parameter for a missing driver has no effect. The kernel adds up
    /// all initcall_blacklist= parameters (6.12, init/main.c), and ignores them without CONFIG_KALLSYMS.
    static var parametersForB: [String] { [blacklist(Balloon.allCases), noHostMemoryBuffer] }

    /// Kernel C's parameters against the drivers of this machine.
    var parametersForC: [String] {
        (balloons.isEmpty ? [] : [MemoryTakers.blacklist(balloons)])
            + (needsHostMemoryBuffer ? [MemoryTakers.noHostMemoryBuffer] : [])
    }

    private static func blacklist(_ balloons: [Balloon]) -> String {
        "initcall_blacklist=" + balloons.map { $0.rawValue }.joined(separator: ",")
    }

    init() {}

    /// Finds the drivers of this machine.
    /// - Parameter isOwnKernel: whether kernels B and C are the running kernel, so that they lack the drivers that are modules
    ///   here.
    init(isOwnKernel: Bool, _ system: SystemFolders = SystemFolders()) {
        balloons = MemoryTakers.balloonDevices(system).filter {
            !(isOwnKernel && exists("\(system.sys)/module/\($0.module)/initstate"))
        }
        let disks = (try? listDirectory("\(system.sys)/class/nvme")) ?? []
        // Disks that ask for a host memory buffer have this file.
        needsHostMemoryBuffer = disks.contains { exists("\(system.sys)/class/nvme/\($0)/hmb") }
    }

    /// The balloon devices of this machine, whether or not this kernel has their drivers.
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

    /// Whether a balloon driver of this kernel may have given memory to the host although no file counts it. The driver of
    /// virtio takes all memory back before a jump (6.12, drivers/virtio/virtio_balloon.c, `virtballoon_freeze`); the other
    /// drivers do not.
    static func hasUncountedBalloon(_ system: SystemFolders = SystemFolders()) -> Bool {
        balloonDevices(system).contains { $0 != .virtio && exists("\(system.sys)/module/\($0.module)") }
    }
}
