// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines
import MemoryImage
import Testing

extension MachineTests {
    /// Each step of kernels B and C fails, traps, is killed or hangs, and the designed way out is taken.
    ///
    /// With TORPOR_TORTURE set, each step does so in each way; else it fails or is killed, by turns.
    @Suite(.serialized) struct StepFaults {
        private static func kinds(_ number: Int) -> [String] {
            isTorture ? ["error", "trap", "kill", "hang"] : [number % 2 == 0 ? "kill" : "error"]
        }

        /// A step, and whether kernel B does without it when it fails, or is killed.
        private static let saveSteps: [(name: String, withoutIt: Set<String>)] = [
            ("jump-back", ["error", "trap", "kill", "hang"]), ("session", []), ("own-memory", []), ("machine", []),
            ("page-map", ["error"]), ("partition", []), ("fingerprints", []), ("free-pages", ["error"]), ("begin", []),
            ("pages", []),
            ("finish", []), ("end", []), ("report", []),
        ]

        @Test func kernelBComesBackFromEveryStep() throws {
            let lab = try Lab("save-steps")
            var script = """
                dd if=/dev/urandom of=/tmp/data bs=1M count=16 2>/dev/null
                md5sum /tmp/data >/tmp/sum
                expect format torpor format /dev/vda1
                faulty() {
                    case $1 in *:hang) patience="torpor.wait=1 torpor.patience=1" ;; *) patience= ;; esac
                    hibernate --append "$patience torpor.fault=$1" $2
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
                            case (_, "error"): "run the step \(step.name): torpor.fault= asks for it"
                            case (_, "trap"): "was ended by signal 4"
                            case (_, "kill"): "was ended by signal 9"
                            default: "no progress"
                            }
                        script += "refuses \(fault) '\(reason)' faulty \(fault) '--after return'\n"
                    }
                }
            }
            // Killed with the image complete and ready: the session goes on, so the image must not.
            script += """
                refuses ready "was ended by signal 9" faulty end:kill
                torpor status --json >/tmp/status
                expect "given up" grep -q '"reason" : "its session went on"' /tmp/status
                expect "the data are unchanged" md5sum -c /tmp/sum

                """
            var a = try lab.kernelA("a", disks: [try lab.partitionedDisk("hibernation", 512 << 20)], script)
            a.memory = "512M"
            a.timeout = 900
            try lab.run(a).expectDone()
            try lab.run(lab.kernelC("c", like: a)).expectConsole("it holds an image that could not be completed")
        }

        @Test func kernelCTakesTheFallbackFromEveryStep() throws {
            let lab = try Lab("restore-steps")
            let root = try lab.disk("root", 64 << 20)
            try Guest.makeRootFileSystem(on: root, "say loaded $(cat /sys/kernel/kexec_loaded)")
            let a = try lab.savedMachine(others: [root])
            let image = a.disks[0].image
            let early = ["partition", "image", "machine", "fingerprints", "attempt"]
            for (number, step) in (early + ["pages", "jump", "report", "consume", "end"]).enumerated() {
                for kind in Self.kinds(number) {
                    var c = lab.kernelC(
                        "\(step)-\(kind)", like: a,
                        "\(kind == "hang" ? "torpor.wait=1 torpor.patience=1 " : "")torpor.fault=\(step):\(kind)")
                    c.disks[0].image = try lab.copy(image, "copy")
                    let result = try lab.run(c)
                    let state = try lab.superblock(c).state
                    // Kernel C does without a report, and past the point of no return nothing stops it.
                    if step == "end" || step == "report" && kind == "error" {
                        #expect(state == .consumed, "\(step):\(kind)")
                        result.expectConsole("torpor: jumping into kernel A")
                        #expect(result.verdict.last == "done", "the session went on")
                        // Without a report, torpor hibernate cannot say that all went well.
                        if step == "end" { result.expectDone() }
                        continue
                    }
                    result.expectNoSession("torpor: not resuming:")
                    #expect(
                        state == (kind == "error" || early.contains(step) ? .ready : .attempted), "\(step):\(kind)")
                }
            }
            // The fallback has no jump loaded: an init would restart into it.
            var fallback = lab.kernelC(
                "fallback", like: a, "root=/dev/vdb torpor.fault=consume:error", refused: "root")
            fallback.disks[0].image = try lab.copy(image, "copy")
            let gone = try lab.run(fallback)
            gone.expectConsole("not resuming: run the step consume: torpor.fault= asks for it")
            #expect(gone.verdict == ["loaded 0", "done"])
            #expect(try lab.superblock(fallback).state == .attempted, "the root file system makes it stale")
            // What did not come through is resumed by who asks for it.
            var c = lab.kernelC("refused", like: a)
            try lab.updateSuperblock(of: image) { $0.state = .attempted }
            try lab.run(c).expectConsole("try it again with torpor.retry")
            c = lab.kernelC("retried", like: a, "torpor.retry")
            try lab.run(c).expectDone()
        }
    }
}
