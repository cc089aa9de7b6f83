// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// A block device, or a file in its place. Reads and writes bypass the page cache, because three kernels use the same disk
/// in turn.
public final class DeviceStore: BlockStore, @unchecked Sendable {
    /// Flags of open(2).
    public typealias Options = File.Options

    private let file: File

    /// Opens a device; by default only for reading. A file whose file system cannot bypass the page cache is opened without
    /// O_DIRECT.
    public init(_ path: String, _ options: Options = []) throws(Failure) {
        file = try File(aroundCache: path, options)
        super.init(path: path)
    }

    public override func byteCount() throws(Failure) -> UInt64 { try DeviceGeometry(of: file).byteCount }

    public override func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Failure) {
        try file.read(into: buffer, at: offset)
    }

    public override func write(_ buffer: UnsafeRawBufferPointer, at offset: UInt64) throws(Failure) {
        try file.write(buffer, at: offset)
    }

    public override func flush() throws(Failure) { try file.flush() }

    public override func discard(_ bytes: DeviceRange) -> Bool { file.discard(bytes) }

    public override func zeroOut(_ bytes: DeviceRange) throws(Failure) { try file.zeroOut(bytes) }

    public override func contentType() throws(Failure) -> String? { try probeContent(file).type }

    public override func eraseSignatures(within range: DeviceRange?) throws(Failure) -> Bool {
        // libblkid reads into buffers of its own, which O_DIRECT does not take. The other descriptor keeps O_EXCL.
        try wipeSignatures(File(path, .write), within: range)
    }

    public override func dropBuffers() { Linux.dropBuffers(file) }
}
