import Foundation
import Machines

/// What is in the guest's memory when it hibernates.
enum Contents: String, CaseIterable, Codable {
    case idle
    /// 50 MiB of random data and 250 MiB of text and programs.
    case mixed = "300M-mixed"
    /// Half of the memory, an eighth of it random.
    case half = "half-in-use"
    /// A GiB, an eighth of it random: a quarter of 4 GiB.
    case gibibyte = "1G-in-use"
    /// 300 MiB of random data.
    case incompressible = "300M-random"

    /// Those that are measured with as much memory, in mebibytes.
    static func cases(memory: Int) -> [Contents] {
        allCases.filter { $0 != .gibibyte || memory >= 4096 }
    }

    /// Mebibytes of random data, and of what lies on the disk with contents.
    func mebibytes(of memory: Int) -> (random: Int, disk: Int) {
        switch self {
        case .idle: (0, 0)
        case .mixed: (50, 250)
        case .half: (memory / 16, memory * 7 / 16)
        case .gibibyte: (128, 896)
        case .incompressible: (300, 0)
        }
    }

    /// The part of a guest's script that fills memory, from /dev/vdb.
    func script(memory: Int) -> String {
        let size = mebibytes(of: memory)
        return """
            dd if=/dev/urandom of=/tmp/random bs=1M count=\(size.random) 2>/dev/null
            left=\(size.disk)

            """ + Self.fillFromDisk
    }

    /// Fills memory with `$left` MiB from the disk.
    static let fillFromDisk = """
        while [ $left -gt 0 ]; do
            part=$((left < \(ContentsDisk.mebibytes) ? left : \(ContentsDisk.mebibytes)))
            dd if=/dev/vdb of=/tmp/contents.$left bs=1M count=$part iflag=direct 2>/dev/null
            left=$((left - part))
        done

        """
}

/// A disk with what fills guests' memory: text and programs by turns, the same in every run on one machine.
struct ContentsDisk {
    static let mebibytes = 128
    let image: URL

    init(_ lab: Lab) throws {
        image = lab.folder.appending(path: "contents.img")
        let size = Self.mebibytes << 20, piece = 4 << 20
        let text = Self.text(size / 2), programs = try Self.programs(size / 2)
        var contents = Data()
        for start in stride(from: 0, to: size / 2, by: piece) {
            contents.append(text[start..<start + piece])
            contents.append(programs[start..<start + piece])
        }
        try contents.write(to: image)
    }

    /// Words in an order that only looks random.
    private static func text(_ size: Int) -> Data {
        let words = (0..<20000).map { String($0 &* 2_654_435_761 % 1_000_003, radix: 26) }
        var state: UInt64 = 1
        var text = Data()
        text.reserveCapacity(size + 16)
        while text.count < size {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            // Some words are frequent, most are rare.
            let number = Int(state >> 33) % words.count
            text.append(contentsOf: words[state >> 28 & 1 == 0 ? number % 200 : number].utf8)
            text.append(state >> 60 == 0 ? 10 : 32)
        }
        return text.prefix(size)
    }

    /// The largest programs and libraries of this machine, one behind the other.
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
        // A machine with few programs repeats them.
        while contents.count < size { contents.append(contents) }
        return contents.prefix(size)
    }
}
