/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Goes back into kernel A. The kernel that jumps here has mapped its own memory and this stub's segment, no more, while
 * kernel A's entry and everything it touches lie above: so the stub brings page tables of its own, an identity map of all
 * of A's memory. CR4.LA57 cannot be changed in 64-bit mode; the stub takes the root that fits it.
 *
 * The kernel that jumps has put its other CPUs offline, but they still run its code: one that waits in MWAIT is woken when
 * what it watches is written to, and one that was told to halt may not have got there (arch/x86/kernel/smpboot.c,
 * native_play_dead). Kernel A writes over that code first of all. So all of them get an INIT, which they wait in for
 * kernel A to start them (Intel SDM, volume 3, "Issuing Interprocessor Interrupts").
 *
 * Kernel A's relocate_kernel reads the word at (%rsp) as the address to call next time; it is 0 here, as that image is
 * unloaded and never called again.
 */
#define MSR_APIC_BASE		0x1b
#define APIC_BASE_X2APIC	10	/* bit numbers */
#define APIC_BASE_ENABLED	11
#define APIC_ADDRESS		0xfee00000
#define MSR_X2APIC_COMMAND	0x830
#define APIC_COMMAND		0x300
#define COMMAND_PENDING		12	/* bit number */
#define INIT_ALL_OTHERS		0xc4500
#define PAUSES			1000

	.section .rodata.torpor_jump_stub, "a", @progbits
	.code64
	.balign	16
	.globl	torpor_jump_stub_code
torpor_jump_stub_code:
	cli
	cld
	movq	%cr4, %rax
	btl	$12, %eax
	jc	.Lfive_levels
	movq	.Lroot4(%rip), %rax
	jmp	.Lload_root
.Lfive_levels:
	movq	.Lroot5(%rip), %rax
.Lload_root:
	movq	%rax, %cr3
	movq	.Lstack(%rip), %rsp
	movq	$0, (%rsp)

	movl	$MSR_APIC_BASE, %ecx
	rdmsr
	btl	$APIC_BASE_ENABLED, %eax
	jnc	.Lenter
	btl	$APIC_BASE_X2APIC, %eax
	jnc	.Lregisters
	movl	$MSR_X2APIC_COMMAND, %ecx
	movl	$INIT_ALL_OTHERS, %eax
	xorl	%edx, %edx
	wrmsr
	jmp	.Lsent
.Lregisters:
	/* The page tables map them where they are unless somebody has moved them. */
	andl	$0xfffff000, %eax
	movl	$APIC_ADDRESS, %ecx
	cmpl	%ecx, %eax
	jne	.Lenter
	testl	%edx, %edx
	jnz	.Lenter
	movl	$INIT_ALL_OTHERS, APIC_COMMAND(%rax)
	movl	$PAUSES, %ecx
.Lpending:
	btl	$COMMAND_PENDING, APIC_COMMAND(%rax)
	jnc	.Lsent
	pause
	decl	%ecx
	jnz	.Lpending
.Lsent:
	/* It is on its way. */
	movl	$PAUSES, %ecx
.Larriving:
	pause
	decl	%ecx
	jnz	.Larriving

.Lenter:
	movq	.Lentry(%rip), %rax
	xorl	%ebx, %ebx
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	xorl	%esi, %esi
	xorl	%edi, %edi
	xorl	%ebp, %ebp
	jmpq	*%rax

	.balign	8
	.globl	torpor_jump_stub_parameters
torpor_jump_stub_parameters:
.Lroot4:
	.quad	0
.Lroot5:
	.quad	0
.Lstack:
	.quad	0
.Lentry:
	.quad	0
	.globl	torpor_jump_stub_end
torpor_jump_stub_end:

	.section .note.GNU-stack, "", @progbits
