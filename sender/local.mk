# SPDX-License-Identifier: LGPL-2.1-or-later
# sender: memory -> plans -> frames.
noinst_LIBRARIES += %D%/libsender.a
%C%_libsender_a_SOURCES = \
	%D%/agree.c %D%/agree.h \
	%D%/asker.c %D%/asker.h \
	%D%/batch.h \
	%D%/control.c %D%/control.h \
	%D%/effort.c %D%/effort.h \
	%D%/encode.c %D%/encode.h \
	%D%/free-pages.c %D%/free-pages.h \
	%D%/flow.c %D%/flow.h \
	%D%/live.h %D%/live-impl.h \
	%D%/live-channel.c \
	%D%/live-frames.c \
	%D%/live-life.c \
	%D%/live-talk.c \
	%D%/lookup.c %D%/lookup.h \
	%D%/outgoing.c %D%/outgoing.h \
	%D%/planner.c %D%/planner.h \
	%D%/send.c %D%/send.h \
	%D%/source.c %D%/source.h \
	%D%/window.c %D%/window.h \
	$(NULL)
