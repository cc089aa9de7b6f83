// SPDX-License-Identifier: Apache-2.0

/// Each file imports modules that the manifest declares for it, and uses something of each.
enum Imports {
    /// Imports of a file with the lines where they are.
    static func imports(in tokens: [Token]) -> [(name: String, line: Int)] {
        tokens.indices.compactMap { index in
            guard tokens[index].text == "import", tokens[index].depth == 0, index + 1 < tokens.count else { return nil }
            return (tokens[index + 1].text, tokens[index].line)
        }
    }

    /// - Parameter modules: the modules of the manifest.
    static func violations(_ files: [SourceFile], _ modules: [String: (line: Int, dependencies: [String])])
        -> [Violation]
    {
        let parsed = files.filter(\.isSwift).map { (file: $0, tokens: $0.tokens) }
        var names: [String: Set<String>] = [:]
        for (file, tokens) in parsed {
            if let module = module(of: file) {
                names[module, default: []].formUnion(declared(tokens))
                names[module, default: []].formUnion(operators(in: file.swift?.code ?? "", areDeclared: true))
            }
        }
        return parsed.flatMap { file, tokens -> [Violation] in
            let used = Set(tokens.map(\.text))
            let operators = operators(in: file.swift?.code ?? "")
            return imports(in: tokens).compactMap { name, line in
                guard let declared = names[name] else { return nil }
                if let own = module(of: file), let known = modules[own], !known.dependencies.contains(name) {
                    return Violation(
                        file.path, line,
                        "\(own) imports \(name), which its dependencies in Package.swift do not name: declare it there")
                }
                if declared.isDisjoint(with: used), declared.isDisjoint(with: operators) {
                    return Violation(file.path, line, "nothing of \(name) is used here: remove the import")
                }
                return nil
            }
        }
    }

    /// The module that has a file of Sources.
    private static func module(of file: SourceFile) -> String? {
        let parts = file.path.split(separator: "/")
        return parts.count > 2 && parts[0] == "Sources" ? String(parts[1]) : nil
    }

    /// What another module may name: every declaration, and the labels of initializers and subscripts, which may be all that
    /// is seen of an extension. More than is public: an import is reported only if it is useless for certain.
    private static func declared(_ tokens: [Token]) -> Set<String> {
        var names = Set(Declaration.all(in: tokens).filter { !$0.isPrivate }.map(\.name))
        for index in tokens.indices where ["init", "subscript"].contains(tokens[index].text) {
            for token in tokens[index...].dropFirst().prefix(12)
            where token.after == ":" || token.before == "(" || token.before == "," {
                names.insert(token.text)
            }
        }
        names.remove("_")
        return names
    }

    /// The operators in code, as the runs of characters that one may consist of.
    /// - Parameter areDeclared: only those that follow `func`.
    private static func operators(in code: String, areDeclared: Bool = false) -> Set<String> {
        let characters = Set("/=-+!*%<>&|^~?.".utf8)
        var operators: Set<String> = [], word: [UInt8] = [], run: [UInt8] = []
        for byte in code.utf8 {
            if characters.contains(byte) {
                run.append(byte)
                continue
            }
            if !run.isEmpty {
                if !areDeclared || word.elementsEqual("func".utf8) {
                    operators.insert(String(decoding: run, as: UTF8.self))
                }
                (word, run) = ([], [])
            }
            if Token.isPart(byte) {
                word.append(byte)
            } else if byte != UInt8(ascii: " ") || !word.elementsEqual("func".utf8) {
                word = []
            }
        }
        return operators
    }
}
