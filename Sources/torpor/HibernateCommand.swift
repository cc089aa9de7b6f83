// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Basics
import BlockDevices
import Console
import Hibernation
import Linux
import MemoryImage

extension AfterSave: ExpressibleByArgument {}

extension Codec: ExpressibleByArgument {
    public init?(argument: String) {
        guard let codec = try? Codec(parsing: argument) else { return nil }
        self = codec
    }
}

/// What kernel B is made of, and where.
struct KernelBOptions: ParsableArguments {
    @Option(help: "The hibernation partition; needed where there are several.")
    var device: DeviceName?

    @Option(help: "The kernel to hibernate through. (default: /boot/vmlinuz-RELEASE, the running one)")
    var kernel: String?

    @Option(help: "The rootfs.gz for it.")
    var initrd = "/usr/lib/torpor/rootfs.gz"

    @Option(help: "How to compress: none, lz4, zstd[:level] or xz[:level].")
    var codec = Codec.standard

    @Option(help: "The second kernel lives below this address, a multiple of 64M; auto chooses it.", transform: end)
    var backupEnd = BackupEndOption.automatic

    @Option(help: "More words for the second kernel's command line.")
    var append = ""

    @Flag(help: "Hibernate even if it could not be seen whether another system uses a file system meanwhile.")
    var allowUnwatched = false

    @Flag(help: "Hibernate even if the running kernel's release is older than those that come back from a jump.")
    var allowOldKernel = false

    enum BackupEndOption {
        case automatic
        case bytes(UInt64)
    }

    static func end(_ text: String) throws -> BackupEndOption {
        if text == "auto" { return .automatic }
        guard let bytes = parseSize(text) else {
            throw ValidationError("\(text) is no size such as 128M, and not auto.")
        }
        return .bytes(bytes)
    }

    func plan(after: AfterSave = .powerOff) -> Hibernate {
        var plan = Hibernate(
            device: device, kernelPath: kernel ?? "/boot/vmlinuz-\(systemNames().release)", initrdPath: initrd)
        plan.after = after
        plan.codec = codec
        if case .bytes(let bytes) = backupEnd { plan.backupEnd = bytes }
        plan.extraWords = append
        plan.isUnwatchedAllowed = allowUnwatched
        plan.isOldKernelAllowed = allowOldKernel
        return plan
    }
}

struct HibernateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hibernate", abstract: "Save the memory to the hibernation partition and power off.")

    @Option(help: "What follows when the memory is saved: poweroff, reboot, or return (the image is a snapshot then).")
    var after = AfterSave.powerOff

    @OptionGroup var kernelB: KernelBOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        var findings = Findings { [output] finding in
            if !output.json { print(error: "torpor: \(printable("\(finding.severity.rawValue): \(finding)"))") }
        }
        let report: Report
        do throws(Failure) {
            report = try kernelB.plan(after: after).run(&findings) { line in if !output.json { show(line) } }
        } catch {
            if output.json { try print(json: ReportOutput(failure: error, findings)) }
            throw error
        }
        var answer = ReportOutput(report, findings)
        KernelLog(showsAll: false).notice(answer.sentence(output.size))
        answer.keep()
        // First of all why, since erasing may take its time.
        let failure = failure(report)
        if !output.json {
            if let failure { print(failure) } else { show(answer.sentence(output.size)) }
        }
        // What is over must not stay readable; the session goes on, whatever comes of that.
        do throws(Failure) {
            if let erasure = try Hibernate.eraseImage(after: report, EraseProgress(output).tell) {
                answer.erased = erasure.rawValue
                if !output.json { show("\(report.device): \(erasure.sentence)") }
            }
        } catch {
            answer.eraseFailure = sentence(error)
            warn(
                "contents of the image are still on \(report.device): \(sentence(error)); erase them with: "
                    + "torpor discard \(report.device)")
        }
        if report.outcome == .resumed {
            answer.copies = (try? Hibernate.copies(of: report.device)) ?? []
            for copy in answer.copies ?? [] {
                warn("a copy of the image is still on \(copy); erase its contents with: torpor discard \(copy)")
            }
        }
        answer.keep()
        if output.json {
            try print(json: answer)
            if let failure { print(failure) }
        }
        if failure != nil { throw ExitCode(1) }
    }

    private func failure(_ report: Report) -> Failure? {
        switch report.outcome {
        case .snapshot, .resumed: nil
        case .failed: Failure("hibernate", "", report.text.isEmpty ? "kernel B gave no reason" : report.text)
        case .none:
            Failure(
                "hibernate", "", "neither kernel B nor kernel C left a report",
                remedy: "look at the console, and at: torpor status")
        }
    }

    /// Prints a warning on standard error, in one line.
    private func warn(_ text: String) { print(error: "torpor: warning: \(printable(text))") }
}
