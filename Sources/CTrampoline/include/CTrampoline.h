/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The two stubs that run between kernels: position-independent code, which the loader copies into kexec segments. Each stub
 * ends with its parameters, little-endian 64-bit words, which the loader fills in.
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
 * The load stub enters kernel B. Parameters: the physical addresses of the 16 hexadecimal digits for the jump-back entry on
 * the command line, of boot_params, of the kernel's 64-bit entry, and of the top of the stack.
 */
struct torpor_stub torpor_load_stub(void);

/*
 * The jump stub jumps back into kernel A. Parameters: the physical addresses of the root of the page tables with 4 levels, of
 * the root with 5 levels, of a word for the stack, and of the jump-back entry.
 */
struct torpor_stub torpor_jump_stub(void);

#endif
