# SPDX-License-Identifier: LGPL-2.1-or-later
# dedup: what the far side already has.
noinst_LIBRARIES += %D%/libdedup.a
%C%_libdedup_a_SOURCES = \
	%D%/base.c %D%/base.h \
	%D%/core.c %D%/core.h \
	%D%/delta.c %D%/delta.h \
	%D%/keyed.c %D%/keyed.h \
	%D%/match.c %D%/match.h \
	%D%/module.c %D%/module.h \
	%D%/modules.c %D%/modules.h \
	%D%/normal.c %D%/normal.h \
	%D%/pe.c %D%/pe.h \
	%D%/programs.c %D%/programs.h \
	%D%/table.c %D%/table.h \
	%D%/unpack.c %D%/unpack.h \
	%D%/vmlinux-keep.c %D%/vmlinux-keep.h \
	%D%/vmlinux-run.c %D%/vmlinux-run.h \
	%D%/vmlinux.c %D%/vmlinux.h \
	%D%/disk.c %D%/disk.h %D%/disk-impl.h \
	%D%/disk-chain.c %D%/disk-chain.h \
	%D%/disk-nbd.c \
	%D%/disk-raw.c \
	%D%/elf-program.c %D%/elf-program.h \
	%D%/ext4.c %D%/ext4.h \
	%D%/extents.c %D%/extents.h \
	%D%/filesystems.c %D%/filesystems.h \
	%D%/finder.c %D%/finder.h \
	%D%/held.c %D%/held.h \
	%D%/image.c %D%/image.h \
	%D%/index.c %D%/index.h \
	%D%/index-build.c %D%/index-build.h \
	%D%/index-file.c %D%/index-file.h \
	%D%/index-path.c \
	%D%/index-scan.c %D%/index-scan.h \
	%D%/index-table.c %D%/index-table.h \
	%D%/index-verify.c %D%/index-verify.h \
	%D%/ntfs.c %D%/ntfs.h \
	%D%/partition.c %D%/partition.h \
	$(NULL)
