// SPDX-License-Identifier: Apache-2.0
import Fixtures
import Foundation
import Machines
import MemoryImage
import Testing

extension MachineTests {
    /// Machines that are killed at random moments: a complete image resumes once, an incomplete one is refused.
    @Suite(.serialized) struct KilledMachineTests {
        @Test(.completeRunOnly) func resumesACompleteImageAfterAKillWhileSaving() throws {
            let lab = try Lab("killed-saving")
            let formatted = try lab.formattedDisk("formatted")
            var a = try lab.sessionMachine(disk: try lab.copy(formatted, "whole"), mebibytes: 64)
            let whole = try lab.run(a)
            let duration = whole.seconds - (try time("trigger", whole))
            var random = SeededGenerator(seed: 1)
            var outcomes: [String: Int] = [:]
            let count = isTorture ? 100 : 3
            for number in 0..<count {
                a.name = "killed-\(number)"
                a.disks[0].image = try lab.copy(formatted, "disk")
                let (cut, state) = try runUntilCut(
                    a, "trigger", moment(number, of: count, in: 0...duration * 1.05, &random), lab)
                #expect(cut.isCut || state == .ready, "it powered off without an image")
                let c = try lab.run(lab.kernelC("after-\(number)", like: a))
                switch state {
                case .ready: c.expectSession()
                case .empty: c.expectNoSession("nothing to resume: /dev/vda1 holds no image")
                default: c.expectNoSession("it holds an incomplete image")
                }
                outcomes["found \(state), \(state == .ready ? "resumed" : "refused")", default: 0] += 1
            }
            report("killed while saving", outcomes)
        }

        @Test func resumesOnceAfterAKillWhileResuming() throws {
            let lab = try Lab("killed-resuming")
            let a = try lab.savedMachine()
            let image = a.disks[0].image
            var c = lab.kernelC("whole", like: a)
            c.disks[0].image = try lab.copy(image, "whole")
            let whole = try lab.run(c)
            whole.expectSession()
            let duration = try time("running", whole)
            var random = SeededGenerator(seed: 2)
            var outcomes: [String: Int] = [:]
            let count = isTorture ? 50 : 3
            for number in 0..<count {
                c.name = "killed-\(number)"
                c.disks[0].image = try lab.copy(image, "disk")
                let (cut, state) = try runUntilCut(
                    c, nil, moment(number, of: count, in: duration * 0.3...duration * 1.1, &random), lab)
                let isRunning = cut.verdict.contains("running")
                #expect(!isRunning || state == .consumed, "the session runs, but its image is not consumed")
                c.name = "after-\(number)"
                let after = try lab.run(c)
                switch state {
                case .ready: after.expectSession()
                case .attempted:
                    after.expectNoSession("an earlier resume of its image did not complete")
                    var retried = c
                    retried.name = "retried-\(number)"
                    retried.commandLine += " torpor.retry"
                    try lab.run(retried).expectSession()
                default: after.expectNoSession("nothing to resume: /dev/vda1 holds an image that was already resumed")
                }
                let outcome =
                    switch state {
                    case .ready: "resumed"
                    case .attempted: "refused, and resumed with torpor.retry"
                    default: isRunning ? "was running, refused" : "about to run, refused"
                    }
                outcomes["found \(state), \(outcome)", default: 0] += 1
            }
            report("killed while resuming", outcomes)
        }

        /// Runs a machine until a power cut, some seconds after a verdict line or after power-on; reads the state on its disk.
        private func runUntilCut(
            _ machine: Machine, _ line: String?, _ seconds: Double, _ lab: Lab
        ) throws -> (result: Machine.Result, state: Superblock.State) {
            var machine = machine
            machine.powerCut = (line, seconds)
            let result = try lab.run(machine)
            return (result, try lab.superblock(machine).state)
        }

        /// A random moment, in seconds: divides a time into `count` equal parts and chooses a moment in part `number`.
        private func moment(
            _ number: Int, of count: Int, in time: ClosedRange<Double>, _ random: inout SeededGenerator
        ) -> Double {
            let part = (time.upperBound - time.lowerBound) / Double(count)
            return time.lowerBound + part * (Double(number) + Double.random(in: 0...1, using: &random))
        }

        private func time(_ word: String, _ result: Machine.Result) throws -> Double {
            try #require(zip(result.verdict, result.verdictTimes).first { $0.0 == word }?.1)
        }

        private func report(_ fault: String, _ outcomes: [String: Int]) {
            for (outcome, count) in outcomes.sorted(by: { $0.key < $1.key }) { print("\(fault): \(outcome): \(count)") }
        }
    }
}
