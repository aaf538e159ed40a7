/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/newfile.h"
#include "common/page.h"
#include "sender/effort.h"
#include "tools/format.h"
#include "tools/transfer.h"

const char transfer_usage[] =
	"  --image DISK         a disk image of the VM that is here; "
	"repeatable\n"
	"  --image-format F     raw, qcow2, vmdk, vhdx or vdi (found by "
	"content, which\n"
	"                       a guest can fake in a raw disk)\n"
	"  --previous MEMORY    memory of this VM kept from an earlier visit\n"
	"  --region GPA:OFFSET:LENGTH  where raw memory keeps what; "
	"repeatable\n"
	"  --tls-dir DIR        certificates, instead of /etc/pki/virt-mig, "
	"/etc/pki/\n"
	"                       libvirt-migrate or /etc/pki/qemu; TLS on this "
	"host, too\n"
	"  --threads N          workers (all CPUs)\n"
	"  --format text|json   how to show the result\n"
	"  --progress KIND      auto, none, bar, or json: lines with a "
	"message_type\n"
	"  --progress-fd N      where progress goes (2, standard error)\n"
	"  --help               this\n";

static unsigned
transfer_cores(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 1;
	return (unsigned)MAX(CPU_COUNT(&set), 1);
}

void
transfer_init(struct transfer *t, const char *verb)
{
	memset(t, 0, sizeof(*t));
	t->verb = verb;
	t->threads = MIN(transfer_cores(), (unsigned)TRANSFER_THREADS_MAX);
	t->progress_choice = "auto";
	t->progress_fd = STDERR_FILENO;
}

static int
transfer_number(const char *text, unsigned long max, unsigned long *n,
		struct err *e)
{
	char *end;

	errno = 0;
	*n = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || *n > max)
		return err_set(e, ERR_USAGE, "'%s' is not a number up to %lu",
			       text, max);
	return 0;
}

static int
transfer_set_threads(struct transfer *t, const char *value, struct err *e)
{
	unsigned long n;

	if (transfer_number(value, TRANSFER_THREADS_MAX, &n, e) < 0)
		return -1;
	if (n == 0)
		return err_set(e, ERR_USAGE, "at least one thread");
	t->threads = (unsigned)n;
	return 0;
}

static int
transfer_set_format(struct transfer *t, const char *value, struct err *e)
{
	t->json = strcmp(value, "json") == 0;
	if (t->json || strcmp(value, "text") == 0)
		return 0;
	return err_set(e, ERR_USAGE, "the format is text or json, not '%s'",
		       value);
}

static int
transfer_add_image(struct transfer *t, const char *value, struct err *e)
{
	if (t->nimages == TRANSFER_IMAGES_MAX)
		return err_set(e, ERR_USAGE, "at most %d images",
			       TRANSFER_IMAGES_MAX);
	t->images[t->nimages++] = value;
	return 0;
}

static int
transfer_add_region(struct transfer *t, const char *value, struct err *e)
{
	if (t->nregions == TRANSFER_REGIONS_MAX)
		return err_set(e, ERR_USAGE, "at most %d regions",
			       TRANSFER_REGIONS_MAX);
	return memory_region_parse(value, &t->regions[t->nregions++], e);
}

int
transfer_set(struct transfer *t, int option, const char *value, struct err *e)
{
	unsigned long n;

	switch (option) {
	case TRANSFER_FORMAT:
		return transfer_set_format(t, value, e);
	case TRANSFER_HELP:
		t->help = true;
		return 0;
	case TRANSFER_IMAGE:
		return transfer_add_image(t, value, e);
	case TRANSFER_IMAGE_FORMAT:
		t->image_format = value;
		return 0;
	case TRANSFER_PREVIOUS:
		t->previous = value;
		return 0;
	case TRANSFER_PROGRESS:
		t->progress_choice = value;
		return 0;
	case TRANSFER_PROGRESS_FD:
		if (transfer_number(value, 1 << 20, &n, e) < 0)
			return -1;
		t->progress_fd = (int)n;
		return 0;
	case TRANSFER_REGION:
		return transfer_add_region(t, value, e);
	case TRANSFER_THREADS:
		return transfer_set_threads(t, value, e);
	case TRANSFER_TLS_DIR:
		t->tls_dir = value;
		return 0;
	default:
		/* getopt has said what is wrong, but not how to go on. */
		return err_set(e, ERR_USAGE, "see 'virt-mig %s --help'",
			       t->verb);
	}
}

static void
transfer_on_pages(void *arg, uint64_t done, uint64_t all)
{
	progress_show(arg, done * PAGE_BYTES, all * PAGE_BYTES);
}

/* What a kernel needs is in the image; where it cannot be made, the image
 * alone will do.
 */
static void
transfer_open_kernels(struct transfer *t, const struct held *image)
{
	uint64_t blocks[INDEX_KERNELS_MAX];
	size_t n = index_kernels(image->index, blocks);
	struct err ignored;

	for (size_t i = 0; i < n && t->nheld < ARRAY_LEN(t->held); i++)
		if (held_open_kernel(&t->held[t->nheld], image, i, &ignored) ==
		    0)
			t->nheld++;
}

static void
transfer_open_programs(struct transfer *t, const struct held *image,
		       const struct index_how *how)
{
	struct err ignored;

	if (t->nheld < ARRAY_LEN(t->held) &&
	    held_open_programs(&t->held[t->nheld], image, how, &ignored) == 0)
		t->nheld++;
}

static int
transfer_open_image(struct transfer *t, const char *path,
		    const struct index_how *how, struct err *e)
{
	transfer_begin(t, "indexing");
	if (t->nheld == ARRAY_LEN(t->held))
		return err_set(e, ERR_USAGE, "too many images");
	if (held_open_image(&t->held[t->nheld], path, t->image_format, how, e) <
	    0)
		return -1;
	t->nheld++;
	return 0;
}

int
transfer_open(struct transfer *t, struct err *e)
{
	struct index_how how = { .report = transfer_on_pages,
				 .arg = &t->progress,
				 .cancelled = interrupted() };
	size_t nimages;
	int ret = 0;

	if (progress_parse(t->progress_choice, t->progress_fd,
			   &t->progress_kind, e) < 0)
		return -1;
	if (t->previous) {
		transfer_begin(t, "reading");
		ret = held_open_memory(&t->held[0], t->previous, t->regions,
				       t->nregions, &how, e);
		t->nheld += ret == 0;
	}
	for (size_t i = 0; i < t->nimages && ret == 0; i++)
		ret = transfer_open_image(t, t->images[i], &how, e);
	nimages = t->nheld;
	for (size_t i = 0; i < nimages && ret == 0; i++)
		if (t->held[i].base.kind == BASE_IMAGE) {
			transfer_open_kernels(t, &t->held[i]);
			transfer_open_programs(t, &t->held[i], &how);
		}
	transfer_end(t);
	return ret;
}

void
transfer_close(struct transfer *t)
{
	/* Kernels come after the images that they were made from. */
	while (t->nheld > 0)
		held_close(&t->held[--t->nheld]);
}

int
transfer_parse_rate(const char *text, uint64_t *rate, struct err *e)
{
	static const char units[] = " KMG";
	const char *unit;
	double bits, scale = 1;
	char *end;

	bits = strtod(text, &end);
	unit = *end ? strchr(units, *end) : units;
	if (!unit || end == text || (*end && end[1]) ||
	    strspn(text, "0123456789.") != (size_t)(end - text))
		return err_set(e, ERR_USAGE,
			       "'%s' is not a rate; 100M is "
			       "100 Mb/s",
			       text);
	for (const char *u = units; u < unit; u++)
		scale *= 1000;
	bits *= scale;
	if (bits < 8000 || bits > 1e13)
		return err_set(e, ERR_USAGE, "'%s' is no sensible rate", text);
	*rate = (uint64_t)(bits / 8);
	return 0;
}

int
transfer_parse_effort(const char *text, const struct effort **effort,
		      struct err *e)
{
	*effort = NULL;
	if (strcmp(text, "auto") == 0)
		return 0;
	if (strncmp(text, "fixed:", 6) != 0)
		return err_set(e, ERR_USAGE,
			       "the effort is auto or fixed:NAME, not '%s'",
			       text);
	*effort = effort_by_name(text + 6, e);
	return *effort ? 0 : -1;
}

int
transfer_parse_codec(const char *text, struct effort *made,
		     const struct effort **effort, struct err *e)
{
	*effort = made;
	return effort_of_codec(made, text, e);
}

static int
transfer_write_port(const char *path, const char *where, struct err *e)
{
	struct newfile f;

	if (newfile_open(&f, path, e) < 0)
		return -1;
	if (newfile_write(&f, 0, where, strlen(where), e) < 0 ||
	    newfile_write(&f, strlen(where), "\n", 1, e) < 0) {
		newfile_close(&f);
		return -1;
	}
	return newfile_commit(&f, e);
}

int
transfer_listening(const struct transfer *t, const struct endpoint_addr *where,
		   const char *port_file, struct err *e)
{
	char text[ENDPOINT_TEXT_MAX];

	endpoint_addr_text(where, text);
	if (port_file && transfer_write_port(port_file, text, e) < 0)
		return err_prefix(e, "--port-file");
	fprintf(stderr, "virt-mig %s: waiting at %s\n", t->verb, text);
	return 0;
}

void
transfer_begin(struct transfer *t, const char *doing)
{
	progress_fini(&t->progress);
	progress_init_to(&t->progress, doing, t->progress_kind, t->progress_fd);
}

void
transfer_show(struct transfer *t, const struct progress_at *at, bool asked)
{
	if (asked)
		progress_show_now(&t->progress, at);
	else
		progress_show_at(&t->progress, at);
}

void
transfer_end(struct transfer *t)
{
	progress_fini(&t->progress);
}

static double
transfer_cpu_s(long *peak_kib)
{
	struct rusage u = { .ru_maxrss = 0 };

	getrusage(RUSAGE_SELF, &u);
	*peak_kib = u.ru_maxrss;
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double
transfer_ratio(const struct transfer_result *r)
{
	return (double)r->memory_bytes / (double)MAX(r->wire_bytes, 1u);
}

static void
transfer_json_sender(json_t *o, const struct transfer_result *r)
{
	json_t *plans = json_object(), *efforts = json_object();
	size_t n;
	const struct effort *all = effort_all(&n);

	for (unsigned i = 0; i < PLAN__MAX; i++)
		json_object_set_new(plans, plan_code_name(i),
				    json_integer((json_int_t)r->plans[i]));
	for (size_t i = 0; i < n; i++)
		json_object_set_new(efforts, all[i].name,
				    json_integer((json_int_t)r->efforts[i]));
	if (r->efforts[n] > 0)
		json_object_set_new(efforts, "codec",
				    json_integer((json_int_t)r->efforts[n]));
	json_object_set_new(o, "pages", plans);
	json_object_set_new(o, "effort_frames", efforts);
	json_object_set_new(o, "bases", json_integer((json_int_t)r->nbases));
	json_object_set_new(o, "whole_bases",
			    json_integer((json_int_t)r->nwhole));
	if (!r->guest)
		return;
	json_object_set_new(o, "guest", json_string(r->guest));
	json_object_set_new(o, "drops_free_pages", json_boolean(r->drops));
}

static json_t *
transfer_json(const struct transfer *t, const struct transfer_result *r)
{
	long peak;
	double cpu = transfer_cpu_s(&peak);
	json_t *o;

	o = json_pack("{s:s, s:s, s:s, s:I, s:I, s:f, s:f, s:f, s:I, s:I, s:I,"
		      " s:I, s:I}",
		      "message_type", "summary", "verb", t->verb, "version",
		      PACKAGE_VERSION, "memory_bytes",
		      (json_int_t)r->memory_bytes, "wire_bytes",
		      (json_int_t)r->wire_bytes, "ratio", transfer_ratio(r),
		      "wall_s", r->wall_s, "cpu_s", cpu, "peak_bytes",
		      (json_int_t)peak * 1024, "frames", (json_int_t)r->frames,
		      "refused_frames", (json_int_t)r->refused, "asked_pages",
		      (json_int_t)r->asked, "found_pages",
		      (json_int_t)r->found);
	if (r->plans)
		transfer_json_sender(o, r);
	return o;
}

/* "zero 41.0 %, ref 38.2 %, ..." */
static void
transfer_print_plans(const uint64_t *plans)
{
	uint64_t all = 0;
	bool first = true;

	for (unsigned i = 0; i < PLAN__MAX; i++)
		all += plans[i];
	printf("pages:   ");
	for (unsigned i = 0; i < PLAN__MAX; i++) {
		if (plans[i] == 0)
			continue;
		printf("%s%s %.1f%%", first ? "" : ", ", plan_code_name(i),
		       100.0 * (double)plans[i] / (double)all);
		first = false;
	}
	putchar('\n');
}

static void
transfer_print_text(const struct transfer *t, const struct transfer_result *r)
{
	char a[FORMAT_LEN], b[FORMAT_LEN], c[FORMAT_LEN], d[FORMAT_LEN];
	long peak;
	double cpu = transfer_cpu_s(&peak);

	printf("%s %s of memory as %s (%s) in %s\n",
	       strcmp(t->verb, "send") == 0 ? "sent" : "received",
	       format_bytes(a, r->memory_bytes), format_bytes(b, r->wire_bytes),
	       format_ratio(c, transfer_ratio(r)), format_time(d, r->wall_s));
	if (r->plans)
		transfer_print_plans(r->plans);
	if (r->guest)
		printf("free:    %s (%s)\n", r->drops ? "left out" : "all sent",
		       r->guest);
	if (r->asked > 0)
		printf("asked:   %s pages, the receiver held %s\n",
		       format_count(a, r->asked), format_count(b, r->found));
	if (r->refused > 0)
		printf("again:   %s of %s frames, what they referred to had "
		       "changed\n",
		       format_count(a, r->refused),
		       format_count(b, r->frames + r->refused));
	printf("used:    %s of CPU, at most %s of RAM (with mapped files)\n",
	       format_time(a, cpu), format_bytes(b, (uint64_t)peak * 1024));
}

int
transfer_print(const struct transfer *t, const struct transfer_result *r,
	       struct err *e)
{
	json_t *o;
	int ret = 0;

	if (t->json) {
		o = transfer_json(t, r);
		ret = o ? json_dumpf(o, stdout, JSON_INDENT(2)) : -1;
		json_decref(o);
		putchar('\n');
	} else {
		transfer_print_text(t, r);
	}
	if (ret < 0 || fflush(stdout) == EOF)
		return err_sys(e, "standard output");
	return 0;
}
