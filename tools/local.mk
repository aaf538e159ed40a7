# SPDX-License-Identifier: LGPL-2.1-or-later
# tools: the main and its verbs; the only code that sees both ends.
bin_PROGRAMS += virt-mig
noinst_LIBRARIES += %D%/libtools.a
%C%_libtools_a_SOURCES = \
	%D%/bench-classes.c %D%/bench-classes.h \
	%D%/bench-engine.c %D%/bench-engine.h \
	%D%/bench-guest.c %D%/bench-guest.h \
	%D%/bench-html.h \
	%D%/bench-html-bars.c \
	%D%/bench-html-flow.c \
	%D%/bench-html-map.c \
	%D%/bench-html-style.c \
	%D%/bench-input.h \
	%D%/bench-machine.c %D%/bench-machine.h \
	%D%/bench-map.c %D%/bench-map.h \
	%D%/bench-options.c %D%/bench-options.h \
	%D%/bench-report.h \
	%D%/bench-report-html.c \
	%D%/bench-report-json.c \
	%D%/bench-report-text.c \
	%D%/bench-result.c %D%/bench-result.h \
	%D%/bench-run.c %D%/bench-run.h \
	%D%/bench-summary.c %D%/bench-summary.h \
	%D%/format.c %D%/format.h \
	%D%/peer.h \
	%D%/peer-blockmatch.c \
	%D%/peer-list.c \
	%D%/peer-lz4.c \
	%D%/peer-multifd.c \
	%D%/peer-pipe.c %D%/peer-pipe.h \
	%D%/peer-whole.c \
	%D%/peer-xz.c \
	%D%/peer-zlib.c \
	%D%/peer-zstd.c \
	%D%/progress.c %D%/progress.h \
	%D%/relay.c %D%/relay.h \
	%D%/transfer.c %D%/transfer.h \
	$(NULL)
virt_mig_SOURCES = \
	%D%/virt-mig.c %D%/verb.h \
	%D%/cmd-bench.c \
	%D%/cmd-index.c %D%/cmd-index.h \
	%D%/cmd-index-add.c \
	%D%/cmd-index-build.c \
	%D%/cmd-index-check.c \
	%D%/cmd-index-show.c \
	%D%/cmd-migrate.c \
	%D%/cmd-receive.c \
	%D%/cmd-relay-receive.c \
	%D%/cmd-relay-send.c \
	%D%/cmd-send.c \
	%D%/cmd-status.c \
	%D%/cmd-uri.c \
	$(NULL)
virt_mig_CFLAGS = $(HOST_CFLAGS)
virt_mig_LDADD = %D%/libhost.a %D%/libtools.a $(MIG_LDADD) $(HOST_LIBS)

# The host side of live migration: what talks to libvirt and owns files.
HOST_CFLAGS = $(AM_CFLAGS) $(LIBVIRT_CFLAGS) $(XML_CFLAGS) \
	      -DLIBEXECDIR='"$(libexecdir)"' -DBINDIR='"$(bindir)"'
HOST_LIBS = $(LIBVIRT_LIBS) $(XML_LIBS)
noinst_LIBRARIES += %D%/libhost.a
%C%_libhost_a_CFLAGS = $(HOST_CFLAGS)
%C%_libhost_a_SOURCES = \
	%D%/beside.c %D%/beside.h \
	%D%/daemon.c %D%/daemon.h \
	%D%/daemon-call.c \
	%D%/daemon-control.c \
	%D%/daemon-listener.c \
	%D%/daemon-migration.c \
	%D%/control.c %D%/control.h \
	%D%/domain.c %D%/domain.h \
	%D%/index-later.c \
	%D%/leftover.c %D%/leftover.h \
	%D%/listener.c %D%/listener.h \
	%D%/migrate.h \
	%D%/migrate-prepare.c \
	%D%/migrate-run.c \
	%D%/migrate-show.c \
	%D%/monitor.c %D%/monitor.h \
	%D%/monitor-open.c \
	%D%/passed.c %D%/passed.h \
	%D%/report.c %D%/report.h \
	%D%/settings.c %D%/settings.h \
	$(NULL)

sbin_PROGRAMS += virt-migd
virt_migd_SOURCES = %D%/virt-migd.c
virt_migd_LDADD = %D%/libhost.a %D%/libtools.a $(MIG_LDADD) $(HOST_LIBS)

# All that touches the network, and nothing else: no libvirt in it.
libexec_PROGRAMS += virt-mig-listener
virt_mig_listener_SOURCES = \
	%D%/virt-mig-listener.c \
	%D%/listener.c %D%/listener.h \
	%D%/passed.c %D%/passed.h \
	%D%/report.c \
	$(NULL)
virt_mig_listener_LDADD = $(MIG_LDADD)

libexec_PROGRAMS += virt-mig-session
virt_mig_session_SOURCES = \
	%D%/virt-mig-session.c \
	%D%/report.c \
	%D%/sandbox.c %D%/sandbox.h \
	%D%/worker.c %D%/worker.h \
	%D%/worker-probe.c \
	%D%/worker-receive.c \
	%D%/worker-send.c \
	$(NULL)
virt_mig_session_CFLAGS = $(AM_CFLAGS) $(SECCOMP_CFLAGS)
virt_mig_session_LDADD = $(MIG_LDADD) $(SECCOMP_LIBS)
