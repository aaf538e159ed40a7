# SPDX-License-Identifier: LGPL-2.1-or-later
# bench: measures one part at a time; not installed, not run by 'make check'.
noinst_PROGRAMS += %D%/bench-index
%C%_bench_index_SOURCES = %D%/bench-index.c
%C%_bench_index_LDADD = $(MIG_LDADD)

noinst_PROGRAMS += %D%/bench-stream
%C%_bench_stream_SOURCES = %D%/bench-stream.c
%C%_bench_stream_LDADD = $(MIG_LDADD)

noinst_PROGRAMS += %D%/bench-classes
%C%_bench_classes_SOURCES = %D%/bench-classes.c
%C%_bench_classes_LDADD = $(MIG_LDADD)

noinst_PROGRAMS += %D%/bench-codec
%C%_bench_codec_SOURCES = %D%/bench-codec.c
%C%_bench_codec_LDADD = $(MIG_LDADD) $(BROTLI_LIBS)

noinst_PROGRAMS += %D%/train-priors
%C%_train_priors_SOURCES = %D%/train-priors.c
%C%_train_priors_LDADD = $(MIG_LDADD)
