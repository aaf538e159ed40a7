# SPDX-License-Identifier: LGPL-2.1-or-later
# data: units of systemd, the users that it runs as, settings.
unitdir = $(prefix)/lib/systemd/system
sysusersdir = $(prefix)/lib/sysusers.d
confdir = $(sysconfdir)/virt-mig

dist_unit_DATA = \
	%D%/virt-mig-index.timer \
	%D%/virt-mig-listener.socket \
	%D%/virt-migd.socket \
	%D%/virt-migd-calls.socket \
	$(NULL)
nodist_unit_DATA = \
	%D%/virt-mig-index.service \
	%D%/virt-mig-listener.service \
	%D%/virt-migd.service \
	$(NULL)
EXTRA_DIST += \
	%D%/virt-mig.conf \
	%D%/virt-mig-index.service.in \
	%D%/virt-mig-listener.service.in \
	%D%/virt-mig.sysusers \
	%D%/virt-migd.service.in \
	$(NULL)
CLEANFILES += $(nodist_unit_DATA)

edit_unit = $(AM_V_GEN)$(MKDIR_P) %D% && \
	sed 's|[@]sbindir[@]|$(sbindir)|; s|[@]bindir[@]|$(bindir)|; \
		s|[@]libexecdir[@]|$(libexecdir)|'

%D%/virt-migd.service: %D%/virt-migd.service.in Makefile
	$(edit_unit) $(srcdir)/%D%/virt-migd.service.in >$@

%D%/virt-mig-index.service: %D%/virt-mig-index.service.in Makefile
	$(edit_unit) $(srcdir)/%D%/virt-mig-index.service.in >$@

%D%/virt-mig-listener.service: %D%/virt-mig-listener.service.in Makefile
	$(edit_unit) $(srcdir)/%D%/virt-mig-listener.service.in >$@

# Settings that are there are somebody's own.
install-data-local:
	$(MKDIR_P) $(DESTDIR)$(confdir)
	test -e $(DESTDIR)$(confdir)/virt-mig.conf || $(INSTALL_DATA) \
		$(srcdir)/%D%/virt-mig.conf $(DESTDIR)$(confdir)/virt-mig.conf
	$(MKDIR_P) $(DESTDIR)$(sysusersdir)
	$(INSTALL_DATA) $(srcdir)/%D%/virt-mig.sysusers \
		$(DESTDIR)$(sysusersdir)/virt-mig.conf

uninstall-local:
	rm -f $(DESTDIR)$(sysusersdir)/virt-mig.conf
	! cmp -s $(srcdir)/%D%/virt-mig.conf \
		$(DESTDIR)$(confdir)/virt-mig.conf || \
		rm -f $(DESTDIR)$(confdir)/virt-mig.conf
