// SPDX-License-Identifier: Apache-2.0

/// The arrows between the modules of Package.swift. The build refuses an import that the manifest does not declare; this rule
/// refuses declarations.
enum ModuleDependencies {
    /// Modules that depend on no others than these.
    private static let only: [String: Set<String>] = [
        "Basics": ["CVersion"], "ELF": ["Basics"], "Linux": ["Basics", "CLinux"],
    ]
    /// Modules that must not depend on these, through others either.
    private static let never: [String: Set<String>] = [
        "MemoryImage": ["BlockDevices", "PhysicalMemory", "Kexec", "ImageKeys"],
        "PhysicalMemory": ["MemoryImage", "Kexec"],
        "Kexec": ["MemoryImage", "PhysicalMemory"],
        "Hibernation": ["TorporCommand", "CoreDump", "Inspection"],
        "BlockStore": ["BlockDevices", "MemoryImage"],
        "Console": ["MemoryImage", "BlockDevices", "PhysicalMemory", "Kexec"],
    ]

    /// The modules that a manifest declares with `module("Name", ["Dependency", …])`, with the line of each.
    static func modules(in manifest: String) -> [String: (line: Int, dependencies: [String])] {
        var modules: [String: (line: Int, dependencies: [String])] = [:]
        for part in manifest.ranges(of: "module(") {
            let rest = manifest[part.upperBound...]
            // The function itself has no name in quotes.
            guard let end = rest.firstIndex(of: ")"),
                rest.first(where: { !$0.isWhitespace }) == "\""
            else { continue }
            let names = rest[..<end].split(separator: "\"", omittingEmptySubsequences: false).enumerated()
                .filter { $0.offset % 2 == 1 }.map { String($0.element) }
            let line = manifest[..<part.lowerBound].count { $0 == "\n" } + 1
            if let name = names.first { modules[name] = (line, Array(names.dropFirst())) }
        }
        return modules
    }

    static func violations(_ manifest: SourceFile) -> [Violation] {
        let modules = modules(in: manifest.text)
        return modules.sorted { $0.key < $1.key }.flatMap { name, module -> [Violation] in
            let extra = only[name].map { allowed in module.dependencies.filter { !allowed.contains($0) } } ?? []
            let all = closure(of: name, modules)
            let wrong = (never[name] ?? []).filter { all.contains($0) }.sorted()
            return extra.map {
                Violation(
                    manifest.path, module.line,
                    "\(name) depends on \($0), but it may depend on \(only[name]?.sorted().joined(separator: ", ") ?? "") "
                        + "only: move what needs both into a module above them")
            }
                + wrong.map {
                    Violation(
                        manifest.path, module.line,
                        "\(name) depends on \($0), by itself or through another module, but must not know it: pass what "
                            + "it needs as an argument, or move what both need into a module below them")
                }
        }
    }

    private static func closure(
        of name: String, _ modules: [String: (line: Int, dependencies: [String])]
    ) -> Set<String> {
        var found: Set<String> = [], left = [name]
        while let next = left.popLast() {
            for dependency in modules[next]?.dependencies ?? [] where found.insert(dependency).inserted {
                left.append(dependency)
            }
        }
        return found
    }
}
