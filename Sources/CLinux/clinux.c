// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CLinux.h"

#include <cpuid.h>
#include <linux/dm-ioctl.h>
#include <linux/watchdog.h>
#include <malloc.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

int torpor_errno(void)
{
	return errno;
}

int torpor_open(const char *path, int flags, mode_t mode)
{
	return open(path, flags, mode);
}

int torpor_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)
{
	return mount(source, target, type, flags, data);
}

int torpor_unmount(const char *target)
{
	return umount2(target, 0);
}

int torpor_block_size(int fd, uint64_t *bytes)
{
	return ioctl(fd, BLKGETSIZE64, bytes);
}

int torpor_logical_sector_size(int fd, int *bytes)
{
	return ioctl(fd, BLKSSZGET, bytes);
}

int torpor_flush_buffers(int fd)
{
	return ioctl(fd, BLKFLSBUF, 0);
}

int torpor_discard(int fd, uint64_t start, uint64_t length)
{
	uint64_t range[2] = { start, length };

	return ioctl(fd, BLKDISCARD, range);
}

int torpor_zero_out(int fd, uint64_t start, uint64_t length)
{
	uint64_t range[2] = { start, length };

	return ioctl(fd, BLKZEROOUT, range);
}

int torpor_punch_hole(int fd, uint64_t start, uint64_t length)
{
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)start, (off_t)length);
}

int torpor_controlling_terminal(int fd)
{
	return ioctl(fd, TIOCSCTTY, 1);
}

int torpor_window_size(int fd, int *columns, int *rows)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) < 0)
		return -1;
	*columns = size.ws_col;
	*rows = size.ws_row;
	return 0;
}

int torpor_clear_immutable(int fd)
{
	int flags;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return -1;
	if (!(flags & FS_IMMUTABLE_FL))
		return 0;
	flags &= ~FS_IMMUTABLE_FL;
	return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

int torpor_watchdog_timeout(int fd, int *seconds)
{
	return ioctl(fd, WDIOC_SETTIMEOUT, seconds);
}

int torpor_watchdog_get_timeout(int fd, int *seconds)
{
	return ioctl(fd, WDIOC_GETTIMEOUT, seconds);
}

int torpor_watchdog_enable(int fd, int on)
{
	int option = on ? WDIOS_ENABLECARD : WDIOS_DISABLECARD;

	return ioctl(fd, WDIOC_SETOPTIONS, &option);
}

int torpor_lock(int fd)
{
	return flock(fd, LOCK_EX | LOCK_NB);
}

static uint64_t soft_limit(int resource)
{
	struct rlimit limit;

	return getrlimit(resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? limit.rlim_cur : UINT64_MAX;
}

uint64_t torpor_address_space_limit(void)
{
	return soft_limit(RLIMIT_AS);
}

uint64_t torpor_data_limit(void)
{
	return soft_limit(RLIMIT_DATA);
}

uint64_t torpor_file_size_limit(void)
{
	return soft_limit(RLIMIT_FSIZE);
}

uint64_t torpor_locked_memory_limit(void)
{
	return soft_limit(RLIMIT_MEMLOCK);
}

int torpor_signal_ends_or_stops(int number)
{
	struct sigaction action;

	/* Signals that are ignored by default (signal(7)), and SIGPIPE, which only our own writes cause. */
	if (number == SIGCHLD || number == SIGCONT || number == SIGURG || number == SIGWINCH || number == SIGPIPE)
		return 0;
	return sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_IGN;
}

long torpor_load_module(int fd, const char *options)
{
	return syscall(SYS_finit_module, fd, options, 0);
}

long torpor_kexec_load(uint64_t entry, unsigned long count, const struct kexec_segment *segments, unsigned long flags)
{
	return syscall(SYS_kexec_load, entry, count, segments, flags);
}

int torpor_reboot_kexec(void)
{
	return reboot((int)LINUX_REBOOT_CMD_KEXEC);
}

void torpor_trap(void)
{
	__builtin_trap();
}

int torpor_exited(int status)
{
	return WIFEXITED(status);
}

int torpor_exit_status(int status)
{
	return WEXITSTATUS(status);
}

int torpor_term_signal(int status)
{
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

unsigned int torpor_major(dev_t device)
{
	return major(device);
}

unsigned int torpor_minor(dev_t device)
{
	return minor(device);
}

int torpor_is_block_device(mode_t mode)
{
	return S_ISBLK(mode);
}

int torpor_is_map_failed(const void *address)
{
	return address == MAP_FAILED;
}

int torpor_open_direct_flag(void)
{
	return O_DIRECT;
}

int torpor_memory_file(const char *name)
{
	return memfd_create(name, MFD_CLOEXEC);
}

void torpor_close_all_but(int fd)
{
	if (fd > 3)
		close_range(3, fd - 1, 0);
	close_range(fd + 1, ~0U, 0);
}

int torpor_block_device(const char *path, uint32_t *major, uint32_t *minor)
{
	struct statx status;

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE, &status) < 0)
		return 0;
	*major = status.stx_rdev_major;
	*minor = status.stx_rdev_minor;
	return S_ISBLK(status.stx_mode);
}

int torpor_file_system(const char *path, uint32_t *major, uint32_t *minor)
{
	struct statx status;

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE, &status) < 0)
		return 0;
	*major = status.stx_dev_major;
	*minor = status.stx_dev_minor;
	return 1;
}

int torpor_get_affinity(void *mask, size_t size)
{
	return sched_getaffinity(0, size, mask);
}

int torpor_set_affinity(int thread, const void *mask, size_t size)
{
	return sched_setaffinity(thread, size, mask);
}

long torpor_dm_table(unsigned int major, unsigned int minor, char *text, size_t size)
{
	const size_t capacity = 256 * 1024;
	struct dm_ioctl *request = calloc(1, capacity);
	long length = -1;
	int control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);

	if (!request || control < 0)
		goto out;
	request->version[0] = DM_VERSION_MAJOR;
	request->data_size = capacity;
	request->data_start = sizeof(*request);
	request->dev = makedev(major, minor);
	request->flags = DM_STATUS_TABLE_FLAG | DM_SECURE_DATA_FLAG;
	if (ioctl(control, DM_TABLE_STATUS, request) < 0)
		goto out;
	if (request->flags & DM_BUFFER_FULL_FLAG) {
		errno = ENOSPC;
		goto out;
	}
	length = 0;
	/* The kernel wrote these offsets; they count from data_start. */
	size_t next = 0;
	for (uint32_t i = 0; i < request->target_count; i++) {
		struct dm_target_spec *target = (void *)((char *)request + request->data_start + next);
		int count = snprintf(text + length, size - length, "%llu %llu %.16s %s\n",
				     (unsigned long long)target->sector_start, (unsigned long long)target->length,
				     target->target_type, (char *)(target + 1));

		if (count < 0 || (size_t)count >= size - length) {
			errno = ENOSPC;
			length = -1;
			goto out;
		}
		length += count;
		next = target->next;
	}
out:
	if (control >= 0) {
		int error = errno;

		close(control);
		errno = error;
	}
	if (request) {
		/* The table of a dm-crypt device may contain its key. */
		explicit_bzero(request, capacity);
		free(request);
	}
	return length;
}

void torpor_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4])
{
	if (!__get_cpuid_count(leaf, subleaf, &registers[0], &registers[1], &registers[2], &registers[3]))
		registers[0] = registers[1] = registers[2] = registers[3] = 0;
}

/* The number of CPUs on which this process may run; 0 if the kernel reports an error. */
int torpor_processor_count(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 0;
}

int torpor_pipe(int descriptors[2])
{
	if (pipe2(descriptors, O_CLOEXEC) < 0)
		return -1;
	return fcntl(descriptors[0], F_SETFL, O_NONBLOCK);
}

int torpor_process_descriptor(pid_t process)
{
	/* The descriptor is closed on exec(2). */
	return syscall(SYS_pidfd_open, process, 0);
}

int torpor_wake_alarm(uint64_t milliseconds)
{
	struct itimerspec time = {
		.it_value = { .tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000 },
	};
	int fd = timerfd_create(CLOCK_BOOTTIME_ALARM, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd >= 0 && timerfd_settime(fd, 0, &time, NULL) < 0) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

void torpor_default_child_signal(void)
{
	signal(SIGCHLD, SIG_DFL);
}

void torpor_release_free_memory(void)
{
	malloc_trim(0);
}
