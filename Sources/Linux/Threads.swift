// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// Runs `body` once for each number in `0..<count`, each on its own thread, and returns when all have ended.
///
/// If a thread cannot be started, its number runs on the calling thread. So `body` must not wait for another number.
public func runConcurrently(_ count: Int, _ body: @escaping (Int) -> Void) {
    var threads: [pthread_t] = []
    for number in 1..<max(count, 1) {
        let work = Unmanaged.passRetained(Work(number, body))
        var thread = pthread_t()
        let error = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let work = Unmanaged<Work>.fromOpaque(argument).takeRetainedValue()
                work.body(work.number)
                return nil
            }, work.toOpaque())
        if error == 0 {
            threads.append(thread)
        } else {
            work.release()
            body(number)
        }
    }
    if count > 0 { body(0) }
    for thread in threads { pthread_join(thread, nil) }
}

private final class Work {
    let number: Int
    let body: (Int) -> Void
    init(_ number: Int, _ body: @escaping (Int) -> Void) {
        self.number = number
        self.body = body
    }
}

/// A value with a mutex.
///
/// It is `@unchecked Sendable` because `withLock` is the only access to the value.
public final class Locked<Value>: @unchecked Sendable {
    private var value: Value
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>

    public init(_ value: Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Runs `body` with the value while the mutex is locked.
    public func withLock<Result, Error>(
        _ body: (inout Value) throws(Error) -> Result
    ) throws(Error) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }
}
