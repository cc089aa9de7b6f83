// SPDX-License-Identifier: Apache-2.0

/// The three roles of Sources/Hibernation never name each other, and what they share names none of them.
enum FolderDependencies {
    private static let top = "Sources/Hibernation/"
    /// The program of each kernel.
    static let roles: Set<String> = ["KernelA", "KernelB", "KernelC"]

    /// Uses that are allowed, as `Name` of a declaration and the path of the file that uses it.
    static let allowed: [String: [String]] = [:]

    static func violations(_ files: [SourceFile], allowed: [String: [String]] = allowed) -> [Violation] {
        let parsed = files.filter { $0.isSwift && $0.path.hasPrefix(top) }.map { (file: $0, tokens: $0.tokens) }
        var owners: [String: (role: String, kind: Declaration.Kind)] = [:]
        for (file, tokens) in parsed {
            guard let role = folder(of: file), roles.contains(role) else { continue }
            for declaration in Declaration.all(in: tokens) where declaration.depth == 0 && !declaration.isPrivate {
                owners[declaration.name] = (role, declaration.kind)
            }
        }
        return parsed.flatMap { file, tokens -> [Violation] in
            // A file at the top chooses the role.
            guard let folder = folder(of: file) else { return [] }
            // Names that the file itself declares stand for its own. Those of functions and values may be parameters too.
            let declared = Set(Declaration.all(in: tokens).map(\.name))
            let own = declared.union(tokens.filter { $0.after == ":" }.map(\.text))
            var seen: Set<String> = []
            return tokens.indices.compactMap { index in
                let token = tokens[index]
                guard let owner = owners[token.text], owner.role != folder, token.after != ":" || owner.kind == .type,
                    !(owner.kind == .type ? declared : own).contains(token.text), !isMember(tokens, index),
                    allowed[token.text]?.contains(file.path) != true,
                    seen.insert("\(token.text) \(token.line)").inserted
                else { return nil }
                return Violation(
                    file.path, token.line,
                    "\(folder) uses \(token.text) of \(owner.role), but the roles never name each other: move what both "
                        + "need into a shared folder of \(top)")
            }
        }
    }

    /// The folder directly below Sources/Hibernation that has a file; nil for a file that is in none.
    private static func folder(of file: SourceFile) -> String? {
        let parts = file.path.dropFirst(top.count).split(separator: "/")
        return parts.count > 1 ? String(parts[0]) : nil
    }

    /// Whether a name follows a dot, so that it is a member of something else than the module.
    private static func isMember(_ tokens: [Token], _ index: Int) -> Bool {
        tokens[index].before == "." && (index == 0 || tokens[index - 1].text != "Hibernation")
    }
}
