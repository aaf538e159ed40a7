# SPDX-License-Identifier: LGPL-2.1-or-later
# docs: man pages (mdoc).
dist_man_MANS += \
	%D%/virt-mig-codec.7 \
	%D%/virt-mig-index.5 \
	%D%/virt-mig-protocol.7 \
	%D%/virt-mig.1 \
	%D%/virt-mig.conf.5 \
	%D%/virt-migd.8 \
	$(NULL)
EXTRA_DIST += %D%/classes.md %D%/operating.md
