# SPDX-License-Identifier: LGPL-2.1-or-later
# wire: what sender and receiver say to each other.
noinst_LIBRARIES += %D%/libwire.a
%C%_libwire_a_SOURCES = \
	%D%/frame.c %D%/frame.h \
	%D%/plan.c %D%/plan.h %D%/plan-impl.h \
	%D%/plan-read.c \
	%D%/plan-write.c \
	$(NULL)
