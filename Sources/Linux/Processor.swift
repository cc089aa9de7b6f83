// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// The processor's identity and features, from CPUID (Intel SDM, volume 2, CPUID). Bits that depend on the kernel's settings
/// (OSXSAVE, OSPKE) are left out.
///
/// Each element has two registers, the first one in its low half: vendor (EBX, EDX), vendor and signature (ECX, EAX of leaf
/// 1); then sets of features: leaf 1 (ECX, EDX), leaf 7 (EBX, ECX), leaf 7 (EDX, EAX of subleaf 1), leaf 0x80000001 (ECX,
/// EDX), leaf 0xd (EAX of subleaves 0 and 1).
public func processorFeatures() -> [UInt64] {
    func pair(_ low: UInt32, _ high: UInt32) -> UInt64 { UInt64(high) << 32 | UInt64(low) }
    let vendor = cpuid(0), basic = cpuid(1), extended = cpuid(7), more = cpuid(7, 1)
    let amd = cpuid(0x8000_0001), state = cpuid(0xd), compact = cpuid(0xd, 1)
    let osxsave: UInt32 = 1 << 27, ospke: UInt32 = 1 << 4
    return [
        pair(vendor.ebx, vendor.edx), pair(vendor.ecx, basic.eax), pair(basic.ecx & ~osxsave, basic.edx),
        pair(extended.ebx, extended.ecx & ~ospke), pair(extended.edx, more.eax), pair(amd.ecx, amd.edx),
        pair(state.eax, compact.eax),
    ]
}

/// Whether the processor supports pages of 1 GiB (CPUID 0x80000001, EDX bit 26; `pdpe1gb` in /proc/cpuinfo).
public func hasGibibytePages() -> Bool { cpuid(0x8000_0001).edx & 1 << 26 != 0 }

/// Whether the processor supports 5-level page tables, used or not (CPUID 7, ECX bit 16).
public func knowsFiveLevelPaging() -> Bool { cpuid(7).ecx & 1 << 16 != 0 }

/// The number of leading elements of `processorFeatures()` that must be equal. The others are sets of features.
private let identityCount = 2

/// The reason why a kernel that booted on the processor `old` cannot continue on the processor `new`; nil if it can.
public func processorDifference(_ old: [UInt64], _ new: [UInt64]) -> String? {
    guard old.count == new.count else { return "it is described in another format" }
    guard old.prefix(identityCount).elementsEqual(new.prefix(identityCount)) else { return "it is another model" }
    let missing = zip(old, new).dropFirst(identityCount).map { $0 & ~$1 }
    return missing.contains { $0 != 0 } ? "it lacks features (\(describeFeatures(missing)))" : nil
}

/// The microcode revision of the first CPU; 0 if the kernel does not show it, as in most virtual machines.
public func microcodeRevision(
    _ sysfs: String = "/sys/devices/system/cpu/cpu0/microcode/version", cpuInfo: String = "/proc/cpuinfo"
) -> UInt64 {
    if let text = try? readText(sysfs), let revision = parseNumber(trimmed(text)) { return revision }
    // With many CPUs the file is megabytes long. The first CPU is at its beginning.
    guard let text = try? readBeginning(cpuInfo, byteCount: 4096) else { return 0 }
    for line in text.split(separator: "\n") where line.utf8.starts(with: "microcode".utf8) {
        guard let value = line.split(separator: ":").last else { continue }
        return parseNumber(trimmed(String(value))) ?? 0
    }
    return 0
}

private func cpuid(
    _ leaf: UInt32, _ subleaf: UInt32 = 0
) -> (eax: UInt32, ebx: UInt32, ecx: UInt32, edx: UInt32) {
    var registers: (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)
    withUnsafeMutableBytes(of: &registers) { bytes in
        torpor_cpuid(leaf, subleaf, bytes.baseAddress?.assumingMemoryBound(to: UInt32.self))
    }
    return (registers.0, registers.1, registers.2, registers.3)
}

/// The number of online CPUs, whether or not this process may run on them (/sys/devices/system/cpu/online).
public func onlineProcessorCount() throws(Failure) -> Int {
    try processorCount(inFile: "/sys/devices/system/cpu/online")
}

/// The number of CPUs in one of the lists in /sys/devices/system/cpu: `online`, `present`, `possible`.
public func processorCount(inFile path: String) throws(Failure) -> Int {
    guard let count = processorCount(inList: trimmed(try readText(path))) else {
        throw Failure("read", path, "its list of CPUs is malformed")
    }
    return count
}

/// The number of CPUs in a list such as `0-3,6` (Documentation/admin-guide/cputopology.rst); nil if it is malformed.
func processorCount(inList text: String) -> Int? {
    var count: UInt64 = 0
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
        let bounds = part.split(separator: "-", omittingEmptySubsequences: false)
        guard bounds.count <= 2, let first = parseNumber(bounds[0]), let last = parseNumber(bounds[bounds.count - 1]),
            first <= last, last < 1 << 16
        else { return nil }
        count += last - first + 1
    }
    return Int(clamping: count)
}
