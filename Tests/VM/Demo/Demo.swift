// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines

/// Shows a whole cycle on the terminal: a guest hibernates through kernel B, its machine powers off, a new machine boots
/// kernel C, and the guest continues.
@main
struct Demo {
    static func main() throws {
        let lab = try Lab("demo")
        var a = try lab.kernelA(
            "a", disks: [try lab.partitionedDisk(), try lab.disk("other", 16 << 20)],
            """
            say() { echo "$*" >$verdict; }
            shell() { printf '\\n# %s\\n' "$*"; "$@" || fail "$*"; }
            hostname demo
            mkdir -p /etc
            printf 'device = /dev/vda1\\nkernel = /boot/bzImage\\ninitrd = /boot/rootfs.gz\\n' >/etc/torpor.conf
            start_session
            shell torpor format /dev/vda1
            shell torpor check
            printf '\\nA process counts; it has come to %s.\\n' $count
            say trigger
            shell torpor hibernate | tee /tmp/report
            printf '\\nThe process has come to %s.\\n\\n' $(cat /tmp/count)
            say running $(grep "^resumed: " /tmp/report)
            expect_session /dev/vdb
            """)
        a.commandLine = "quiet"
        a.showsConsole = true
        banner("A machine boots kernel A, which hibernates through kernel B.")
        let saved = try lab.run(a)
        banner("The machine is off. A new one boots kernel C with the same disk.")
        let resumed = try lab.run(lab.kernelC("c", like: a))
        for line in resumed.verdicts("ok") { print("demo: \(line)") }
        guard saved.verdicts("FAILED").isEmpty, resumed.verdicts("FAILED").isEmpty, resumed.verdict.last == "done",
            let trigger = zip(saved.verdict, saved.verdictTimes).first(where: { $0.0 == "trigger" })?.1,
            let running = zip(resumed.verdict, resumed.verdictTimes).first(where: { $0.0.hasPrefix("running ") })
        else {
            print("demo: failed; the consoles are in \(lab.folder.path)")
            exit(1)
        }
        print(
            String(
                format: "demo: %.1f s from the command to power-off, %.1f s from power-on to running again; %@",
                saved.seconds - trigger, running.1, String(running.0.dropFirst("running ".count))))
    }

    /// Writes a line at once, so that it precedes the console output.
    private static func banner(_ text: String) { FileHandle.standardOutput.write(Data("\n--- \(text)\n\n".utf8)) }
}
