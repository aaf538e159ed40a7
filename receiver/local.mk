# SPDX-License-Identifier: LGPL-2.1-or-later
# receiver: frames -> verified pages.
noinst_LIBRARIES += %D%/libreceiver.a
%C%_libreceiver_a_SOURCES = \
	%D%/decode.c %D%/decode.h \
	%D%/rebuild.c %D%/rebuild.h \
	$(NULL)
