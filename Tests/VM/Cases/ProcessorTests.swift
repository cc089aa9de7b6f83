// SPDX-License-Identifier: Apache-2.0
import Machines
import Testing

extension MachineTests {
    /// Many CPUs: kernels B and C have little memory, and start as many CPUs as fit.
    @Suite(.serialized) struct ProcessorTests {
        private func expectCycle(
            _ name: String, _ smp: String, online: Int, own: String = "", commandLine: String = "", _ check: String = ""
        ) throws {
            let lab = try Lab(name)
            var a = try lab.kernelA(
                "a", disks: [try lab.formattedDisk(), try lab.disk("other", 16 << 20)],
                """
                start_session
                \(check)
                expect hibernate hibernate
                expect "all CPUs work" cpus_work \(online)
                expect_session /dev/vdb
                """)
            a.smp = smp
            a.commandLine = own
            a.timeout = 900
            try lab.run(a).expectConsole("torpor: powering off")
            try lab.run(lab.kernelC("c", like: a, commandLine)).expectDone()
        }

        @Test(.completeRunOnly) func resumesTwoOfManyPossibleProcessors() throws {
            try expectCycle("possible-cpus", "2,maxcpus=240", online: 2)
        }

        /// `nr_cpus=2` limits kernel A to two CPUs: kernels B and C do not start the others, either.
        @Test func resumesAKernelWithFewerProcessors() throws {
            try expectCycle(
                "nr-cpus", "16", online: 2, own: "nr_cpus=2", commandLine: "nr_cpus=2",
                """
                torpor check $torpor_b >/tmp/check || fail "check: $(cat /tmp/check)"
                expect "it is told" grep -q "parameters of kernel C: .*mem=.* nr_cpus=2" /tmp/check
                """)
        }

        /// Kernel C starts fewer CPUs than kernel A had. The machine must have all of them, but kernel C need not start them.
        @Test(.completeRunOnly) func resumesSixteenProcessorsFromAKernelCWithFour() throws {
            try expectCycle("many-cpus", "16", online: 16, commandLine: "nr_cpus=4")
        }
    }
}
