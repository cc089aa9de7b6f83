// SPDX-License-Identifier: Apache-2.0
import Basics
import Hibernation

/// What a hibernation would take, as JSON and as lines of text.
struct EstimateOutput: Codable, Equatable {
    let usedBytes, zeroBytes, freeBytes, imageBytes: UInt64
    let saveMilliseconds, resumeMilliseconds: UInt64
    let codec: String
    /// nil if the disk was not measured.
    let writeBytesPerSecond, readBytesPerSecond: UInt64?
    /// The time before the first page is saved, as the last hibernation or rehearsal took it; nil if there was none.
    let overheadMilliseconds: UInt64?
    /// Whether the image fits on the partition.
    let fits: Bool
    /// The end of the space for an image on the partition.
    let capacityBytes: UInt64

    init(_ estimate: Estimate, overheadMilliseconds: UInt64?) {
        usedBytes = estimate.usedBytes
        zeroBytes = estimate.zeroBytes
        freeBytes = estimate.freeBytes
        imageBytes = estimate.imageBytes
        saveMilliseconds = estimate.saveMilliseconds
        resumeMilliseconds = estimate.resumeMilliseconds
        codec = estimate.codec.description
        writeBytesPerSecond = estimate.rates?.write
        readBytesPerSecond = estimate.rates?.read
        self.overheadMilliseconds = overheadMilliseconds
        fits = estimate.fits
        capacityBytes = estimate.capacityBytes
    }

    /// From the command to the last byte on the disk, as far as it is known.
    var hibernateMilliseconds: UInt64 { saveMilliseconds &+ (overheadMilliseconds ?? 0) }

    /// The estimate for people.
    /// - Parameter size: writes a number of bytes.
    func lines(_ size: (UInt64) -> String) -> [String] {
        var first = "estimate: \(size(usedBytes)) of memory in use, about \(size(imageBytes)) on disk with \(codec)"
        if let writeBytesPerSecond, let readBytesPerSecond {
            first += "; the disk writes \(size(writeBytesPerSecond))/s and reads \(size(readBytesPerSecond))/s"
        }
        var second = "estimate: saving takes about \(describe(milliseconds: saveMilliseconds)), "
        second += "resuming about \(describe(milliseconds: resumeMilliseconds))"
        if let overheadMilliseconds {
            second += ", after \(describe(milliseconds: overheadMilliseconds)) to start the second kernel"
        } else {
            second += ", each after the start of a second kernel: torpor hibernate --rehearse measures that"
        }
        return [first, second] + (fitFailure(size).map { ["warning: \($0)"] } ?? [])
    }

    /// Why the image would not fit; nil if it fits.
    func fitFailure(_ size: (UInt64) -> String) -> String? {
        if fits { return nil }
        return
            "the image would take about \(size(imageBytes)) of the partition, which has space up to \(size(capacityBytes)); "
            + "use a larger partition, or a codec that compresses better"
    }

    /// Refuses a hibernation that is estimated to take longer than there is time.
    func require(deadline seconds: UInt64) throws(Failure) {
        guard hibernateMilliseconds > seconds &* 1000 else { return }
        throw Failure(
            "hibernate", "within \(seconds) s",
            "it is estimated to take \(describe(milliseconds: hibernateMilliseconds))",
            remedy: "shut down instead, or use a faster disk or codec")
    }
}
