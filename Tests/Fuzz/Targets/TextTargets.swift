// SPDX-License-Identifier: Apache-2.0
import Basics

@testable import BlockDevices
@testable import Hibernation
@testable import Linux
@testable import MemoryImage
@testable import PhysicalMemory

/// Texts of /proc, /sys and the kernel command line.
let textTargets: [FuzzTarget] = [
    FuzzTarget("command-line") { bytes in
        let line = KernelCommandLine(String(decoding: bytes, as: UTF8.self))
        let parameters = KernelParameters(line)
        require(parameters.waitSeconds <= 86400 && parameters.progressTimeoutSeconds <= 86400, "times are bounded")
        require(parameters.jumpBackEntry != 0, "an entry is not 0")
        require(!line.parameters.contains("--"), "what is for init is not ours")
        if let device = parameters.device {
            require(DeviceName(device.description) == device, "a device's name is read as it is written")
        }
        if let codec = try? Codec(parsing: parameters.codec.description) {
            require(codec == parameters.codec, "a codec is read as it is written")
        } else {
            require(false, "a codec can be read")
        }
    },
    FuzzTarget("module-list") { bytes in
        attempt { () throws(Failure) in
            let list = try ModuleList(String(decoding: bytes, as: UTF8.self))
            require(!list.release.isEmpty && list.modules.count <= ModuleList.countLimit, "a list is bounded")
            for module in list.modules {
                require(module.path.utf8.first == UInt8(ascii: "/"), "a path is absolute")
                require(list.contains(module.name), "a module is in its list")
            }
            attempt { () throws(Failure) in try list.require(kernel: "6.12.117", path: "rootfs.gz") }
        }
    },
    FuzzTarget("initrd") { bytes in
        let initrd = Array(bytes)
        let early = EarlyInitrd(initrd)
        attempt { () throws(Failure) in
            require(try early.modules(path: "initrd").modules.count <= ModuleList.countLimit, "a list is bounded")
        }
        require((0...initrd.count).contains(EarlyInitrd.end(of: initrd)), "the archives end within the file")
        attempt { () throws(Failure) in try RootfsMarker.require(initrd, path: "initrd") }
        _ = RootfsMarker.unpackedByteCount(initrd)
    },
    FuzzTarget("iomem") { bytes in
        attempt { () throws(Failure) in
            let entries = try parseIOMemory(String(decoding: bytes, as: UTF8.self))
            let memory = systemMemory(entries)
            require(memory == memory.normalized(), "memory is in order")
            require(memory.allSatisfy { $0.lowerBound % pageSize == 0 && $0.upperBound % pageSize == 0 }, "whole pages")
            let low = memory.intersection([0..<128 << 20]), high = memory.subtracting([0..<128 << 20])
            require(low.intersection(high).isEmpty, "parts are apart")
            require((low + high).normalized() == memory, "parts make the whole")
            let map = entries.map { FirmwareRange(addresses: $0.addresses, type: $0.name) }
            require(
                map.without(memory).allSatisfy { [$0.addresses].intersection(memory).isEmpty },
                "what is left out is gone")
        }
    },
    FuzzTarget("ranges") { bytes in
        var input = InputReader(bytes)
        func ranges(_ count: Int) -> [PhysicalRange] {
            (0..<count).map { _ in
                let start = input.number(UInt64.self), length = UInt64(input.number(UInt32.self))
                return start..<(start > UInt64.max - length ? UInt64.max : start + length)
            }
        }
        let one = ranges(Int(input.number(UInt8.self) % 8)), other = ranges(Int(input.number(UInt8.self) % 8))
        let both = one.intersection(other), rest = one.subtracting(other)
        require((both + rest).normalized() == one.normalized(), "parts make the whole")
        require(both.intersection(rest).isEmpty, "parts are apart")
        for range in one { require(one.covers(range), "a whole covers its parts") }
    },
    FuzzTarget("tables") { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        let device = DeviceNumber(major: 8, minor: 1)
        attempt { () throws(Failure) in
            for part in try parts(ofTable: text, device) {
                let range: DeviceRange = 4096..<8 << 20
                for found in try part.places(of: range, device) {
                    if case .copies = part.layout {
                        require(found.bytes.byteCount <= range.byteCount, "a copy is as large as the original")
                    }
                }
            }
        }
        var usage = DeviceUsage()
        usage.mounts = mountEntries(text)
        usage.swaps = swapEntries(text)
        usage.devices = [DeviceUsage.Device(device, path: "/dev/sda1")]
        let (uses, failures) = usage.uses { _ in device }
        require(uses.count <= 1, "a device is told once")
        require(uses.count + failures.count <= 1 + usage.mounts.count * 3 + usage.swaps.count, "nothing is made up")
        _ = fileSystemTypesWithoutDevice(text)
        _ = processorCount(inList: text)
        _ = number("MemFree", in: text)
        _ = processorFlags(inLine: text)
        _ = parseSize(text)
        if let uuid = UUID(text) { require(UUID(uuid.description) == uuid, "a UUID is read as it is written") }
    },
]
