# SPDX-License-Identifier: LGPL-2.1-or-later
# common: bytes, errors, digests, threads, sockets.  Knows nothing of VMs.
noinst_LIBRARIES += %D%/libcommon.a
%C%_libcommon_a_SOURCES = \
	%D%/buf.c %D%/buf.h \
	%D%/child.c %D%/child.h \
	%D%/clock.c %D%/clock.h \
	%D%/conf.c %D%/conf.h \
	%D%/digest.c %D%/digest.h \
	%D%/endpoint.c %D%/endpoint.h \
	%D%/err.c %D%/err.h \
	%D%/link.h \
	%D%/link-flow.c \
	%D%/link-impl.h \
	%D%/link-loop.c \
	%D%/link-open.c \
	%D%/load.h \
	%D%/loop.c %D%/loop.h \
	%D%/map.c %D%/map.h \
	%D%/mem.h \
	%D%/newfile.c %D%/newfile.h \
	%D%/mover.c %D%/mover.h \
	%D%/page.h \
	%D%/parcel.c %D%/parcel.h \
	%D%/pool.c %D%/pool.h \
	%D%/sha256-k.h \
	%D%/sha256x16.c %D%/sha256x16.h \
	%D%/sha256x2.c %D%/sha256x2.h \
	%D%/tls.c %D%/tls.h \
	$(NULL)
