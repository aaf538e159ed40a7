# SPDX-License-Identifier: LGPL-2.1-or-later
# receiver: frames -> verified pages.
noinst_LIBRARIES += %D%/libreceiver.a
%C%_libreceiver_a_SOURCES = \
	%D%/coverage.c %D%/coverage.h \
	%D%/decode.c %D%/decode.h \
	%D%/file-sink.c %D%/file-sink.h \
	%D%/rebuild.c %D%/rebuild.h \
	$(NULL)
