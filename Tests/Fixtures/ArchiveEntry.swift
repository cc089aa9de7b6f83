// SPDX-License-Identifier: Apache-2.0
import Foundation

/// An entry of an archive of the format newc.
public func archiveEntry(
    _ name: String, _ content: [UInt8], mode: Int = 0o100644, magic: String = "070701"
) -> [UInt8] {
    var fields = [Int](repeating: 0, count: 13)
    (fields[1], fields[6], fields[11]) = (mode, content.count, name.utf8.count + 1)
    var bytes = Array((magic + fields.map { String(format: "%08X", $0) }.joined() + name + "\0").utf8)
    func pad() { while bytes.count % 4 != 0 { bytes.append(0) } }
    pad()
    bytes += content
    pad()
    return bytes
}
