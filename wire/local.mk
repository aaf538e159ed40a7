# SPDX-License-Identifier: LGPL-2.1-or-later
# wire: what sender and receiver say to each other.
noinst_LIBRARIES += %D%/libwire.a
%C%_libwire_a_SOURCES = \
	%D%/call.c %D%/call.h \
	%D%/frame.c %D%/frame.h \
	%D%/hello.c %D%/hello.h \
	%D%/journal.c %D%/journal.h \
	%D%/layout.c %D%/layout.h \
	%D%/live.c %D%/live.h \
	%D%/message.c %D%/message.h \
	%D%/message-kinds.c \
	%D%/offer.c %D%/offer.h \
	%D%/plan.c %D%/plan.h %D%/plan-impl.h \
	%D%/place.h \
	%D%/plan-place.c \
	%D%/plan-read.c \
	%D%/plan-write.c \
	%D%/query.c %D%/query.h \
	%D%/seal.c %D%/seal.h \
	%D%/session.c %D%/session.h \
	%D%/talk.c %D%/talk.h \
	$(NULL)
