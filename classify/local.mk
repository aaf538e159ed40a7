# SPDX-License-Identifier: LGPL-2.1-or-later
# classify: one page in, its class out.
noinst_LIBRARIES += %D%/libclassify.a
%C%_libclassify_a_SOURCES = \
	%D%/btf.c %D%/btf.h \
	%D%/class.c %D%/class.h \
	%D%/content.c %D%/content.h \
	%D%/fill.c %D%/fill.h \
	%D%/guest.c %D%/guest.h %D%/guest-impl.h \
	%D%/guest-now.h \
	%D%/linux.c %D%/linux-impl.h \
	%D%/linux-clock.c %D%/linux-files.c %D%/linux-layout.c \
	%D%/linux-now.c \
	%D%/linux-pages.c %D%/linux-percpu.c %D%/linux-zones.c \
	%D%/mmu.c %D%/mmu.h \
	%D%/vmcoreinfo.c %D%/vmcoreinfo.h \
	%D%/windows.c %D%/windows-impl.h \
	%D%/windows-find.c \
	%D%/windows-module.c \
	%D%/windows-pfn.c \
	%D%/windows-section.c \
	$(NULL)
