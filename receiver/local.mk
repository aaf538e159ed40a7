# SPDX-License-Identifier: LGPL-2.1-or-later
# receiver: frames -> verified pages.
noinst_LIBRARIES += %D%/libreceiver.a
%C%_libreceiver_a_SOURCES = \
	%D%/answer.c %D%/answer.h \
	%D%/coverage.c %D%/coverage.h \
	%D%/decode.c %D%/decode.h \
	%D%/file-sink.c %D%/file-sink.h \
	%D%/incoming.c %D%/incoming.h \
	%D%/live.h %D%/live-impl.h \
	%D%/live-channel.c \
	%D%/live-frames.c \
	%D%/live-life.c \
	%D%/live-talk.c \
	%D%/rebuild.c %D%/rebuild.h \
	%D%/receive.c %D%/receive.h \
	$(NULL)
