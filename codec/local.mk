# SPDX-License-Identifier: LGPL-2.1-or-later
# codec: bytes -> fewer bytes.  One interface, one file a codec.
noinst_LIBRARIES += %D%/libcodec.a
%C%_libcodec_a_SOURCES = \
	%D%/codec.c %D%/codec.h %D%/codec-impl.h \
	%D%/lz4.c \
	%D%/lzma.c \
	%D%/raw.c \
	%D%/zlib.c \
	%D%/zstd.c \
	$(NULL)
