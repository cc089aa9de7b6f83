// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// The device from which the kernel's own hibernation would resume, as logind reads it.
///
/// logind refuses hibernation if there is swap space, the machine was not started by UEFI and no such device is set, also with
/// SYSTEMD_BYPASS_HIBERNATION_MEMORY_CHECK=1 (systemd 254 and newer, src/shared/hibernate-util.c, `hibernation_is_safe`). With
/// a device that is no swap space it accepts that variable. The kernel looks for an image of its own on a device that is
/// written there, which reads one page (kernel/power/hibernate.c, `resume_store`).
struct ResumeSetting {
    static let file = "/sys/power/resume"

    let system: SleepSystem

    /// Whether logind would refuse because no device is set.
    var isInTheWay: Bool {
        guard !system.exists("/sys/firmware/efi"), system.text(ResumeSetting.file) == "0:0" else { return false }
        // The first line is a heading. zram does not count for logind.
        let swaps = (system.text("/proc/swaps") ?? "").split(separator: "\n").dropFirst()
        return swaps.contains { !$0.hasPrefix("/dev/zram") }
    }

    /// Names the hibernation partition.
    func set(partition: String) throws(Failure) {
        guard let number = DeviceNumber(path: partition) else {
            throw Failure("find the number of", partition, "it is no block device")
        }
        try system.write(ResumeSetting.file, "\(number.major):\(number.minor)")
    }
}
