/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIG_ERR_H
#define MIG_ERR_H

/* What went wrong, in one value.  Filled once, where it happened; passed up
 * by return value; printed once, at the top.  Never allocates.  The code says
 * what the caller does next; err_exit_status() turns it into the documented
 * exit status of the command.
 */
enum err_code {
	ERR_NONE = 0,
	ERR_SYSTEM,    /* a call failed, see .sys: report it */
	ERR_USAGE,     /* an argument is wrong: tell the user which */
	ERR_AUTH,      /* the peer may not: refuse */
	ERR_PROTOCOL,  /* the peer broke the protocol: drop it */
	ERR_CORRUPT,   /* bytes do not match their digest or format: refuse */
	ERR_LIMIT,     /* a bound or a time-out was reached: retry is safe */
	ERR_VERSION,   /* the two ends do not speak the same version */
	ERR_CANCELLED, /* the user said stop */
	ERR_UNKNOWN,   /* where the VM is: ask both hosts */
};

struct err {
	enum err_code code;
	int sys; /* errno, where code is ERR_SYSTEM */
	char text[240];
};

/* Fills *e and is -1, so that a caller can write
 *	return err_set(e, ERR_PROTOCOL, "frame of %u bytes", n);
 * A macro, so that the compiler sees the -1.
 */
#define err_set(e, ...) (err_fill((e), __VA_ARGS__), -1)
/* As err_set() with ERR_SYSTEM: appends ": " and the text of errno. */
#define err_sys(e, ...) (err_fill_sys((e), __VA_ARGS__), -1)
/* Puts "what: " in front of the text already there. */
#define err_prefix(e, ...) (err_fill_prefix((e), __VA_ARGS__), -1)

void err_fill(struct err *e, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), nonnull(1, 3)));
void err_fill_sys(struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), nonnull(1, 2)));
void err_fill_prefix(struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), nonnull(1, 2)));

/* The exit status a command ends with for this error (virt-mig.1). */
int err_exit_status(const struct err *e) __attribute__((nonnull));

#endif
