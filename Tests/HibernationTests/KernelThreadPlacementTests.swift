// SPDX-License-Identifier: Apache-2.0
import Foundation
import Linux
import Testing

@testable import Hibernation

@Suite struct KernelThreadPlacementTests {
    private static let folder = "sys/devices/virtual/workqueue"

    /// What the placement does to threads, in a fake system that follows.
    private final class Moves {
        let system: FakeSystem
        var log: [String] = []

        init() throws {
            system = try FakeSystem()
            try system.write("\(folder)/cpumask", "3\n")
            try system.addProcess(1, "init")
            try system.addKernelThread(20, "jbd2/vda1-8", processors: "3")
            try system.addKernelThread(21, "kswapd0", processors: "2")
            try system.addKernelThread(22, "ext4lazyinit", processors: "1")
            try system.addKernelThread(23, "kworker/1:1-events", isBound: true, processors: "2")
            try system.addKernelThread(25, "irq/9-acpi", processors: "2")
            try system.addKernelThread(24, "kworker/u8:2-flush-254:16", state: "D", isBound: true, processors: "3")
        }

        var placement: KernelThreadPlacement {
            KernelThreadPlacement(system.folders) { [self] thread, processors in
                let text = processors == .first ? "1" : processors == ProcessorMask(kernelText: "3") ? "3" : "2"
                log.append("\(thread) \(text)")
                do {
                    let name = try readText("\(system.root)/proc/\(thread)/comm").trimmingCharacters(in: .newlines)
                    try system.addKernelThread(Int(thread), name, processors: text)
                } catch { Issue.record(error) }
            }
        }

        var mask: String { (try? readText("\(system.root)/\(folder)/cpumask")) ?? "" }
    }

    @Test func movesKernelThreadsToCPU0AndBack() throws {
        let moves = try Moves()
        do {
            let placement = moves.placement
            #expect(
                moves.log.sorted() == ["20 1", "21 1"], "init, a per-CPU worker or a worker of a workqueue was moved")
            #expect(moves.mask == "1\n")
            moves.log = []
            placement.restore()
        }
        #expect(moves.log.sorted() == ["20 3", "21 2"])
        #expect(moves.mask == "3\n")
    }

    /// The path of a refusal: nothing calls `restore`.
    @Test func movesThemBackIfTheJumpFails() throws {
        struct Refusal: Error {}
        let moves = try Moves()
        func hibernate() throws {
            let placement = moves.placement
            defer { withExtendedLifetime(placement) {} }
            throw Refusal()
        }
        #expect(throws: Refusal.self) { try hibernate() }
        #expect(moves.log.suffix(2).sorted() == ["20 3", "21 2"])
        #expect(moves.mask == "3\n")
    }

    /// A thread that has ended, whose number another one has now; and one that somebody else moved in the meantime.
    @Test func leavesThreadsThatAreNotItsOwn() throws {
        let moves = try Moves()
        do {
            let placement = moves.placement
            try moves.system.addKernelThread(20, "nfsd", processors: "1")
            try moves.system.addKernelThread(21, "kswapd0", processors: "3")
            moves.log = []
            placement.restore()
        }
        #expect(moves.log == [])
    }

    /// From Linux 6.9 on, `cpumask` lacks isolated CPUs. What was written must come back.
    @Test func restoresTheRequestedMask() throws {
        let moves = try Moves()
        try moves.system.write("\(Self.folder)/cpumask_requested", "f\n")
        do { moves.placement.restore() }
        #expect(moves.mask == "f\n")
    }

    @Test func doesWithoutAMaskOfWorkqueues() throws {
        let moves = try Moves()
        try moves.system.remove("\(Self.folder)/cpumask")
        do { moves.placement.restore() }
        #expect(!FileManager.default.fileExists(atPath: "\(moves.system.root)/\(Self.folder)/cpumask"))
    }

    @Test func waitsForWorkThatHasBegun() throws {
        let moves = try Moves()
        let placement = moves.placement
        // The time is over before the worker is idle.
        placement.waitForOldWorkers(milliseconds: 0)
        let system = moves.system, end = DispatchSemaphore(value: 0)
        let worker = Thread {
            defer { end.signal() }
            Thread.sleep(forTimeInterval: 0.1)
            try? system.addKernelThread(24, "kworker/u8:2-flush-254:16", state: "I", isBound: true, processors: "3")
        }
        let start = Date()
        worker.start()
        placement.waitForOldWorkers(milliseconds: 60_000)
        let seconds = Date().timeIntervalSince(start)
        end.wait()
        #expect(0.1 <= seconds && seconds < 50)
        #expect(!ProcessTable(system.folders.proc).isBusy(24))
        // A worker that has ended is not busy.
        try system.remove("proc/24")
        placement.waitForOldWorkers(milliseconds: 60_000)
        placement.restore()
    }
}
