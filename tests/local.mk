# SPDX-License-Identifier: LGPL-2.1-or-later
# tests: cmocka programs and shell scripts, all speaking TAP; 'make check'
# runs them.  One program a module, named after it.
LOG_DRIVER    = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
SH_LOG_DRIVER = $(LOG_DRIVER)
LOG_COMPILER  = $(top_srcdir)/tests/cmocka-tap
EXTRA_DIST += %D%/cmocka-tap
TEST_EXTENSIONS = .sh
AM_TESTS_ENVIRONMENT = CMOCKA_MESSAGE_OUTPUT=TAP; export CMOCKA_MESSAGE_OUTPUT; \
	srcdir='$(abs_srcdir)'; export srcdir; \
	builddir='$(abs_builddir)'; export builddir;
TEST_LIBS = $(MIG_LDADD) $(CMOCKA_LIBS)

# First, since it takes longest.
TESTS += %D%/relay.sh
EXTRA_DIST += %D%/relay.sh
TESTS += %D%/guest.sh %D%/hosts.sh %D%/live.sh %D%/crash.sh %D%/systemd.sh \
	%D%/hosts-log.sh
EXTRA_DIST += %D%/guest.sh %D%/hosts.sh %D%/live.sh %D%/crash.sh %D%/systemd.sh \
	%D%/hosts-log.sh \
	%D%/crash-matrix %D%/hosts/beat.c %D%/hosts/half-close.c \
	%D%/hosts/hosts.sh %D%/hosts/other-end.py %D%/hosts/qemu-odd \
	%D%/hosts/text-image.py

check_PROGRAMS += %D%/test-buf
%C%_test_buf_SOURCES = %D%/test-buf.c %D%/test.h
%C%_test_buf_LDADD = $(TEST_LIBS)
TESTS += %D%/test-buf

check_PROGRAMS += %D%/test-digest
%C%_test_digest_SOURCES = %D%/test-digest.c %D%/test.h
%C%_test_digest_LDADD = $(TEST_LIBS)
TESTS += %D%/test-digest

check_PROGRAMS += %D%/test-codec
%C%_test_codec_SOURCES = %D%/test-codec.c %D%/test.h
%C%_test_codec_LDADD = $(TEST_LIBS)
TESTS += %D%/test-codec

check_PROGRAMS += %D%/test-page
%C%_test_page_SOURCES = %D%/test-page.c %D%/slow-page.c %D%/slow-page.h \
	%D%/made-heap.h %D%/test.h
%C%_test_page_LDADD = $(TEST_LIBS)
TESTS += %D%/test-page

check_PROGRAMS += %D%/test-page-manual
%C%_test_page_manual_SOURCES = %D%/test-page-manual.c %D%/manual.h %D%/test.h
%C%_test_page_manual_LDADD = $(TEST_LIBS)
TESTS += %D%/test-page-manual

check_PROGRAMS += %D%/test-content
%C%_test_content_SOURCES = %D%/test-content.c %D%/test.h
%C%_test_content_LDADD = $(TEST_LIBS)
TESTS += %D%/test-content

check_PROGRAMS += %D%/test-fill
%C%_test_fill_SOURCES = %D%/test-fill.c %D%/test.h
%C%_test_fill_LDADD = $(TEST_LIBS)
TESTS += %D%/test-fill
check_PROGRAMS += %D%/test-mmu
%C%_test_mmu_SOURCES = %D%/test-mmu.c %D%/test.h
%C%_test_mmu_LDADD = $(TEST_LIBS)
TESTS += %D%/test-mmu
check_PROGRAMS += %D%/test-linux
%C%_test_linux_SOURCES = %D%/test-linux.c %D%/make-linux.h \
	%D%/make-types.h %D%/test.h
%C%_test_linux_LDADD = $(TEST_LIBS)
TESTS += %D%/test-linux
check_PROGRAMS += %D%/test-guest-now
%C%_test_guest_now_SOURCES = %D%/test-guest-now.c %D%/make-linux.h \
	%D%/make-types.h %D%/test.h
%C%_test_guest_now_LDADD = $(TEST_LIBS)
TESTS += %D%/test-guest-now
check_PROGRAMS += %D%/test-qemu-live
%C%_test_qemu_live_SOURCES = %D%/test-qemu-live.c %D%/test.h
%C%_test_qemu_live_LDADD = $(TEST_LIBS)
TESTS += %D%/test-qemu-live
check_PROGRAMS += %D%/test-free-pages
%C%_test_free_pages_SOURCES = %D%/test-free-pages.c %D%/live-steps.h \
	%D%/live-world.h %D%/fuzz/engine.h %D%/make-linux.h %D%/make-record.h \
	%D%/make-stream.h %D%/make-types.h %D%/test.h
%C%_test_free_pages_LDADD = $(TEST_LIBS)
TESTS += %D%/test-free-pages
check_PROGRAMS += %D%/test-elf-program
%C%_test_elf_program_SOURCES = %D%/test-elf-program.c %D%/make-program.h \
	%D%/test.h
%C%_test_elf_program_LDADD = $(TEST_LIBS)
TESTS += %D%/test-elf-program
check_PROGRAMS += %D%/test-extents
%C%_test_extents_SOURCES = %D%/test-extents.c %D%/made-kernel.h \
	%D%/made-pe.c %D%/made-pe.h %D%/make-module.h %D%/make-program.h %D%/test.h
%C%_test_extents_LDADD = $(TEST_LIBS)
TESTS += %D%/test-extents

check_PROGRAMS += %D%/test-module
%C%_test_module_SOURCES = %D%/test-module.c %D%/make-module.h %D%/test.h
%C%_test_module_LDADD = $(TEST_LIBS)
TESTS += %D%/test-module
check_PROGRAMS += %D%/test-pool
%C%_test_pool_SOURCES = %D%/test-pool.c %D%/test.h
%C%_test_pool_LDADD = $(TEST_LIBS)
TESTS += %D%/test-pool

check_PROGRAMS += %D%/test-plan
%C%_test_plan_SOURCES = %D%/test-plan.c %D%/test.h
%C%_test_plan_LDADD = $(TEST_LIBS)
TESTS += %D%/test-plan

check_PROGRAMS += %D%/test-frame
%C%_test_frame_SOURCES = %D%/test-frame.c %D%/test.h
%C%_test_frame_LDADD = $(TEST_LIBS)
TESTS += %D%/test-frame

check_PROGRAMS += %D%/test-bounds
%C%_test_bounds_SOURCES = %D%/test-bounds.c %D%/test.h
%C%_test_bounds_LDADD = $(TEST_LIBS)
TESTS += %D%/test-bounds

check_PROGRAMS += %D%/test-rebuild
%C%_test_rebuild_SOURCES = %D%/test-rebuild.c %D%/fuzz/engine.h %D%/test.h
%C%_test_rebuild_LDADD = $(TEST_LIBS)
TESTS += %D%/test-rebuild

FAULT_WRAP = \
	-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free \
	-Wl,--wrap=aligned_alloc,--wrap=eventfd,--wrap=pthread_create \
	-Wl,--wrap=EVP_MD_CTX_new,--wrap=EVP_MD_CTX_free \
	-Wl,--wrap=EVP_DigestInit_ex,--wrap=EVP_DigestUpdate \
	-Wl,--wrap=EVP_DigestFinal_ex \
	-Wl,--wrap=ZSTD_createCCtx,--wrap=ZSTD_createDCtx \
	-Wl,--wrap=ZSTD_compressCCtx \
	-Wl,--wrap=deflateInit2_,--wrap=inflateInit2_ \
	-Wl,--wrap=lzma_raw_encoder,--wrap=lzma_raw_decoder

check_PROGRAMS += %D%/test-fault
%C%_test_fault_SOURCES = %D%/test-fault.c %D%/fault.c %D%/fault.h \
	%D%/small-frame.h %D%/fuzz/engine.h %D%/test.h
%C%_test_fault_LDADD = $(TEST_LIBS)
%C%_test_fault_LDFLAGS = $(AM_LDFLAGS) $(FAULT_WRAP)
TESTS += %D%/test-fault

# virt-mig-session, that waits at points of a migration; for crash-matrix.
check_PROGRAMS += %D%/session-points
%C%_session_points_SOURCES = %D%/session-points.c $(virt_mig_session_SOURCES)
%C%_session_points_CFLAGS = $(AM_CFLAGS) $(SECCOMP_CFLAGS)
%C%_session_points_LDADD = $(MIG_LDADD) $(SECCOMP_LIBS)
%C%_session_points_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=session_init,--wrap=session_enter,--wrap=live_frames_ack \
	-Wl,--wrap=live_paused,--wrap=seal_check,--wrap=live_put_return \
	-Wl,--wrap=live_get_end

check_PROGRAMS += %D%/test-malformed
%C%_test_malformed_SOURCES = %D%/test-malformed.c %D%/fault.c %D%/fault.h \
	%D%/small-frame.h %D%/fuzz/engine.h %D%/test.h
%C%_test_malformed_LDADD = $(TEST_LIBS)
%C%_test_malformed_LDFLAGS = $(AM_LDFLAGS) $(FAULT_WRAP)
TESTS += %D%/test-malformed

check_PROGRAMS += %D%/test-talk-fault
%C%_test_talk_fault_SOURCES = %D%/test-talk-fault.c %D%/fault.c \
	%D%/fault.h %D%/test.h
%C%_test_talk_fault_LDADD = $(TEST_LIBS)
%C%_test_talk_fault_LDFLAGS = $(AM_LDFLAGS) $(FAULT_WRAP)
TESTS += %D%/test-talk-fault

check_PROGRAMS += %D%/test-memory
%C%_test_memory_SOURCES = %D%/test-memory.c %D%/memory-file.h %D%/test.h
%C%_test_memory_LDADD = $(TEST_LIBS)
TESTS += %D%/test-memory

check_PROGRAMS += %D%/test-elf
%C%_test_elf_SOURCES = %D%/test-elf.c %D%/make-elf.h %D%/memory-file.h \
	%D%/test.h
%C%_test_elf_LDADD = $(TEST_LIBS)
TESTS += %D%/test-elf

check_PROGRAMS += %D%/test-windump
%C%_test_windump_SOURCES = %D%/test-windump.c %D%/make-windump.h \
	%D%/memory-file.h %D%/test.h
%C%_test_windump_LDADD = $(TEST_LIBS)
TESTS += %D%/test-windump

# SYNTHETIC Windows guests.
MADE_WINDOWS = %D%/made-windows.c %D%/made-windows.h \
	%D%/made-windows-impl.h %D%/made-windows-file.c \
	%D%/made-windows-pfn.c %D%/made-windows-write.c \
	%D%/made-pe.c %D%/made-pe.h %D%/make-elf.h %D%/make-windump.h

check_PROGRAMS += %D%/test-windows
%C%_test_windows_SOURCES = %D%/test-windows.c $(MADE_WINDOWS) \
	%D%/memory-file.h %D%/test.h
%C%_test_windows_LDADD = $(TEST_LIBS)
TESTS += %D%/test-windows

check_PROGRAMS += %D%/make-windows
%C%_make_windows_SOURCES = %D%/make-windows.c $(MADE_WINDOWS)
%C%_make_windows_LDADD = $(MIG_LDADD)

TESTS += %D%/windows.sh
EXTRA_DIST += %D%/windows.sh

check_PROGRAMS += %D%/test-pe
%C%_test_pe_SOURCES = %D%/test-pe.c %D%/made-pe.c %D%/made-pe.h %D%/test.h
%C%_test_pe_LDADD = $(TEST_LIBS)
TESTS += %D%/test-pe

check_PROGRAMS += %D%/test-windows-hostile
%C%_test_windows_hostile_SOURCES = %D%/test-windows-hostile.c \
	$(MADE_WINDOWS) %D%/test.h
%C%_test_windows_hostile_LDADD = $(TEST_LIBS)
TESTS += %D%/test-windows-hostile

check_PROGRAMS += %D%/test-save
%C%_test_save_SOURCES = %D%/test-save.c %D%/make-record.h %D%/make-stream.h \
	%D%/memory-file.h %D%/test.h
%C%_test_save_LDADD = $(TEST_LIBS)
TESTS += %D%/test-save

check_PROGRAMS += %D%/test-kdump
%C%_test_kdump_SOURCES = %D%/test-kdump.c %D%/make-kdump.h %D%/memory-file.h \
	%D%/test.h
%C%_test_kdump_LDADD = $(TEST_LIBS)
TESTS += %D%/test-kdump

check_PROGRAMS += %D%/test-lime
%C%_test_lime_SOURCES = %D%/test-lime.c %D%/make-dump.h %D%/memory-file.h \
	%D%/test.h
%C%_test_lime_LDADD = $(TEST_LIBS)
TESTS += %D%/test-lime

check_PROGRAMS += %D%/test-vmware
%C%_test_vmware_SOURCES = %D%/test-vmware.c %D%/make-dump.h \
	%D%/memory-file.h %D%/test.h
%C%_test_vmware_LDADD = $(TEST_LIBS)
TESTS += %D%/test-vmware

check_PROGRAMS += %D%/show-memory
%C%_show_memory_SOURCES = %D%/show-memory.c
%C%_show_memory_LDADD = $(MIG_LDADD)
TESTS += %D%/qemu-memory.sh
EXTRA_DIST += %D%/qemu-memory.sh

STREAM_TEST = %D%/make-record.h %D%/make-stream.h %D%/stream-test.h \
	%D%/walk-stream.h %D%/test.h

check_PROGRAMS += %D%/test-stream
%C%_test_stream_SOURCES = %D%/test-stream.c $(STREAM_TEST)
%C%_test_stream_LDADD = $(TEST_LIBS)
TESTS += %D%/test-stream

check_PROGRAMS += %D%/test-stream-opaque
%C%_test_stream_opaque_SOURCES = %D%/test-stream-opaque.c $(STREAM_TEST)
%C%_test_stream_opaque_LDADD = $(TEST_LIBS)
TESTS += %D%/test-stream-opaque

check_PROGRAMS += %D%/test-journal
%C%_test_journal_SOURCES = %D%/test-journal.c %D%/test.h
%C%_test_journal_LDADD = $(TEST_LIBS)
TESTS += %D%/test-journal

check_PROGRAMS += %D%/test-flow
%C%_test_flow_SOURCES = %D%/test-flow.c %D%/test.h
%C%_test_flow_LDADD = $(TEST_LIBS)
TESTS += %D%/test-flow

check_PROGRAMS += %D%/test-numbers
%C%_test_numbers_SOURCES = %D%/test-numbers.c %D%/test.h
%C%_test_numbers_LDADD = $(TEST_LIBS)
TESTS += %D%/test-numbers

check_PROGRAMS += %D%/test-shadow
%C%_test_shadow_SOURCES = %D%/test-shadow.c %D%/test.h
%C%_test_shadow_LDADD = $(TEST_LIBS)
TESTS += %D%/test-shadow

check_PROGRAMS += %D%/test-live
LIVE_TEST = %D%/live-guest.h %D%/live-steps.h %D%/live-world.h \
	%D%/fuzz/engine.h %D%/make-record.h %D%/make-stream.h %D%/test.h
%C%_test_live_SOURCES = %D%/test-live.c $(LIVE_TEST)
%C%_test_live_LDADD = $(TEST_LIBS)
TESTS += %D%/test-live

check_PROGRAMS += %D%/test-live-bases
%C%_test_live_bases_SOURCES = %D%/test-live-bases.c $(LIVE_TEST)
%C%_test_live_bases_LDADD = $(TEST_LIBS)
TESTS += %D%/test-live-bases

check_PROGRAMS += %D%/test-live-lost
%C%_test_live_lost_SOURCES = %D%/test-live-lost.c $(LIVE_TEST)
%C%_test_live_lost_LDADD = $(TEST_LIBS)
TESTS += %D%/test-live-lost

check_PROGRAMS += %D%/show-stream
%C%_show_stream_SOURCES = %D%/show-stream.c %D%/walk-stream.h
%C%_show_stream_LDADD = $(MIG_LDADD)
TESTS += %D%/qemu-stream.sh
TESTS += %D%/libvirt-save.sh
EXTRA_DIST += %D%/libvirt-save.sh
EXTRA_DIST += %D%/qemu-stream.sh %D%/capture-stream.py %D%/boot-dirty.S

check_PROGRAMS += %D%/show-guest
%C%_show_guest_SOURCES = %D%/show-guest.c
%C%_show_guest_LDADD = $(MIG_LDADD)
TESTS += %D%/live-memory.sh
EXTRA_DIST += %D%/live-memory.sh
TESTS += %D%/linux-guest.sh
EXTRA_DIST += %D%/linux-guest.sh %D%/linux-files.py %D%/guest-init.c
EXTRA_DIST += %D%/guest-programs.c %D%/guest-programs.h

check_PROGRAMS += %D%/compare-guests
%C%_compare_guests_SOURCES = %D%/compare-guests.c
%C%_compare_guests_LDADD = $(MIG_LDADD)
check_PROGRAMS += %D%/show-live
%C%_show_live_SOURCES = %D%/show-live.c
%C%_show_live_LDADD = $(MIG_LDADD)
TESTS += %D%/free-pages.sh
EXTRA_DIST += %D%/free-pages.sh %D%/free-pages.py %D%/churn.c

check_PROGRAMS += %D%/test-image
%C%_test_image_SOURCES = %D%/test-image.c %D%/test.h
%C%_test_image_LDADD = $(TEST_LIBS)
TESTS += %D%/test-image

check_PROGRAMS += %D%/test-index
%C%_test_index_SOURCES = %D%/test-index.c %D%/test.h
%C%_test_index_LDADD = $(TEST_LIBS)
TESTS += %D%/test-index

TESTS += %D%/index.sh
EXTRA_DIST += %D%/index.sh

TESTS += %D%/docs-index.sh
EXTRA_DIST += %D%/docs-index.sh

check_PROGRAMS += %D%/test-endpoint
%C%_test_endpoint_SOURCES = %D%/test-endpoint.c %D%/test.h
%C%_test_endpoint_LDADD = $(TEST_LIBS)
TESTS += %D%/test-endpoint

check_PROGRAMS += %D%/test-link
%C%_test_link_SOURCES = %D%/test-link.c %D%/certs.h %D%/test.h
%C%_test_link_LDADD = $(TEST_LIBS)
TESTS += %D%/test-link

check_PROGRAMS += %D%/test-tls
%C%_test_tls_SOURCES = %D%/test-tls.c %D%/certs.h %D%/test.h
%C%_test_tls_LDADD = $(TEST_LIBS)
TESTS += %D%/test-tls
check_PROGRAMS += %D%/test-dedup
%C%_test_dedup_SOURCES = %D%/test-dedup.c %D%/test.h
%C%_test_dedup_LDADD = $(TEST_LIBS)
TESTS += %D%/test-dedup

check_PROGRAMS += %D%/test-engine
%C%_test_engine_SOURCES = %D%/test-engine.c %D%/made-memory.h %D%/test.h
%C%_test_engine_LDADD = $(TEST_LIBS)
TESTS += %D%/test-engine

check_PROGRAMS += %D%/test-bench-report
%C%_test_bench_report_SOURCES = %D%/test-bench-report.c %D%/test.h
%C%_test_bench_report_LDADD = tools/libtools.a $(TEST_LIBS)
TESTS += %D%/test-bench-report

check_PROGRAMS += %D%/test-bench-peers
%C%_test_bench_peers_SOURCES = %D%/test-bench-peers.c %D%/test.h
%C%_test_bench_peers_LDADD = tools/libtools.a $(TEST_LIBS)
TESTS += %D%/test-bench-peers

check_PROGRAMS += %D%/test-partition
%C%_test_partition_SOURCES = %D%/test-partition.c %D%/test.h
%C%_test_partition_LDADD = $(TEST_LIBS)
TESTS += %D%/test-partition
check_PROGRAMS += %D%/test-message
%C%_test_message_SOURCES = %D%/test-message.c %D%/test.h
%C%_test_message_LDADD = $(TEST_LIBS)
TESTS += %D%/test-message

check_PROGRAMS += %D%/test-session
%C%_test_session_SOURCES = %D%/test-session.c %D%/test.h
%C%_test_session_LDADD = $(TEST_LIBS)
TESTS += %D%/test-session

check_PROGRAMS += %D%/test-talk-idle
%C%_test_talk_idle_SOURCES = %D%/test-talk-idle.c %D%/test.h
%C%_test_talk_idle_LDADD = $(TEST_LIBS)
TESTS += %D%/test-talk-idle
check_PROGRAMS += %D%/test-talk
%C%_test_talk_SOURCES = %D%/test-talk.c %D%/test.h
%C%_test_talk_LDADD = $(TEST_LIBS)
TESTS += %D%/test-talk

check_PROGRAMS += %D%/test-control
%C%_test_control_SOURCES = %D%/test-control.c %D%/test.h
%C%_test_control_LDADD = $(TEST_LIBS)
TESTS += %D%/test-control
check_PROGRAMS += %D%/test-held
%C%_test_held_SOURCES = %D%/test-held.c %D%/test.h
%C%_test_held_LDADD = $(TEST_LIBS)
TESTS += %D%/test-held

check_PROGRAMS += %D%/test-sink
%C%_test_sink_SOURCES = %D%/test-sink.c %D%/test.h
%C%_test_sink_LDADD = $(TEST_LIBS)
TESTS += %D%/test-sink

TESTS += %D%/bench.sh
EXTRA_DIST += %D%/bench.sh
check_PROGRAMS += %D%/test-vmlinux
%C%_test_vmlinux_SOURCES = %D%/test-vmlinux.c %D%/made-kernel.h \
	%D%/made-memory.h %D%/test.h
%C%_test_vmlinux_LDADD = $(TEST_LIBS)
TESTS += %D%/test-vmlinux

TESTS += %D%/usage.sh
EXTRA_DIST += %D%/usage.sh

TESTS += %D%/transfer.sh %D%/transfer-net.sh
EXTRA_DIST += %D%/transfer.sh %D%/transfer-net.sh

TESTS += %D%/shrink.sh
EXTRA_DIST += %D%/shrink.sh
check_PROGRAMS += %D%/test-protocol
%C%_test_protocol_SOURCES = %D%/test-protocol.c %D%/manual.h %D%/test.h
%C%_test_protocol_LDADD = $(TEST_LIBS)
TESTS += %D%/test-protocol

check_PROGRAMS += %D%/test-parcel
%C%_test_parcel_SOURCES = %D%/test-parcel.c %D%/test.h
%C%_test_parcel_LDADD = $(TEST_LIBS)
TESTS += %D%/test-parcel

check_PROGRAMS += %D%/test-listener
%C%_test_listener_SOURCES = %D%/test-listener.c %D%/test.h
%C%_test_listener_LDADD = tools/libhost.a $(TEST_LIBS) $(HOST_LIBS)
TESTS += %D%/test-listener

check_PROGRAMS += %D%/test-settings
%C%_test_settings_SOURCES = %D%/test-settings.c %D%/test.h
%C%_test_settings_LDADD = tools/libhost.a $(TEST_LIBS) $(HOST_LIBS)
TESTS += %D%/test-settings

check_PROGRAMS += %D%/test-sandbox
%C%_test_sandbox_SOURCES = %D%/test-sandbox.c tools/sandbox.c %D%/test.h
%C%_test_sandbox_LDADD = $(TEST_LIBS) $(SECCOMP_LIBS)
TESTS += %D%/test-sandbox %D%/units.sh
EXTRA_DIST += %D%/units.sh

check_PROGRAMS += %D%/test-domain
%C%_test_domain_SOURCES = %D%/test-domain.c %D%/test.h
%C%_test_domain_LDADD = tools/libhost.a $(TEST_LIBS) $(HOST_LIBS)
TESTS += %D%/test-domain

check_PROGRAMS += %D%/test-newfile
%C%_test_newfile_SOURCES = %D%/test-newfile.c %D%/test.h
%C%_test_newfile_LDADD = $(TEST_LIBS)
TESTS += %D%/test-newfile

check_PROGRAMS += %D%/test-leftover
%C%_test_leftover_SOURCES = %D%/test-leftover.c %D%/test.h
%C%_test_leftover_LDADD = tools/libhost.a $(TEST_LIBS) $(HOST_LIBS)
TESTS += %D%/test-leftover

check_PROGRAMS += %D%/test-report
%C%_test_report_SOURCES = %D%/test-report.c %D%/test.h
%C%_test_report_LDADD = tools/libhost.a $(TEST_LIBS) $(HOST_LIBS)
TESTS += %D%/test-report

check_PROGRAMS += %D%/test-status
%C%_test_status_SOURCES = %D%/test-status.c %D%/test.h
%C%_test_status_LDADD = tools/libhost.a tools/libtools.a $(TEST_LIBS) \
	$(HOST_LIBS)
TESTS += %D%/test-status

TESTS += %D%/layers.sh
EXTRA_DIST += %D%/certs.sh
EXTRA_DIST += %D%/layers.sh %D%/tap.sh

include tests/fuzz/local.mk
