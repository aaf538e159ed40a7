# SPDX-License-Identifier: LGPL-2.1-or-later
# memory: a guest's memory as one address space.
noinst_LIBRARIES += %D%/libmemory.a
%C%_libmemory_a_SOURCES = \
	%D%/decoded.c %D%/decoded.h \
	%D%/elf.c \
	%D%/kdump.c \
	%D%/layout.c \
	%D%/libvirt-save.c \
	%D%/lime.c \
	%D%/memory.c %D%/memory.h %D%/memory-impl.h \
	%D%/physical.c %D%/physical.h \
	%D%/qemu-live.c %D%/qemu-live.h \
	%D%/qemu-maps.c \
	%D%/qemu-stream.c %D%/qemu-stream.h \
	%D%/raw.c \
	%D%/region.c \
	%D%/shadow.c %D%/shadow.h \
	%D%/vmware.c %D%/vmware.h \
	%D%/windump.c \
	$(NULL)
