/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A disk sector that QEMU boots: fills the memory from 1 to 17 MiB with
 * numbers that look random, writes 'D' to the debug port, then for ever adds
 * 1 to the first word of each page of the first 8 MiB of it.
 */
	.code16
	.globl _start
_start:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	inb	$0x92, %al		/* address line 20 */
	orb	$2, %al
	outb	%al, $0x92
	lgdt	gdt_pointer
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmp	$8, $protected

	.code32
protected:
	movw	$16, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movl	$1, %eax
	movl	$0x100000, %edi
fill:	imull	$1664525, %eax, %eax
	addl	$1013904223, %eax
	stosl
	cmpl	$0x1100000, %edi
	jb	fill
	movb	$'D', %al
	outb	%al, $0xe9
pass:	movl	$0x100000, %edi
touch:	incl	(%edi)
	addl	$4096, %edi
	cmpl	$0x900000, %edi
	jb	touch
	movl	$1000000, %ecx
wait:	loop	wait
	jmp	pass

	.balign	8
gdt:	.quad	0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdt_pointer:
	.word	gdt_pointer - gdt - 1
	.long	gdt

	.org	510
	.word	0xaa55
