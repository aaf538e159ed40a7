# SPDX-License-Identifier: LGPL-2.1-or-later
# scripts: packages, the guest of quickstart, counting tests.
EXTRA_DIST += \
	%D%/capture-guest \
	%D%/guest/root/etc/fstab \
	%D%/guest/root/etc/initramfs-tools/conf.d/virt-mig \
	%D%/guest/root/etc/nginx/conf.d/guest.conf \
	%D%/guest/root/etc/systemd/system/editor.service \
	%D%/guest/root/etc/systemd/system/library.service \
	%D%/guest/root/etc/systemd/system/session.service \
	%D%/guest/root/usr/local/bin/library.py \
	%D%/guest/root/usr/local/bin/session.py \
	%D%/guest/root/usr/share/initramfs-tools/modules.d/virt-mig \
	%D%/get-kernel \
	%D%/install-packages \
	%D%/make-guest \
	%D%/move-guest \
	%D%/packages \
	%D%/tally \
	$(NULL)
