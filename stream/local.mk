# SPDX-License-Identifier: LGPL-2.1-or-later
# stream: QEMU's migration stream, bytes to records and back.
noinst_LIBRARIES += %D%/libstream.a
%C%_libstream_a_SOURCES = \
	%D%/blocks.c %D%/blocks.h \
	%D%/cpu-state.c %D%/cpu-state.h \
	%D%/main-channel.c \
	%D%/multifd.c \
	%D%/numbers.c %D%/numbers.h \
	%D%/parse.c %D%/parse.h %D%/parse-impl.h \
	%D%/ram.c \
	$(NULL)
