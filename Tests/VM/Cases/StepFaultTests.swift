// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines
import MemoryImage
import Testing

extension MachineTests {
    /// Each step of kernels B and C fails, traps, is killed or hangs, and PID 1 takes the action of its role.
    ///
    /// With TORPOR_TORTURE, each step fails in each way; without it, each step fails in one way, an error or a kill in turn.
    @Suite(.serialized) struct StepFaultTests {
        private static func kinds(_ number: Int) -> [String] {
            isTorture ? ["error", "trap", "kill", "hang"] : [number % 2 == 0 ? "kill" : "error"]
        }

        /// The steps, and the kinds of fault after which kernel B continues without the step.
        private static let saveSteps: [(name: String, withoutIt: Set<String>)] = [
            ("modules", []), ("jump-back", ["error", "trap", "kill", "hang"]), ("session", []), ("own-memory", []),
            ("machine", []),
            ("page-map", ["error"]), ("partition", []), ("fingerprints", []), ("free-pages", ["error"]), ("begin", []),
            ("pages", []),
            ("finish", []), ("end", []), ("report", []),
        ]

        @Test(.completeRunOnly) func kernelBJumpsBackFromEveryStep() throws {
            let lab = try Lab("save-steps")
            var script = """
                dd if=/dev/urandom of=/tmp/data bs=1M count=16 2>/dev/null
                md5sum /tmp/data >/tmp/sum
                expect format torpor format /dev/vda1
                faulty() {
                    case $1 in *:hang) timeouts="torpor.wait=1 torpor.patience=1" ;; *) timeouts= ;; esac
                    hibernate --append "$timeouts torpor.fault=$1" $2
                }

                """
            for (number, step) in Self.saveSteps.enumerated() {
                for kind in Self.kinds(number) {
                    let fault = "\(step.name):\(kind)"
                    if step.withoutIt.contains(kind) {
                        script += "expect \(fault) faulty \(fault) '--after return'\n"
                    } else {
                        let reason =
                            switch (step.name, kind) {
                            case ("report", _): "neither kernel B nor kernel C left a report"
                            case (_, "error"): "run the step \(step.name): torpor.fault= made it fail"
                            case (_, "trap"): "was killed by signal 4"
                            case (_, "kill"): "was killed by signal 9"
                            default: "no progress"
                            }
                        script += "refuses \(fault) '\(reason)' faulty \(fault) '--after return'\n"
                    }
                }
            }
            // The child is killed when the image is complete and ready. The session continues, so nobody may resume the image.
            script += """
                refuses ready "was killed by signal 9" faulty end:kill
                torpor status --json >/tmp/status
                expect "given up" grep -q '"reason" : "its session went on"' /tmp/status
                expect "the data are unchanged" md5sum -c /tmp/sum

                """
            var a = try lab.kernelA("a", disks: [try lab.partitionedDisk("hibernation", 512 << 20)], script)
            a.memory = "512M"
            a.timeout = 900
            try lab.run(a).expectDone()
            try lab.run(lab.kernelC("c", like: a)).expectConsole("it holds an image of a hibernation that failed")
        }

        @Test func kernelCTakesTheFallbackFromEveryStep() throws {
            let lab = try Lab("restore-steps")
            let root = try lab.disk("root", 64 << 20)
            try Guest.makeRootFileSystem(on: root, "say loaded $(cat /sys/kernel/kexec_loaded)")
            let a = try lab.savedMachine(others: [root])
            let image = a.disks[0].image
            let early = ["partition", "image", "machine", "fingerprints", "attempt"]
            for (number, step) in (early + ["pages", "jump", "report", "consume", "end", "modules"])
                .enumerated()
            {
                for kind in Self.kinds(number) {
                    var c = lab.kernelC(
                        "\(step)-\(kind)", like: a,
                        "\(kind == "hang" ? "torpor.wait=1 torpor.patience=1 " : "")torpor.fault=\(step):\(kind)")
                    c.disks[0].image = try lab.copy(image, "copy")
                    let result = try lab.run(c)
                    let state = try lab.superblock(c).state
                    // Kernel C continues without a report and without modules that nothing needs, and nothing stops it after
                    // the point of no return.
                    if step == "end" || step == "modules" || step == "report" && kind == "error" {
                        #expect(state == .consumed, "\(step):\(kind)")
                        result.expectConsole("torpor: jumping into kernel A")
                        #expect(result.verdict.last == "done", "the session did not continue")
                        // Without a report, torpor hibernate cannot print a success.
                        if step != "report" { result.expectDone() }
                        continue
                    }
                    result.expectNoSession("torpor: not resuming:")
                    #expect(
                        state == (kind == "error" || early.contains(step) ? .ready : .attempted), "\(step):\(kind)")
                }
            }
            // In the fallback no jump is loaded: an init would restart into it.
            var fallback = lab.kernelC(
                "fallback", like: a, "root=/dev/vdb torpor.fault=consume:error", refused: "root")
            fallback.disks[0].image = try lab.copy(image, "copy")
            let gone = try lab.run(fallback)
            gone.expectConsole("not resuming: run the step consume: torpor.fault= made it fail")
            #expect(gone.verdict == ["loaded 0", "done"])
            #expect(try lab.superblock(fallback).state == .attempted, "the image is not given up")
            // An incomplete attempt is resumed only with torpor.retry.
            var c = lab.kernelC("refused", like: a)
            try lab.updateSuperblock(of: image) { $0.state = .attempted }
            try lab.run(c).expectConsole("to try again, boot with torpor.retry")
            c = lab.kernelC("retried", like: a, "torpor.retry")
            try lab.run(c).expectDone()
        }
    }
}
