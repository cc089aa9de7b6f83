/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The C library as Swift cannot take it by itself. Every function here is one that the importer leaves out: a variadic
 * function, a macro, or a system call without a wrapper. Everything else comes from the headers unchanged.
 */
#ifndef CLINUX_H
#define CLINUX_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* errno is a macro. */
int torpor_errno(void);

/* open(2) is variadic. */
int torpor_open(const char *path, int flags, mode_t mode);

/* mount(2) takes its flags as an enumeration that the importer types apart from unsigned long. */
int torpor_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data);

/* <sys/mount.h> is left out for its names. */
int torpor_unmount(const char *target);

/* ioctl(2) is variadic, and its request numbers are macros with arguments. Sizes are in bytes. */
int torpor_block_size(int fd, uint64_t *bytes);
int torpor_logical_sector_size(int fd, int *bytes);
int torpor_flush_buffers(int fd);
/* Forget what a range of a block device holds, or of a file in its place; make it zeros. Ranges are in bytes. */
int torpor_discard(int fd, uint64_t start, uint64_t length);
int torpor_zero_out(int fd, uint64_t start, uint64_t length);
int torpor_punch_hole(int fd, uint64_t start, uint64_t length);
int torpor_controlling_terminal(int fd);
int torpor_watchdog_timeout(int fd, int *seconds);
int torpor_watchdog_get_timeout(int fd, int *seconds);
int torpor_watchdog_enable(int fd, int on);

/* flock(2) has the name of a structure: LOCK_EX | LOCK_NB. */
int torpor_lock(int fd);

/* getrlimit(2) takes an enumeration in C++ only. Soft limits in bytes; UINT64_MAX for none. */
uint64_t torpor_address_space_limit(void);
uint64_t torpor_data_limit(void);
uint64_t torpor_file_size_limit(void);
uint64_t torpor_locked_memory_limit(void);

/* Whether a signal that came ends or stops this program, or it handles it; SIG_IGN is a cast. */
int torpor_signal_ends_or_stops(int number);

/* kexec_load(2) has no wrapper. */
long torpor_kexec_load(uint64_t entry, unsigned long count, const struct kexec_segment *segments, unsigned long flags);

/* LINUX_REBOOT_CMD_KEXEC is not in <sys/reboot.h>. */
int torpor_reboot_kexec(void);

/* An illegal instruction, which the compiler must not take for the end of what can happen. */
void torpor_trap(void);

/* The macros of wait(2). */
int torpor_exited(int status);
int torpor_exit_status(int status);
int torpor_term_signal(int status);

/* makedev(3) and its parts are macros. */
unsigned int torpor_major(dev_t device);
unsigned int torpor_minor(dev_t device);
int torpor_is_block_device(mode_t mode);

/* These need _GNU_SOURCE, which would change structures of headers that Swift has modules of. */
int torpor_open_direct_flag(void);
int torpor_memory_file(const char *name);
int torpor_processor_count(void);
/* Closes all descriptors from 3 on but `fd`, which is one of them (close_range(2)). */
void torpor_close_all_but(int fd);
/*
 * statx(2) without asking a server: the number of the block device at a path, and of the file system that a path is on.
 * They return 0 if there is none.
 */
int torpor_block_device(const char *path, uint32_t *major, uint32_t *minor);
int torpor_file_system(const char *path, uint32_t *major, uint32_t *minor);
/* The CPUs that this thread may run on, a bit for each: into `mask`, and from it. Returns 0, or -1. */
int torpor_get_affinity(void *mask, size_t size);
int torpor_set_affinity(const void *mask, size_t size);

/*
 * The table of a device-mapper device, a line for each target, "START LENGTH TYPE PARAMETERS", in sectors of 512 bytes
 * (DM_TABLE_STATUS). Returns the text's length, or -1.
 */
long torpor_dm_table(unsigned int major, unsigned int minor, char *text, size_t size);

/* CPUID is an instruction; zeros where the processor has no such leaf. */
void torpor_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4]);

/* MAP_FAILED is a cast. */
int torpor_is_map_failed(const void *address);

#endif
