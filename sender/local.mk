# SPDX-License-Identifier: LGPL-2.1-or-later
# sender: memory -> plans -> frames.
noinst_LIBRARIES += %D%/libsender.a
%C%_libsender_a_SOURCES = \
	$(NULL)
