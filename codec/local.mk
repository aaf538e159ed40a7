# SPDX-License-Identifier: LGPL-2.1-or-later
# codec: bytes -> fewer bytes.  One interface, one file a codec.
noinst_LIBRARIES += %D%/libcodec.a
%C%_libcodec_a_SOURCES = \
	%D%/codec.c %D%/codec.h %D%/codec-impl.h \
	%D%/lz4.c \
	%D%/lzma.c \
	%D%/page.c %D%/page-impl.h \
	%D%/page-chunk.c %D%/page-chunk.h \
	%D%/page-code.h %D%/page-nibble.h %D%/page-seqs.h \
	%D%/page-code-avx2.c \
	%D%/page-code-base.c \
	%D%/page-models.c \
	%D%/page-priors.c \
	%D%/page-parse.c %D%/page-parse.h \
	%D%/page-parse-fast.c \
	%D%/page-parse-lazy.c \
	%D%/raw.c \
	%D%/zlib.c \
	%D%/zstd.c \
	$(NULL)
