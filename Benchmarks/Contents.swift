// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines

/// The contents of the guest's memory when it hibernates.
enum Contents: String, CaseIterable, Codable {
    case idle
    /// 50 MiB of random data and 250 MiB of text and programs.
    case mixed = "300M-mixed"
    /// Half of the memory; an eighth of that is random.
    case half = "half-in-use"
    /// 1 GiB, an eighth of it random; a quarter of 4 GiB.
    case gibibyte = "1G-in-use"
    /// 300 MiB of random data.
    case incompressible = "300M-random"

    /// The contents to measure with this much memory, in mebibytes.
    static func cases(memory: Int) -> [Contents] {
        allCases.filter { $0 != .gibibyte || memory >= 4096 }
    }

    /// Mebibytes of random data, and of data from the contents disk.
    func mebibytes(of memory: Int) -> (random: Int, disk: Int) {
        switch self {
        case .idle: (0, 0)
        case .mixed: (50, 250)
        case .half: (memory / 16, memory * 7 / 16)
        case .gibibyte: (128, 896)
        case .incompressible: (300, 0)
        }
    }

    /// The part of a guest's script that fills memory; the contents disk is /dev/vdb.
    func script(memory: Int) -> String {
        let size = mebibytes(of: memory)
        return """
            dd if=/dev/urandom of=/tmp/random bs=1M count=\(size.random) 2>/dev/null
            left=\(size.disk)

            """ + Self.fillFromDisk
    }

    /// Fills memory with `$left` MiB from the contents disk.
    static let fillFromDisk = """
        while [ $left -gt 0 ]; do
            part=$((left < \(ContentsDisk.mebibytes) ? left : \(ContentsDisk.mebibytes)))
            dd if=/dev/vdb of=/tmp/contents.$left bs=1M count=$part iflag=direct 2>/dev/null
            left=$((left - part))
        done

        """
}

/// A disk with data to fill guests' memory: text and programs in turn, the same in every run on one machine.
struct ContentsDisk {
    static let mebibytes = 128
    let image: URL

    init(_ lab: Lab) throws {
        image = lab.folder.appending(path: "contents.img")
        let size = Self.mebibytes << 20, piece = 4 << 20
        let text = try Self.text(size / 2), programs = try Self.programs(size / 2)
        var contents = Data()
        for start in stride(from: 0, to: size / 2, by: piece) {
            contents.append(text[start..<start + piece])
            contents.append(programs[start..<start + piece])
        }
        try contents.write(to: image)
    }

    /// Text of this machine: headers, scripts and the copyright files of packages.
    private static func text(_ size: Int) throws -> Data {
        let suffixes: Set = ["h", "hpp", "py", "pm", "pl", "txt", "modulemap", "swiftinterface"]
        var contents = Data()
        for folder in ["/usr/include", "/usr/lib/python3", "/usr/share", "/usr/lib"] {
            let files = FileManager.default.enumerator(
                at: URL(filePath: folder), includingPropertiesForKeys: [.isRegularFileKey])
            let urls = (files?.allObjects as? [URL] ?? []).filter {
                suffixes.contains($0.pathExtension) || $0.lastPathComponent == "copyright"
            }
            for url in urls.sorted(by: { $0.path < $1.path }) where contents.count < size {
                if let data = try? Data(contentsOf: url) { contents.append(data) }
            }
        }
        guard !contents.isEmpty else { throw Machine.Failed(description: "this machine has no text under /usr") }
        return repeated(contents, size)
    }

    /// The largest programs and libraries of this machine, one after the other.
    private static func programs(_ size: Int) throws -> Data {
        let folders = ["/usr/bin", "/usr/lib/x86_64-linux-gnu"].map { URL(filePath: $0) }
        var files: [(url: URL, size: Int)] = []
        for folder in folders {
            let keys: Set<URLResourceKey> = [.fileSizeKey, .isRegularFileKey]
            for url in try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: Array(keys))
            {
                let values = try url.resourceValues(forKeys: keys)
                if values.isRegularFile == true, let size = values.fileSize { files.append((url, size)) }
            }
        }
        files.sort { ($0.size, $1.url.path) > ($1.size, $0.url.path) }
        var contents = Data()
        for file in files where contents.count < size { contents.append(try Data(contentsOf: file.url)) }
        return repeated(contents, size)
    }

    /// Repeats the data if the machine has too little. The copies are farther apart than the window of any compressor here.
    private static func repeated(_ contents: Data, _ size: Int) -> Data {
        var contents = contents
        while contents.count < size { contents.append(contents) }
        return contents.prefix(size)
    }
}
