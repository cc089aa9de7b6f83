// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import Testing

@testable import Hibernation
@testable import MemoryImage

/// What a refusal leaves on the partition.
@Suite struct ResumeRefusalTests {
    private let folder: TemporaryFolder
    private let partition: HibernationPartition
    private static let image = Basics.UUID("aaaaaaaa-89ab-4cde-8f01-23456789abcd") ?? .zero

    init() throws {
        folder = try TemporaryFolder()
        partition = try folder.partition(4 << 20)
    }

    private func set(_ state: Superblock.State, refusals: UInt32 = 0) throws {
        try partition.update { superblock in
            superblock.state = state
            superblock.imageUUID = Self.image
            superblock.refusals = refusals
            superblock.isGivenUp = false
            superblock.reason = "before"
        }
    }

    /// As the next kernel finds it.
    private var found: Superblock { get throws { try HibernationPartition(partition.path).superblock } }

    private static let mendable = ResumeRefusal(reason: "the disk is missing")
    private static let final = ResumeRefusal(reason: "it was used since", isFinal: true)
    private static let ended = ResumeRefusal(reason: "signal 4", isClean: false)

    /// A refusal after `attempted` was written, a clean one or one in the middle.
    private static func late(_ refusal: ResumeRefusal) -> ResumeRefusal {
        var refusal = refusal
        refusal.hasAttempted = true
        return refusal
    }

    /// - Parameter path: the partition; nil if there is none.
    private func note(_ refusal: ResumeRefusal, on path: String?, isRetrying: Bool) throws(Failure) -> RefusedSession {
        var partition: HibernationPartition?
        if let path { partition = try HibernationPartition(path, .write) }
        return try noteRefusal(refusal, on: partition, isRetrying: isRetrying)
    }

    @Test func aSessionStaysPendingHoweverOftenItIsRefused() throws {
        try set(.ready)
        for number in 1...4 as ClosedRange<UInt32> {
            let session = try note(Self.mendable, on: partition.path, isRetrying: false)
            #expect(session == .pending(refusals: number))
            let superblock = try found
            #expect(superblock.state == .ready && superblock.refusals == number)
            #expect(superblock.reason == "the disk is missing" && superblock.imageUUID == Self.image)
        }
    }

    /// A key is no fault of the image, and nothing to count.
    @Test(arguments: [Superblock.State.ready, .attempted]) func aStopIsNotCounted(state: Superblock.State) throws {
        try set(state, refusals: 3)
        let refusal = ResumeRefusal(
            reason: "a person stopped it", isStopped: true, hasAttempted: state == .attempted, image: Self.image)
        #expect(try note(refusal, on: partition.path, isRetrying: false) == .pending(refusals: 3))
        let superblock = try found
        #expect(superblock.state == .ready && superblock.refusals == 3 && superblock.reason == "before")
    }

    @Test func countsUpToTheEndOfNumbers() throws {
        try set(.ready, refusals: .max)
        #expect(try note(Self.mendable, on: partition.path, isRetrying: false) == .pending(refusals: .max))
    }

    @Test(
        arguments: [
            // The child was ended before it attempted anything: nothing has changed.
            (.ready, ended, false, .ready, 2), (.ready, late(ended), false, .ready, 2),
            (.ready, final, false, .ready, 1),
            // Refused while the pages were read, by itself: only unused memory has changed.
            (.attempted, late(mendable), false, .ready, 2), (.attempted, late(final), false, .ready, 1),
            // Ended while the pages were read: it may be what stops the machine.
            (.attempted, late(ended), false, .attempted, 1),
            // An earlier attempt did not come through, and this boot has attempted nothing.
            (.attempted, mendable, false, .attempted, 1), (.attempted, ended, false, .attempted, 1),
            (.attempted, final, false, .attempted, 1),
            // A person asked for another attempt.
            (.attempted, mendable, true, .ready, 2), (.attempted, ended, true, .attempted, 1),
            // Nothing to keep.
            (.empty, mendable, false, .empty, 1), (.saving, final, false, .saving, 1),
            (.consumed, late(mendable), false, .consumed, 1), (.failed, final, false, .failed, 1),
            (.snapshot, mendable, true, .snapshot, 1),
        ] as [(Superblock.State, ResumeRefusal, Bool, Superblock.State, UInt32)])
    func keepsAResumableImage(
        before: Superblock.State, refusal: ResumeRefusal, isRetrying: Bool, after: Superblock.State, refusals: UInt32
    ) throws {
        try set(before, refusals: 1)
        let generation = try found.generation
        let session = try note(refusal, on: partition.path, isRetrying: isRetrying)
        let superblock = try found
        #expect(superblock.state == after && superblock.refusals == refusals)
        #expect(session == (after == .ready ? .pending(refusals: refusals) : after == .attempted ? .attempted : .none))
        // What is not about this boot is not written.
        let isNoted = after == .ready || before == .attempted && refusal.hasAttempted
        #expect(superblock.reason == (isNoted ? refusal.reason : "before"))
        #expect((superblock.generation == generation) == !isNoted)
    }

    /// The power went, or the device: `attempted` is on disk, and nothing says whether the next attempt stops the machine
    /// again. It waits for a person, who can have it tried again or give it up.
    @Test func anAttemptThatCouldNotBeNotedWaitsForAPerson() throws {
        try set(.attempted, refusals: 1)
        var refusal = Self.mendable
        refusal.image = Self.image
        for _ in 1...3 {
            #expect(try note(refusal, on: partition.path, isRetrying: false) == .attempted)
            #expect(try found.state == .attempted && found.reason == "before" && found.refusals == 1)
        }
        // Nothing restarts by itself, whatever the parameters say.
        for choice in [nil, .ask, .powerOff, .reboot, .root] as [RefusalChoice?] {
            let policy = RefusalPolicy(choice: choice, canBootRoot: true)
            #expect(policy.decision(refusals: nil).otherwise != .restart)
        }
        var superblock = try found
        let isAllowed = superblock.allowAttempt()
        #expect(isAllowed && superblock.state == .ready && superblock.refusals == 1)
        superblock = try found
        let isMarked = superblock.giveUp(refusal)
        #expect(isMarked && superblock.state == .attempted && superblock.isGivenUp && superblock.reason == "before")
        try partition.retireImage { $0 = superblock }
        #expect(try found.isGivenUp)
        // What was given up is asked about no more, and not tried again by a key.
        #expect(try note(refusal, on: partition.path, isRetrying: false) == .none)
        let isAllowedAgain = superblock.allowAttempt(), isMarkedAgain = superblock.giveUp(refusal)
        #expect(!isAllowedAgain && !isMarkedAgain)
        // torpor.retry tries it again, and what becomes of that attempt is open again.
        superblock.beginAttempt()
        #expect(superblock.state == .attempted && !superblock.isGivenUp)
        try partition.discardImage()
        #expect(try !found.isGivenUp)
    }

    @Test func aSessionThatIsGivenUpIsMarkedSo() throws {
        try set(.ready)
        var superblock = try found
        var refusal = Self.final
        refusal.image = .zero
        var isMarked = superblock.giveUp(refusal)
        #expect(!isMarked && superblock.state == .ready, "another image")
        refusal.image = Self.image
        isMarked = superblock.giveUp(refusal)
        #expect(isMarked && superblock.isGivenUp && superblock.reason == "it was used since")
        for state in [Superblock.State.empty, .saving, .consumed, .failed, .snapshot] {
            superblock.state = state
            superblock.isGivenUp = false
            isMarked = superblock.giveUp(refusal)
            #expect(!isMarked && superblock.state == state)
        }
    }

    /// The image was found, and its device went while it was read.
    @Test func aPartitionThatIsGoneMayStillHoldASession() throws {
        var refusal = Self.late(Self.mendable)
        refusal.image = Self.image
        #expect(try note(refusal, on: nil, isRetrying: false) == .unknown)
        // Another partition, which nobody has refused, has its place or its name now.
        try set(.ready)
        refusal.image = .zero
        let generation = try found.generation
        #expect(try note(refusal, on: partition.path, isRetrying: false) == .unknown)
        #expect(try found.generation == generation)
    }

    /// The kernel refused the jump after the image was marked: nothing was resumed, so it waits again.
    @Test func aJumpThatWasRefusedConsumesNothing() throws {
        try set(.consumed)
        var refusal = Self.late(Self.mendable)
        refusal.consumedImage = .zero
        #expect(try note(refusal, on: partition.path, isRetrying: false) == .none, "another image")
        refusal.consumedImage = Self.image
        #expect(try note(refusal, on: partition.path, isRetrying: false) == .pending(refusals: 1))
        #expect(try found.state == .ready)
    }

    @Test func failsIfTheRefusalCannotBeWritten() throws {
        #expect(try note(Self.mendable, on: nil, isRetrying: false) == .none, "this machine does not hibernate")
        #expect(throws: Failure.self) { try note(Self.mendable, on: folder.path("missing"), isRetrying: false) }
        try set(.ready)
        // No superblock can follow the last generation.
        var last = partition.superblock
        last.generation = .max
        let file = try #require(FileHandle(forUpdatingAtPath: partition.path))
        try file.write(contentsOf: Data(last.encoded()))
        #expect(throws: Failure.self) { try note(Self.mendable, on: partition.path, isRetrying: false) }
    }

    /// The refusals in a row end with the image.
    @Test func aResumeOrANewImageBeginsAnew() throws {
        try set(.ready, refusals: 4)
        _ = try ImageWriter(partition, imageUUID: Self.image, codec: .none)
        #expect(try found.refusals == 0)
        try set(.ready, refusals: 4)
        try partition.discardImage()
        #expect(try found.refusals == 0)
    }
}
