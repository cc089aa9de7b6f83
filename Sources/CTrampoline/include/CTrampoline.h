/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The two pieces of code that run between kernels: position-independent bytes that are copied into kexec segments. Each
 * ends with its parameters, little-endian 64-bit words that the loader fills in.
 */
#ifndef CTRAMPOLINE_H
#define CTRAMPOLINE_H

#include <stddef.h>

struct torpor_stub {
	const unsigned char *code;
	size_t size;			/* bytes, parameters included */
	size_t parameters;		/* byte offset of the first parameter */
};

/*
 * The load stub, kernel B's first instruction. Parameters: physical addresses of the 16 hexadecimal digits on the command
 * line that take the jump-back entry, of boot_params, of the kernel's 64-bit entry, and of the stack's top.
 */
struct torpor_stub torpor_load_stub(void);

/*
 * The jump stub, which goes back into kernel A. Parameters: physical addresses of the root of the page tables with 4 and
 * with 5 levels, of a word for the stack, and of the jump-back entry.
 */
struct torpor_stub torpor_jump_stub(void);

#endif
