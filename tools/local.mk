# SPDX-License-Identifier: LGPL-2.1-or-later
# tools: the main and its verbs; the only code that sees both ends.
bin_PROGRAMS += virt-mig
virt_mig_SOURCES = \
	%D%/bench-input.h \
	%D%/bench-result.h \
	%D%/virt-mig.c %D%/verb.h \
	$(NULL)
virt_mig_LDADD = $(MIG_LDADD)
