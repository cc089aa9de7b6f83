// SPDX-License-Identifier: Apache-2.0

/// Bytes in a page; x86_64 has no other base page size.
public let pageSize: UInt64 = 4096

/// Bytes below N at most: kernel B is entered below 4 GiB.
public let maximumBackupByteCount: UInt64 = 4 << 30

/// Ranges of memory that a machine has at most, here: as many as the core header that names them may have.
public let maximumMemoryRanges = 4095

/// Bytes of all ELF notes at most that kernel A gives to kernel B and that kernel B reads: it has little memory.
public let maximumNoteByteCount = 2 << 20
