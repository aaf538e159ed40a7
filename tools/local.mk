# SPDX-License-Identifier: LGPL-2.1-or-later
# tools: the main and its verbs; the only code that sees both ends.
bin_PROGRAMS += virt-mig
noinst_LIBRARIES += %D%/libtools.a
%C%_libtools_a_SOURCES = \
	%D%/bench-input.h \
	%D%/bench-result.c %D%/bench-result.h \
	%D%/peer.h \
	%D%/peer-blockmatch.c \
	%D%/peer-list.c \
	%D%/peer-lz4.c \
	%D%/peer-multifd.c \
	%D%/peer-pipe.c %D%/peer-pipe.h \
	%D%/peer-whole.c \
	%D%/peer-xz.c \
	%D%/peer-zlib.c \
	%D%/peer-zstd.c \
	%D%/progress.c %D%/progress.h \
	$(NULL)
virt_mig_SOURCES = \
	%D%/virt-mig.c %D%/verb.h \
	%D%/cmd-index.c \
	$(NULL)
virt_mig_LDADD = %D%/libtools.a $(MIG_LDADD)
