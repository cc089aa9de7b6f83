// SPDX-License-Identifier: Apache-2.0

/// Bytes in a page. x86_64 has no other base page size.
public let pageSize: UInt64 = 4096

/// The largest N, in bytes: kernel B is entered below 4 GiB.
public let maximumBackupByteCount: UInt64 = 4 << 30

/// The maximum number of memory ranges: as many as the ELF core header can list.
public let maximumMemoryRanges = 4095

/// The maximum size of all ELF notes together, in bytes. Kernel A writes no more and kernel B reads no more, because kernel B
/// has little memory.
public let maximumNoteByteCount = 2 << 20
