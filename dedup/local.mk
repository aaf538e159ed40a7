# SPDX-License-Identifier: LGPL-2.1-or-later
# dedup: what the far side already has.
noinst_LIBRARIES += %D%/libdedup.a
%C%_libdedup_a_SOURCES = \
	$(NULL)
