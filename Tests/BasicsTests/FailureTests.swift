// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@Suite struct FailureTests {
    @Test func failuresAreSentences() {
        #expect(
            Failure("mount devtmpfs on", "/dev", "No such device").description
                == "mount devtmpfs on /dev: No such device")
        #expect(Failure("open", "x", "why", remedy: "do y").description == "open x: why; do y")
        #expect(Failure("hibernate", "", "why").description == "hibernate: why")
    }
}
