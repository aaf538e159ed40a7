/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/child.h"
#include "common/mem.h"

#define EXIT_NO_EXEC 127
#define PATIENCE_MS  2000
#define FIRST_PASSED 3 /* systemd's first descriptor */
#define ABOVE_PASSED 10
#define LISTEN_PID   "LISTEN_PID="
#define PID_DIGITS   20
#define EXTRA_ENV    3

/* The environment of the child: ours, its messages in English, and room for
 * the variables that say it was given a socket.
 */
struct child_env {
	char **vars;
	char pid[sizeof(LISTEN_PID) + PID_DIGITS];
};

static bool
is_ours(const char *var)
{
	return strncmp(var, "LC_ALL=", 7) == 0 ||
	       strncmp(var, "LISTEN_", 7) == 0;
}

static int
env_init(struct child_env *env, bool listens, struct err *e)
{
	size_t n = 0, kept = 0;

	while (environ[n])
		n++;
	env->vars = calloc(n + EXTRA_ENV + 1, sizeof(env->vars[0]));
	if (!env->vars)
		return err_sys(e, "environment");
	for (size_t i = 0; i < n; i++)
		if (!is_ours(environ[i]))
			env->vars[kept++] = environ[i];
	env->vars[kept++] = (char *)"LC_ALL=C";
	if (listens) {
		env->vars[kept++] = (char *)"LISTEN_FDS=1";
		env->vars[kept++] = env->pid;
	}
	return 0;
}

/* In the child of what may be a process of many threads, so no snprintf. */
static void
env_set_pid(struct child_env *env, pid_t pid)
{
	char digits[PID_DIGITS];
	char *at = env->pid + sizeof(LISTEN_PID) - 1;
	unsigned n = 0;

	memcpy(env->pid, LISTEN_PID, sizeof(LISTEN_PID) - 1);
	for (; pid > 0; pid /= 10)
		digits[n++] = (char)('0' + pid % 10);
	while (n > 0)
		*at++ = digits[--n];
	*at = '\0';
}

static void __attribute__((noreturn))
child_exec(const struct child *c, const char *const *argv, int listen_fd,
	   struct child_env *env)
{
	sigset_t none;
	int null = open("/dev/null", O_RDONLY);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setpgid(0, 0);
	env_set_pid(env, getpid());
	if (null < 0 || dup2(null, 0) < 0 || dup2(c->out, 1) < 0 ||
	    dup2(c->err, 2) < 0 ||
	    (listen_fd >= 0 && dup2(listen_fd, FIRST_PASSED) < 0))
		_exit(EXIT_NO_EXEC);
	execvpe(argv[0], (char *const *)(uintptr_t)argv, env->vars);
	_exit(EXIT_NO_EXEC);
}

/* A descriptor that dup2() to 0..3 cannot hit. */
static int
out_of_the_way(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, ABOVE_PASSED);

	close(fd);
	return moved;
}

static int
memory_file(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	return fd < 0 ? -1 : out_of_the_way(fd);
}

int
child_start(struct child *c, const char *const *argv, int listen_fd,
	    struct err *e)
{
	struct child_env env;
	int passed = -1;

	*c = (struct child){ .name = argv[0], .out = -1, .err = -1 };
	if (env_init(&env, listen_fd >= 0, e) < 0)
		return -1;
	c->out = memory_file("stdout");
	c->err = memory_file("stderr");
	if (listen_fd >= 0)
		passed = fcntl(listen_fd, F_DUPFD_CLOEXEC, ABOVE_PASSED);
	if (c->out >= 0 && c->err >= 0 && (listen_fd < 0 || passed >= 0))
		c->pid = fork();
	else
		c->pid = -1;
	if (c->pid == 0)
		child_exec(c, argv, passed, &env);
	if (c->pid < 0)
		(void)err_sys(e, "starting %s", argv[0]);
	if (passed >= 0)
		close(passed);
	free(env.vars);
	if (c->pid > 0)
		return 0;
	c->pid = 0;
	child_close(c);
	return -1;
}

/* The first line that the child wrote to stderr, without its name. */
static void
first_line(const struct child *c, char *text, size_t cap)
{
	ssize_t n = pread(c->err, text, cap - 1, 0);
	size_t name = strlen(c->name);

	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (strncmp(text, c->name, name) == 0 && text[name] == ':' &&
	    text[name + 1] == ' ')
		memmove(text, text + name + 2, strlen(text + name + 2) + 1);
}

int
child_wait(struct child *c, struct err *e)
{
	char text[200];
	int status;

	while (waitpid(c->pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, "waiting for %s", c->name);
	c->pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NO_EXEC)
		return err_set(e, ERR_USAGE, "cannot run %s: not installed?",
			       c->name);
	first_line(c, text, sizeof(text));
	if (WIFSIGNALED(status))
		return err_set(e, ERR_SYSTEM, "%s: signal %d %s", c->name,
			       WTERMSIG(status), text);
	return err_set(e, ERR_CORRUPT, "%s: %s", c->name,
		       text[0] ? text : "failed");
}

/* Whether the child has ended, after waiting for at most that long. */
static bool
ends_within(const struct child *c, unsigned ms)
{
	const struct timespec step = { .tv_nsec = 5000000 };

	for (unsigned waited = 0;; waited += 5) {
		pid_t ended = waitpid(c->pid, NULL, WNOHANG);

		if (ended == c->pid || (ended < 0 && errno != EINTR))
			return true;
		if (waited >= ms)
			return false;
		nanosleep(&step, NULL);
	}
}

void
child_close(struct child *c)
{
	if (c->pid > 0 && !ends_within(c, 0)) {
		kill(c->pid, SIGTERM);
		if (!ends_within(c, PATIENCE_MS)) {
			kill(c->pid, SIGKILL);
			while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
				;
		}
	}
	if (c->out >= 0)
		close(c->out);
	if (c->err >= 0)
		close(c->err);
	*c = (struct child){ .out = -1, .err = -1 };
}

static char *
read_output(const struct child *c, size_t max, size_t *len, struct err *e)
{
	off_t size = lseek(c->out, 0, SEEK_END);
	char *text;

	if (size < 0 || (size_t)size > max) {
		(void)err_set(e, ERR_LIMIT, "%s wrote %lld bytes", c->name,
			      (long long)size);
		return NULL;
	}
	text = malloc((size_t)size + 1);
	if (!text || pread(c->out, text, (size_t)size, 0) != size) {
		(void)err_sys(e, "output of %s", c->name);
		free(text);
		return NULL;
	}
	text[size] = '\0';
	*len = (size_t)size;
	return text;
}

char *
child_output(const char *const *argv, size_t max, size_t *len, struct err *e)
{
	struct child c;
	char *text = NULL;

	if (child_start(&c, argv, -1, e) < 0)
		return NULL;
	if (child_wait(&c, e) == 0)
		text = read_output(&c, max, len, e);
	child_close(&c);
	return text;
}
