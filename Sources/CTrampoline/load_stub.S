/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Runs right after relocate_kernel of kernel A (arch/x86/kernel/relocate_kernel_64.S): in 64-bit mode, with interrupts off
 * and identity-mapped page tables. With KEXEC_PRESERVE_CONTEXT, the word at (%rsp) is the jump-back entry of kernel A;
 * without it, the word is 0.
 *
 * Writes the jump-back entry as 16 digits into kernel B's command line, then enters kernel B by the 64-bit boot protocol
 * (Documentation/arch/x86/boot.rst): %rsi = boot_params, flat segments 0x10 (code) and 0x18 (data).
 */
	.section .rodata.torpor_load_stub, "a", @progbits
	.code64
	.balign	16
	.globl	torpor_load_stub_code
torpor_load_stub_code:
	cli
	cld
	movq	(%rsp), %rax
	movq	.Ldigits(%rip), %rdi
	movl	$16, %ecx
.Lnext_digit:
	rolq	$4, %rax
	movl	%eax, %edx
	andl	$15, %edx
	cmpl	$10, %edx
	jb	.Ldecimal
	addl	$('a' - '0' - 10), %edx
.Ldecimal:
	addl	$'0', %edx
	movb	%dl, (%rdi)
	incq	%rdi
	decl	%ecx
	jnz	.Lnext_digit

	/* Leave the stack in kernel A's control page. */
	movq	.Lstack(%rip), %rsp
	leaq	.Lgdt(%rip), %rax
	movq	%rax, .Lgdt_address(%rip)
	lgdt	.Lgdt_limit(%rip)
	movl	$0x18, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%eax, %fs
	movl	%eax, %gs
	leaq	.Lwith_segments(%rip), %rax
	pushq	$0x10
	pushq	%rax
	lretq
.Lwith_segments:
	movq	.Lboot_params(%rip), %rsi
	movq	.Lentry(%rip), %rax
	xorl	%ebx, %ebx
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	xorl	%edi, %edi
	xorl	%ebp, %ebp
	jmpq	*%rax

	.balign	16
.Lgdt:
	.quad	0
	.quad	0
	.quad	0x00af9a000000ffff	/* 0x10: 64-bit code, execute and read */
	.quad	0x00cf92000000ffff	/* 0x18: data, read and write */
.Lgdt_end:
.Lgdt_limit:
	.word	.Lgdt_end - .Lgdt - 1
.Lgdt_address:
	.quad	0

	.balign	8
	.globl	torpor_load_stub_parameters
torpor_load_stub_parameters:
.Ldigits:
	.quad	0
.Lboot_params:
	.quad	0
.Lentry:
	.quad	0
.Lstack:
	.quad	0
	.globl	torpor_load_stub_end
torpor_load_stub_end:

	.section .note.GNU-stack, "", @progbits
