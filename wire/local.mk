# SPDX-License-Identifier: LGPL-2.1-or-later
# wire: what sender and receiver say to each other.
noinst_LIBRARIES += %D%/libwire.a
%C%_libwire_a_SOURCES = \
	$(NULL)
