// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import Linux

/// Loads the kernel modules of the initramfs in a child process, before anything else: the drivers of disks and watchdogs may
/// be among them.
/// - Returns: why a module was not loaded; nil if all were, or if there are none.
func loadInitramfsModules(_ parameters: KernelParameters, _ log: KernelLog) -> String? {
    guard exists(ModuleList.path) || parameters.fault?.step == .modules else { return nil }
    return runInChild("loading the kernel modules", parameters, log) { (state) throws(Failure) in
        try StepRunner(state: state, log: log, fault: parameters.fault).run(.modules) { () throws(Failure) in
            let list = try ModuleList.ofThisInitramfs()
            try list.require(kernel: systemNames().release, path: "this rootfs.gz")
            try list.load(state.beat)
        }
    }.reason
}
