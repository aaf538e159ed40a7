/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tests/fuzz/memory.h"
#include "tests/make-stream.h"

/* Migration streams in files, and in the save files of libvirt. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	setenv("TMPDIR", "/dev/shm", 1);
	return check_file(data, size);
}

static void
put_save(struct buf *out)
{
	uint8_t h[92] = "LibvirtQemudSave";

	h[16] = 2;
	h[20] = 10;
	make_bytes(out, h, sizeof(h));
	make_bytes(out, "<domain/>", 10);
	make_precopy(out);
}

/* The same, by zstd, of a stream of 27 bytes that is not whole. */
static void
put_zstd(struct buf *out)
{
	static const uint8_t frame[] = {
		0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x0d, 0x69, 0x00, 0x00, 'Q', 'E',
		'V',  'M',  0,    0,    0,    3,    8,    0,    1,    0,   0,
	};
	uint8_t h[92] = "LibvirtQemudSave";

	h[16] = 2;
	h[28] = 5;
	make_bytes(out, h, sizeof(h));
	make_bytes(out, frame, sizeof(frame));
}

const char *
fuzz_seed(unsigned i, struct buf *out)
{
	switch (i) {
	case 0:
		make_precopy(out);
		return "stream";
	case 1:
		put_save(out);
		return "save";
	case 2:
		put_zstd(out);
		return "zstd";
	default:
		return NULL;
	}
}
