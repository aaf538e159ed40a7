# SPDX-License-Identifier: LGPL-2.1-or-later
# dedup: what the far side already has.
noinst_LIBRARIES += %D%/libdedup.a
%C%_libdedup_a_SOURCES = \
	%D%/base.c %D%/base.h \
	%D%/delta.c %D%/delta.h \
	%D%/match.c %D%/match.h \
	%D%/normal.c %D%/normal.h \
	%D%/table.c %D%/table.h \
	$(NULL)
