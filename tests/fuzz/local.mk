# SPDX-License-Identifier: LGPL-2.1-or-later
# tests/fuzz: everything that reads bytes from outside, fed with hostile ones.
#
# To add a target NAME: write fuzz-NAME.c (fuzz.h says what it must hold), add
# one line below, run 'make check' and then tests/fuzz/make-seeds NAME in the
# build folder, and commit the file, the line and the seeds.
check_PROGRAMS += %D%/fuzz-call
check_PROGRAMS += %D%/fuzz-codec
check_PROGRAMS += %D%/fuzz-conf
check_PROGRAMS += %D%/fuzz-cpu-state
check_PROGRAMS += %D%/fuzz-decode
check_PROGRAMS += %D%/fuzz-domain
%C%_fuzz_domain_LDADD = $(LDADD) $(HOST_LIBS)
check_PROGRAMS += %D%/fuzz-elf
check_PROGRAMS += %D%/fuzz-elf-program
check_PROGRAMS += %D%/fuzz-extents
check_PROGRAMS += %D%/fuzz-guest-now
check_PROGRAMS += %D%/fuzz-index
check_PROGRAMS += %D%/fuzz-linux
check_PROGRAMS += %D%/fuzz-kdump
check_PROGRAMS += %D%/fuzz-lime
check_PROGRAMS += %D%/fuzz-live-receive
check_PROGRAMS += %D%/fuzz-live-send
check_PROGRAMS += %D%/fuzz-message
check_PROGRAMS += %D%/fuzz-module
check_PROGRAMS += %D%/fuzz-page
check_PROGRAMS += %D%/fuzz-page-flip
check_PROGRAMS += %D%/fuzz-partition
check_PROGRAMS += %D%/fuzz-pe
%C%_fuzz_pe_SOURCES = %D%/fuzz-pe.c tests/made-pe.c tests/made-pe.h
check_PROGRAMS += %D%/fuzz-receive
check_PROGRAMS += %D%/fuzz-place
check_PROGRAMS += %D%/fuzz-rebuild
check_PROGRAMS += %D%/fuzz-report
check_PROGRAMS += %D%/fuzz-roundtrip
check_PROGRAMS += %D%/fuzz-save
check_PROGRAMS += %D%/fuzz-send
check_PROGRAMS += %D%/fuzz-stream
check_PROGRAMS += %D%/fuzz-vmlinux
check_PROGRAMS += %D%/fuzz-vmware
check_PROGRAMS += %D%/fuzz-windows
%C%_fuzz_windows_SOURCES = %D%/fuzz-windows.c $(MADE_WINDOWS)
check_PROGRAMS += %D%/fuzz-windump

# A few targets stand above floor 4.
FUZZ_HOST = tools/libhost.a

# What a program without its own _LDADD is linked with: the fuzz targets, and
# nothing else.
if FUZZING
LDADD = $(FUZZ_ENGINE) $(FUZZ_HOST) $(MIG_LDADD)
else
LDADD = %D%/libreplay.a $(FUZZ_HOST) $(MIG_LDADD)
endif
check_LIBRARIES = %D%/libreplay.a
%C%_libreplay_a_SOURCES = %D%/replay.c %D%/fuzz.h

TESTS += %D%/replay.sh
EXTRA_DIST += %D%/engine.h %D%/live-peer.h %D%/make-seeds %D%/memory.h %D%/patched-linux.h %D%/peer.h %D%/replay.sh %D%/run %D%/seeds
