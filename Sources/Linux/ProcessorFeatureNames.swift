// SPDX-License-Identifier: Apache-2.0
import Basics

/// The names of the features in each register of `processorFeatures()` behind the identity, from bit 0 on. `-` is a bit without
/// a name.
///
/// They are the names in /proc/cpuinfo (6.12, arch/x86/include/asm/cpufeatures.h). A feature that microcode adds and that
/// /proc/cpuinfo does not show has its name in that header, in lower case.
private let featureNames: [(register: String, names: String)] = [
    (
        "1.ecx",
        """
        pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm - pcid dca sse4_1 sse4_2 \
        x2apic movbe popcnt tsc_deadline_timer aes xsave - avx f16c rdrand hypervisor
        """
    ),
    (
        "1.edx",
        """
        fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - dts acpi mmx fxsr sse \
        sse2 ss ht tm ia64 pbe
        """
    ),
    (
        "7.ebx",
        """
        fsgsbase tsc_adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm cqm - mpx rdt_a avx512f avx512dq rdseed adx \
        smap avx512ifma - clflushopt clwb intel_pt avx512pf avx512er avx512cd sha_ni avx512bw avx512vl
        """
    ),
    (
        "7.ecx",
        """
        - avx512vbmi umip pku - waitpkg avx512_vbmi2 shstk gfni vaes vpclmulqdq avx512_vnni avx512_bitalg tme \
        avx512_vpopcntdq - la57 - - - - - rdpid - bus_lock_detect cldemote - movdiri movdir64b enqcmd sgx_lc
        """
    ),
    (
        "7.edx",
        """
        - - avx512_4vnniw avx512_4fmaps fsrm - - - avx512_vp2intersect srbds_ctrl md_clear - - tsx_force_abort serialize \
        - tsxldtrk - pconfig arch_lbr ibt - amx_bf16 avx512_fp16 amx_tile amx_int8 spec_ctrl stibp flush_l1d \
        arch_capabilities core_capabilities ssbd
        """
    ),
    ("7.1.eax", "- - - - avx_vnni avx512_bf16 - - - - - - - - - - - fred - - - - - - - - lam"),
    (
        "80000001.ecx",
        """
        lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop skinit wdt - lwp fma4 \
        tce - nodeid_msr - tbm topoext perfctr_core perfctr_nb - bpext ptsc perfctr_llc mwaitx
        """
    ),
    (
        "80000001.edx",
        "- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr_opt pdpe1gb rdtscp - lm 3dnowext 3dnow"
    ),
    ("d.eax", ""),
    ("d.1.eax", "xsaveopt xsavec xgetbv1 xsaves xfd"),
]

/// The names of a set of features for messages: `avx512f, avx512dq and 3 more`.
///
/// - Parameters:
///   - bits: the elements of `processorFeatures()` behind the identity.
func describeFeatures(_ bits: [UInt64]) -> String {
    var found: [String] = []
    var rest = 0
    for number in 0..<bits.count * 2 {
        let register = UInt32(truncatingIfNeeded: bits[number / 2] >> (number % 2 == 0 ? 0 : 32))
        guard register != 0 else { continue }
        let (name, text) = number < featureNames.count ? featureNames[number] : ("?", "")
        let names = text.split(separator: " ")
        for bit in 0..<32 where register >> UInt32(bit) & 1 != 0 {
            guard found.count < maximumNamedFeatures else {
                rest += 1
                continue
            }
            if bit < names.count, !names[bit].utf8.elementsEqual("-".utf8) {
                found.append(String(names[bit]))
            } else {
                found.append("bit \(bit) of CPUID \(name)")
            }
        }
    }
    return found.joined(separator: ", ") + (rest > 0 ? " and \(rest) more" : "")
}

/// The number of features that a message names.
private let maximumNamedFeatures = 12
