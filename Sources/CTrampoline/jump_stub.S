/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Jumps back into kernel A. The kernel that jumps here maps only its own memory and the segment of this stub, but the entry
 * of kernel A and all memory that it uses are above. So the segment contains page tables, an identity map of all of A's
 * memory. CR4.LA57 cannot change in 64-bit mode; the stub loads the root with as many levels.
 *
 * The other CPUs of the jumping kernel are offline, but they still run its code: a CPU that waits in MWAIT wakes up at a
 * write to the monitored line, and a CPU that is about to halt may not have halted yet (arch/x86/kernel/smpboot.c,
 * native_play_dead). Kernel A overwrites that code first. So the stub sends an INIT to all other CPUs. They wait in it until
 * kernel A starts them (Intel SDM, volume 3, "Issuing Interprocessor Interrupts").
 *
 * The relocate_kernel of kernel A reads the word at (%rsp) as the address of the next call. It is 0, because A unloads that
 * image and never calls it again.
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
	/* The page tables map the registers only at their standard address. */
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
	/* Wait until the other CPUs have received the INIT. */
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
