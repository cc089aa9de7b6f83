/*
 * Goes back into kernel A. The kernel that jumps here has mapped its own memory and this stub's segment, no more, while
 * kernel A's entry and everything it touches lie above: so the stub brings page tables of its own, an identity map of all
 * of A's memory. CR4.LA57 cannot be changed in 64-bit mode; the stub takes the root that fits it.
 *
 * Kernel A's relocate_kernel reads the word at (%rsp) as the address to call next time; it is 0 here, as that image is
 * unloaded and never called again.
 */
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
