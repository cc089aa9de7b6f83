// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Linux

@Suite struct FileLockTests {
    @Test func findsTheHolderOfALock() {
        let table = """
            1: FLOCK  ADVISORY  WRITE 1234 00:16:4026532 0 EOF
            2: -> FLOCK  ADVISORY  WRITE 99 00:16:77 0 EOF
            3: POSIX  ADVISORY  WRITE 55 00:16:77 0 EOF
            4: FLOCK  ADVISORY  WRITE 0 00:16:78 0 EOF
            5: FLOCK  ADVISORY  WRITE 88 fd:1a:500 0 EOF
            """
        let device = DeviceNumber(major: 0, minor: 0x16)
        #expect(lockHolder(of: 500, on: DeviceNumber(major: 0xfd, minor: 0x1a), in: table) == 88)
        #expect(lockHolder(of: 500, on: device, in: table) == nil, "another file system's file has the same number")
        #expect(lockHolder(of: 4026532, on: device, in: table) == 1234)
        #expect(lockHolder(of: 77, on: device, in: table) == nil)
        #expect(lockHolder(of: 78, on: device, in: table) == nil, "this PID namespace does not show it")
        #expect(lockHolder(of: 1, on: device, in: "garbage\n\n: :") == nil)
    }
}
