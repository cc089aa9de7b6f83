import Basics
import Linux

/// The steps of the roles, by the names that the console and `torpor.fault=` use; `rawValue` is that name.
public enum Step: String, CaseIterable, Sendable {
    // Kernel B
    /// The jump back into kernel A is loaded.
    case wayHome = "way-home"
    /// /proc/vmcore is opened, and what kernel A wrote down of its session is read.
    case session
    /// This kernel's own memory is compared with kernel A's: nothing of it may be.
    case ownMemory = "own-memory"
    /// The kernel's list of swapped pages is followed.
    case pageMap = "page-map"
    /// Kernel A's free pages are counted.
    case freePages = "free-pages"
    /// The superblock says `saving`.
    case begin
    /// Description and index are written, and the superblock that says `ready`.
    case finish

    // Both
    /// What a resume needs of the machine is checked.
    case machine
    /// The partition is found and opened.
    case partition
    /// What lies on watched devices is summed up.
    case fingerprints
    /// The pages are moved.
    case pages
    /// The report is put into kernel A's memory.
    case report
    /// Nothing is left to do but to tell PID 1 so.
    case end

    // Kernel C
    /// Description and index are read.
    case image
    /// The superblock says `attempted`.
    case attempt
    /// The jump into kernel A is loaded.
    case jump
    /// The superblock says `consumed`.
    case consume

    /// What kernel B does, in this order.
    public static let save: [Step] = [
        .wayHome, .session, .ownMemory, .machine, .pageMap, .partition, .fingerprints, .freePages, .begin, .pages,
        .finish,
        .end, .report,
    ]
    /// What kernel C does, in this order.
    public static let restore: [Step] = [
        .partition, .image, .machine, .fingerprints, .attempt, .pages, .jump, .report, .consume, .end,
    ]
}

/// A failure on purpose, to try out what becomes of it: the word `torpor.fault=STEP:KIND`.
public struct Fault: Equatable, Sendable {
    public enum Kind: String, CaseIterable, Sendable {
        /// The step fails as any may, with a reason.
        case error
        /// The process executes an illegal instruction, as Swift does where it would go wrong otherwise.
        case trap
        /// The process is killed, as it is when memory runs out.
        case kill
        /// The process goes on for ever without a sign of life.
        case hang
    }

    public var step: Step
    public var kind: Kind

    /// nil for anything but `STEP:KIND`.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
        guard parts.count == 2, let step = Step(rawValue: parts[0]), let kind = Kind(rawValue: parts[1]) else {
            return nil
        }
        self.step = step
        self.kind = kind
    }

    func happen() throws(Failure) {
        switch kind {
        case .error: throw Failure("run", "the step \(step.rawValue)", "torpor.fault= asks for it")
        case .trap: trap()
        case .kill: kill(processID())
        case .hang: while true { sleep(milliseconds: 60_000) }
        }
    }
}

/// Runs the steps of a role's child: each is a sign of life, and the console tells with `torpor.debug` how long it took.
struct Steps {
    let state: ChildState
    let log: KernelLog
    let fault: Fault?

    /// Runs a step, or the fault that is wanted in its place.
    func run<Result>(_ step: Step, _ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        if let fault, fault.step == step { try fault.happen() }
        let start = monotonicMilliseconds()
        let result = try body()
        state.activity = ""
        state.beat()
        log.debug("\(step.rawValue): \(monotonicMilliseconds() - start) ms")
        return result
    }
}
