// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import Fixtures
import Foundation
import Linux
import Testing

@testable import Hibernation

@Suite(.serialized) struct AttendanceTests {
    private let terminal: Pseudoterminal
    private let state: ChildState

    init() throws {
        terminal = try Pseudoterminal()
        state = try ChildState()
        blockChildSignal()
    }

    private func attendance(needsImage: Bool = false) -> Attendance {
        Attendance(
            stopping: "give up", reason: "a person gave it up with", needsImage: needsImage,
            consoles: "\(terminal.path.dropFirst(5)) -W- (EC  ) 136:0")
    }

    /// What becomes of a child that does `work`, if a person presses keys when it has begun.
    private func run(
        _ text: String, needsImage: Bool = false, _ work: (ChildState) throws(Failure) -> Void
    ) throws -> String? {
        var watch = ChildWatch(
            state: state, log: KernelLog(showsAll: false), verb: "working", progressTimeoutSeconds: 5)
        watch.persons = attendance(needsImage: needsImage)
        let typist = Thread { [terminal] in
            // Later than the consoles drop earlier input; the child takes longer.
            for _ in 0..<10 {
                usleep(300_000)
                terminal.type(text)
            }
        }
        typist.start()
        return watch.run { () throws(Failure) in try work(state) }
    }

    @Test func aKeyStopsTheChild() throws {
        let start = monotonicMilliseconds()
        let reason = try run("\u{3}") { state in
            state.stage = .working
            state.text = "the child writes here too"
            sleep(milliseconds: 60_000)
        }
        #expect(reason == "a person gave it up with Ctrl-C on \(terminal.path)")
        #expect(state.ending == .stopped && state.stage == .working)
        #expect(monotonicMilliseconds() - start < 5000, "it was the key, not the timeout")
    }

    @Test func otherKeysDoNot() throws {
        let reason = try run("\u{1b}[Aq\u{1b}OP\r") { (_) throws(Failure) in
            sleep(milliseconds: 3000)
            throw Failure("write", "/dev/x", "the disk is gone")
        }
        #expect(reason == "write /dev/x: the disk is gone")
        #expect(state.ending == .failed)
    }

    /// Past this point the image may be complete.
    @Test func nothingStopsACommit() throws {
        let reason = try run("\u{3}") { state in
            state.stage = .committing
            sleep(milliseconds: 3000)
            state.stage = .committed
        }
        #expect(reason == nil && state.ending == nil && state.stage == .committed)
    }

    /// Before kernel C has found an image, there is no session to ask about.
    @Test(arguments: [true, false]) func waitsForAnImage(isKnown: Bool) throws {
        let reason = try run("\u{3}", needsImage: true) { state in
            if isKnown { state.imageUUID = Basics.UUID("aaaaaaaa-89ab-4cde-8f01-23456789abcd") ?? .zero }
            sleep(milliseconds: 3000)
        }
        #expect((reason == nil) == !isKnown)
        #expect(state.ending == (isKnown ? .stopped : nil))
    }
}
