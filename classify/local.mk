# SPDX-License-Identifier: LGPL-2.1-or-later
# classify: one page in, its class out.
noinst_LIBRARIES += %D%/libclassify.a
%C%_libclassify_a_SOURCES = \
	%D%/content.c %D%/content.h \
	%D%/fill.c %D%/fill.h \
	$(NULL)
