import Basics
import CLinux
import Synchronization

/// What a program prints. Each text is written at once, not gathered by stdio: stdio forgets why it could not write.
public final class StandardOutput: Sendable {
    public static let shared = StandardOutput()

    private let failure = Mutex<Failure?>(nil)

    /// Writes text. After a failure nothing more is written; `finish` tells it.
    public func write(_ text: String) {
        failure.withLock { failure in
            guard failure == nil else { return }
            do throws(Failure) {
                let bytes = Array(text.utf8)
                var done = 0
                while done < bytes.count {
                    done += try retrying("write to", "standard output") {
                        bytes.withUnsafeBytes { CLinux.write(1, $0.baseAddress?.advanced(by: done), $0.count - done) }
                    }
                }
            } catch { failure = error }
        }
    }

    /// - Throws: why something that was printed did not arrive.
    public func finish() throws(Failure) {
        if let failure = failure.withLock({ $0 }) { throw failure }
    }
}
