# SPDX-License-Identifier: LGPL-2.1-or-later
# sender: memory -> plans -> frames.
noinst_LIBRARIES += %D%/libsender.a
%C%_libsender_a_SOURCES = \
	%D%/control.c %D%/control.h \
	%D%/effort.c %D%/effort.h \
	%D%/encode.c %D%/encode.h \
	%D%/lookup.c %D%/lookup.h \
	%D%/planner.c %D%/planner.h \
	$(NULL)
