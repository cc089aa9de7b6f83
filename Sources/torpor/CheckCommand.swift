import ArgumentParser
import Basics
import Hibernation

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Tell whether this system can hibernate; nothing is changed.")

    @OptionGroup var kernelB: KernelBOptions
    @OptionGroup var output: OutputOptions

    private struct Answer: Encodable {
        let canHibernate: Bool
        let device: String?
        let reason: String?
    }

    func run() throws {
        let path: String
        do throws(Failure) { path = try kernelB.plan().check() } catch {
            if output.json { try print(json: Answer(canHibernate: false, device: nil, reason: error.description)) }
            throw error
        }
        if output.json {
            try print(json: Answer(canHibernate: true, device: path, reason: nil))
        } else {
            print("this system can hibernate to \(path)")
        }
    }
}
