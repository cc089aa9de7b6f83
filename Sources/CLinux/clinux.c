#define _GNU_SOURCE
#include "CLinux.h"

#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>

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

int torpor_controlling_terminal(int fd)
{
	return ioctl(fd, TIOCSCTTY, 1);
}

long torpor_kexec_load(uint64_t entry, unsigned long count, const struct kexec_segment *segments, unsigned long flags)
{
	return syscall(SYS_kexec_load, entry, count, segments, flags);
}

int torpor_reboot_kexec(void)
{
	return reboot((int)LINUX_REBOOT_CMD_KEXEC);
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

/* CPUs that this process may run on; 0 where the kernel does not tell. */
int torpor_processor_count(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 0;
}
