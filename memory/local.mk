# SPDX-License-Identifier: LGPL-2.1-or-later
# memory: a guest's memory as one address space.
noinst_LIBRARIES += %D%/libmemory.a
%C%_libmemory_a_SOURCES = \
	$(NULL)
