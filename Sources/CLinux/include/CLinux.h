/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The parts of the C library that Swift cannot import: variadic functions, macros, and system calls without a wrapper.
 * Swift imports everything else from the headers below.
 */
#ifndef CLINUX_H
#define CLINUX_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/fs.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
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

/* The flags of mount(2) are an enumeration. The importer gives it a type of its own, not unsigned long. */
int torpor_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data);

/* <sys/mount.h> is not included here, so that Swift does not import its names. */
int torpor_unmount(const char *target);

/* ioctl(2) is variadic, and its request numbers are macros with arguments. Sizes are in bytes. */
int torpor_block_size(int fd, uint64_t *bytes);
int torpor_logical_sector_size(int fd, int *bytes);
int torpor_flush_buffers(int fd);
/* Discard a range of a block device (or punch a hole into a file), or fill it with zeros. Ranges are in bytes. */
int torpor_discard(int fd, uint64_t start, uint64_t length);
int torpor_zero_out(int fd, uint64_t start, uint64_t length);
int torpor_punch_hole(int fd, uint64_t start, uint64_t length);
int torpor_controlling_terminal(int fd);
/* The size of a terminal in characters (TIOCGWINSZ); returns 0, or -1. */
int torpor_window_size(int fd, int *columns, int *rows);
int torpor_watchdog_timeout(int fd, int *seconds);
int torpor_watchdog_get_timeout(int fd, int *seconds);
int torpor_watchdog_enable(int fd, int on);
/* Clears the immutable flag of a file (chattr -i), which efivarfs sets for most variables. Returns 0, or -1. */
int torpor_clear_immutable(int fd);

/* flock(2) with LOCK_EX | LOCK_NB; there is a structure of the same name. */
int torpor_lock(int fd);

/* The resources of getrlimit(2) are an enumeration. Soft limits in bytes; UINT64_MAX if there is none. */
uint64_t torpor_address_space_limit(void);
uint64_t torpor_data_limit(void);
uint64_t torpor_file_size_limit(void);
uint64_t torpor_locked_memory_limit(void);

/* 1 if a signal would end or stop this program, or if the program handles it; SIG_IGN is a cast. */
int torpor_signal_ends_or_stops(int number);

/* kexec_load(2) has no wrapper. */
long torpor_kexec_load(uint64_t entry, unsigned long count, const struct kexec_segment *segments, unsigned long flags);

/* Gives SIGCHLD its default action, so that waitpid(2) tells how children ended; SIG_DFL is a cast. */
void torpor_default_child_signal(void);

/* pidfd_open(2) has a wrapper only since glibc 2.36. Returns a descriptor that polls as readable when the process ends. */
int torpor_process_descriptor(pid_t process);

/*
 * A timer that wakes the machine from suspend (CLOCK_BOOTTIME_ALARM). Returns a descriptor that becomes readable when the time
 * is over, or -1.
 */
int torpor_wake_alarm(uint64_t milliseconds);

/* finit_module(2) has no wrapper. */
long torpor_load_module(int fd, const char *options);

/* LINUX_REBOOT_CMD_KEXEC is not in <sys/reboot.h>. */
int torpor_reboot_kexec(void);

/* Executes an illegal instruction. In C, so that the Swift compiler does not remove the code after the call. */
void torpor_trap(void);

/* The macros of wait(2). */
int torpor_exited(int status);
int torpor_exit_status(int status);
int torpor_term_signal(int status);

/* makedev(3) and its parts are macros. */
unsigned int torpor_major(dev_t device);
unsigned int torpor_minor(dev_t device);
int torpor_is_block_device(mode_t mode);

/* These need _GNU_SOURCE, which would change structures in headers that Swift imports as modules. */
int torpor_open_direct_flag(void);
int torpor_memory_file(const char *name);
int torpor_processor_count(void);
/* pipe2(2) with O_CLOEXEC: descriptors[0] reads, without blocking, what descriptors[1] writes. Returns 0, or -1. */
int torpor_pipe(int descriptors[2]);
/* malloc_trim(3) is in a header of its own. */
void torpor_release_free_memory(void);
/* Closes all descriptors from 3 on except `fd`, which must be at least 3 (close_range(2)). */
void torpor_close_all_but(int fd);
/*
 * statx(2) without a request to a server: the number of the block device at a path, and the number of the file system
 * below a path. Both return 0 if there is none.
 */
int torpor_block_device(const char *path, uint32_t *major, uint32_t *minor);
int torpor_file_system(const char *path, uint32_t *major, uint32_t *minor);
/*
 * Gets the CPUs on which this thread may run, and sets those of any thread (0: this one); `mask` has a bit for each. `size` is in
 * bytes. Return 0, or -1.
 */
int torpor_get_affinity(void *mask, size_t size);
int torpor_set_affinity(int thread, const void *mask, size_t size);

/*
 * Writes the table of a device-mapper device into `text`, a line for each target: "START LENGTH TYPE PARAMETERS", in
 * sectors of 512 bytes (DM_TABLE_STATUS). Returns the length of the text, or -1.
 */
long torpor_dm_table(unsigned int major, unsigned int minor, char *text, size_t size);

/* CPUID is an instruction. All registers are 0 if the processor has no such leaf. */
void torpor_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4]);

/* MAP_FAILED is a cast. */
int torpor_is_map_failed(const void *address);

#endif
