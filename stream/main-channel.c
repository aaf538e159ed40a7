/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <ctype.h>

#include "common/mem.h"
#include "stream/parse-impl.h"
#include "stream/parse.h"

/* The main channel, but for what is in RAM sections:
 *
 *	"QEVM", version 3, the machine's name
 *	commands
 *	RAM: one START, many PARTs, one END; so the dirty bitmaps, if any
 *	FULL sections of the devices, QEMU_VM_EOF, a description in JSON
 *
 * Once a migration has turned into postcopy the devices come in a package,
 * before the rest of the RAM, and there is no description.
 *
 * A device does not say how long its state is, so what follows the end of RAM
 * is passed on without being understood.  The end of it must be known all the
 * same: the description begins so that nothing else looks like it.
 */
enum record {
	RECORD_EOF = 0x00,
	RECORD_START = 0x01,
	RECORD_PART = 0x02,
	RECORD_END = 0x03,
	RECORD_FULL = 0x04,
	RECORD_SUBSECTION = 0x05,
	RECORD_DESCRIPTION = 0x06,
	RECORD_CONFIG = 0x07,
	RECORD_COMMAND = 0x08,
	RECORD_FOOTER = 0x7e,
};

enum command {
	COMMAND_POSTCOPY_ADVISE = 3,
	COMMAND_POSTCOPY_LISTEN = 4,
	COMMAND_POSTCOPY_RUN = 5,
	COMMAND_PACKAGED = 7,
	COMMAND_ENABLE_COLO = 8,
	COMMAND_LAST = 11, /* SWITCHOVER_START, QEMU 10 */
};

#define STREAM_VERSION 3
#define RAM_VERSION    4
#define BITMAP_VERSION 1
#define CAPABILITY_MAX 8
#define PAGE_BITS      12
#define ADVISE_BYTES   16

#define BITMAP_EOS      0x01
#define BITMAP_ZEROES   0x02
#define BITMAP_NAME     0x04
#define BITMAP_DEVICE   0x08
#define BITMAP_START    0x10
#define BITMAP_COMPLETE 0x20
#define BITMAP_BITS     0x40
#define BITMAP_FLAGS    0x7f

static bool
is_named(const char *text, const uint8_t *name, uint8_t len)
{
	return strlen(text) == len && memcmp(text, name, len) == 0;
}

static void
keep_name(char *kept, const uint8_t *name, uint8_t len)
{
	for (uint8_t i = 0; i < len; i++)
		kept[i] = isprint(name[i]) ? (char)name[i] : '?';
	kept[len] = '\0';
}

bool
stream_begin_main(struct stream_parser *p, struct stream_look *l,
		  struct stream_item *it)
{
	uint32_t version;

	(void)it;
	if (!look_be32(l, &version))
		return false;
	p->role = STREAM_MAIN;
	if (version != STREAM_VERSION)
		return stream_go_opaque(p, l,
					"another version of QEMU's stream");
	p->state = STATE_RECORD;
	return true;
}

/* ---- the configuration ---- */

static bool
begin_config(struct stream_parser *p, struct stream_look *l)
{
	const uint8_t *name;
	uint32_t len;

	if (!look_be32(l, &len))
		return false;
	if (len >= sizeof(p->machine))
		return stream_go_opaque(p, l, "an endless machine name");
	name = look_take(l, len);
	if (!name)
		return false;
	keep_name(p->machine, name, (uint8_t)len);
	p->state = STATE_CONFIG;
	return true;
}

/* The capabilities that change the stream. */
static bool
take_capabilities(struct stream_parser *p, struct stream_look *l)
{
	bool ignore_shared = p->ignore_shared;
	const uint8_t *name;
	uint32_t n;
	uint8_t len;

	if (!look_be32(l, &n))
		return false;
	if (n > CAPABILITY_MAX)
		return stream_go_opaque(p, l, "unknown capabilities");
	while (n-- > 0) {
		if (!look_name(l, &name, &len))
			return false;
		if (is_named("x-ignore-shared", name, len))
			ignore_shared = true;
		else
			return stream_go_opaque(
				p, l, "a capability such as mapped-ram");
	}
	p->ignore_shared = ignore_shared;
	return true;
}

bool
stream_step_config(struct stream_parser *p, struct stream_look *l,
		   struct stream_item *it)
{
	const uint8_t *name, *uuid;
	uint32_t version, bits;
	uint8_t len;

	if (l->in[0] != RECORD_SUBSECTION) {
		p->state = STATE_RECORD;
		return stream_step_record(p, l, it);
	}
	l->at = 1;
	if (!look_name(l, &name, &len) || !look_be32(l, &version))
		return false;
	if (is_named("configuration/capabilities", name, len))
		return take_capabilities(p, l);
	if (is_named("configuration/uuid", name, len))
		return (uuid = look_take(l, 16));
	if (!is_named("configuration/target-page-bits", name, len))
		return stream_go_opaque(p, l, "an unknown configuration");
	if (!look_be32(l, &bits))
		return false;
	return bits == PAGE_BITS ||
	       stream_go_opaque(p, l, "pages that are not of 4096 bytes");
}

/* ---- commands ---- */

/* Commands are followed by as many bytes as they say, but for PACKAGED, whose
 * package comes on top of that.
 */
static bool
take_command(struct stream_parser *p, struct stream_look *l)
{
	uint64_t sizes;
	uint32_t package;
	uint16_t command, len;

	if (!look_be16(l, &command) || !look_be16(l, &len))
		return false;
	switch (command) {
	case COMMAND_POSTCOPY_ADVISE:
		if (len < ADVISE_BYTES)
			break; /* of bitmaps alone */
		if (!look_be64(l, &sizes))
			return false;
		p->postcopy_advised = true;
		p->page_sizes = sizes;
		return stream_skip(p, len - sizeof(sizes), STATE_RECORD);
	case COMMAND_PACKAGED:
		if (len != sizeof(package))
			return stream_go_opaque(p, l, "an unknown package");
		if (!look_be32(l, &package))
			return false;
		p->postcopy = true;
		return stream_skip(p, package, STATE_RECORD);
	case COMMAND_POSTCOPY_LISTEN:
	case COMMAND_POSTCOPY_RUN:
		p->postcopy = true;
		break;
	case COMMAND_ENABLE_COLO:
		return stream_go_opaque(p, l, "COLO");
	default:
		if (command == 0 || command > COMMAND_LAST)
			return stream_go_opaque(p, l, "an unknown command");
		break;
	}
	return stream_skip(p, len, STATE_RECORD);
}

/* ---- sections ---- */

static bool
begin_section(struct stream_parser *p, struct stream_look *l,
	      enum record record)
{
	const uint8_t *name;
	uint32_t id, instance, version;
	uint8_t len;

	if (!look_be32(l, &id) || !look_name(l, &name, &len) ||
	    !look_be32(l, &instance) || !look_be32(l, &version))
		return false;
	keep_name(p->section, name, len);
	if (record == RECORD_FULL && p->ram_ended) {
		p->state = STATE_DEVICES;
		return true;
	}
	p->section_id = id;
	if (record == RECORD_FULL)
		return stream_go_opaque(p, l, "device state before RAM");
	if (is_named("ram", name, len) && version == RAM_VERSION) {
		p->ram_id = id;
		p->state = STATE_RAM;
		return true;
	}
	if (is_named("dirty-bitmap", name, len) && version == BITMAP_VERSION) {
		p->bitmap_id = id;
		p->state = STATE_BITMAP;
		return true;
	}
	return stream_go_opaque(p, l, "an unknown section");
}

static bool
continue_section(struct stream_parser *p, struct stream_look *l,
		 enum record record)
{
	uint32_t id;

	if (!look_be32(l, &id))
		return false;
	p->section_id = id;
	if (id == p->ram_id && !p->ram_ended) {
		p->ram_ends = record == RECORD_END;
		p->state = STATE_RAM;
		return true;
	}
	if (id == p->bitmap_id) {
		p->state = STATE_BITMAP;
		return true;
	}
	return stream_go_opaque(p, l, "an unknown section");
}

bool
stream_step_footer(struct stream_parser *p, struct stream_look *l,
		   struct stream_item *it)
{
	uint8_t mark;
	uint32_t id;

	(void)it;
	if (!look_u8(l, &mark))
		return false;
	if (mark != RECORD_FOOTER)
		return stream_go_opaque(p, l, "a section without its end");
	if (!look_be32(l, &id))
		return false;
	if (id != p->section_id)
		return stream_go_opaque(p, l, "a section without its end");
	p->ram_ended = p->ram_ends;
	p->state = STATE_RECORD;
	return true;
}

bool
stream_step_record(struct stream_parser *p, struct stream_look *l,
		   struct stream_item *it)
{
	uint8_t record;

	if (!look_u8(l, &record))
		return false;
	switch ((enum record)record) {
	case RECORD_EOF:
		p->state = STATE_EOF;
		it->kind = STREAM_EOF;
		l->at = l->n;
		return true;
	case RECORD_START:
	case RECORD_FULL:
		return begin_section(p, l, record);
	case RECORD_PART:
	case RECORD_END:
		return continue_section(p, l, record);
	case RECORD_CONFIG:
		return begin_config(p, l);
	case RECORD_COMMAND:
		return take_command(p, l);
	case RECORD_SUBSECTION:
	case RECORD_DESCRIPTION:
	case RECORD_FOOTER:
	default:
		return stream_go_opaque(p, l, "an unknown record");
	}
}

/* ---- dirty bitmaps ---- */

static bool
take_bits(struct stream_look *l, uint8_t flags, uint64_t *len)
{
	return look_take(l, 8 + 4) && /* from which sector on, how many */
	       (flags & BITMAP_ZEROES || look_be64(l, len));
}

/* The next chunk; the last of a section has the flag EOS. */
bool
stream_step_bitmap(struct stream_parser *p, struct stream_look *l,
		   struct stream_item *it)
{
	const uint8_t *name;
	uint64_t len = 0;
	uint8_t flags, name_len;

	(void)it;
	if (!look_u8(l, &flags))
		return false;
	if (flags & ~BITMAP_FLAGS)
		return stream_go_opaque(p, l, "unknown dirty bitmaps");
	if ((flags & BITMAP_DEVICE && !look_name(l, &name, &name_len)) ||
	    (flags & BITMAP_NAME && !look_name(l, &name, &name_len)))
		return false;
	if (flags & BITMAP_START) {
		if (!look_take(l, 4 + 1)) /* granularity, flags */
			return false;
	} else if (!(flags & BITMAP_COMPLETE) && flags & BITMAP_BITS) {
		if (!take_bits(l, flags, &len))
			return false;
	}
	return stream_skip(p, len,
			   flags & BITMAP_EOS ? STATE_FOOTER : STATE_BITMAP);
}

/* ---- the end ---- */

/* A device's footer, QEMU_VM_EOF, and the beginning of the description, of
 * less than 16 MiB.  '?' stands for any byte.
 */
static const char end_mark[] = "\x7e????\x00\x06\x00???{\"";
#define END_MARK_BYTES   (sizeof(end_mark) - 1)
#define END_FOOTER_BYTES 5

/* How many of the n bytes agree with the mark. */
static size_t
match_end(const uint8_t *in, size_t n)
{
	size_t i = 0;

	while (i < n && i < END_MARK_BYTES &&
	       (end_mark[i] == '?' || (uint8_t)end_mark[i] == in[i]))
		i++;
	return i;
}

bool
stream_step_devices(struct stream_parser *p, struct stream_look *l,
		    struct stream_item *it)
{
	const uint8_t *at = l->in, *end = l->in + l->n;

	(void)it;
	while ((at = memchr(at, RECORD_FOOTER, (size_t)(end - at)))) {
		size_t match = match_end(at, (size_t)(end - at));

		if (match == END_MARK_BYTES) {
			p->state = STATE_EOF;
			l->at = (size_t)(at - l->in) + END_FOOTER_BYTES;
			return true;
		}
		if (at + match == end) { /* wait for the rest */
			l->at = at > l->in ? (size_t)(at - l->in)
					   : END_MARK_BYTES;
			return at > l->in;
		}
		at++;
	}
	l->at = l->n;
	return true;
}

bool
stream_devices_end(struct stream_parser *p, struct stream_look *l)
{
	if (l->n <= END_FOOTER_BYTES || match_end(l->in, l->n) < l->n)
		return false;
	p->state = STATE_EOF;
	l->at = END_FOOTER_BYTES;
	return true;
}
