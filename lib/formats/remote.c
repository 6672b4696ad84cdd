/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "remote_internal.h"

#include "alloc.h"
#include "checked.h"
#include "io.h"
#include "strbuf.h"
#include "text.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Descriptors are first moved out of the way of those that the helper has them under. */
enum { FD_ABOVE = 64 };
/* A helper that says goodbye is waited for so long. */
enum { GOODBYE_MS = 1000 };

/* ---- the program ---- */

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? alloc_strndup(path, (size_t)(slash - path)) : NULL;
}

static char *program_folder(void)
{
	char path[LIMIT_PATH];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

	if (n <= 0)
		return NULL;
	path[n] = '\0';
	return folder_of(path);
}

/* Of the shared library that this is a part of. */
static char *library_folder(void)
{
	static const char here;
	Dl_info info;

	return dladdr(&here, &info) && info.dli_fname ? folder_of(info.dli_fname) : NULL;
}

char *remote_helper_path(const char *helper)
{
	/* In the tree where it was built; where the program, or the library, was installed. */
	static const char *const by_program[] = { "net", "../lib/drydock" }, *const by_library[] = { "net", "drydock" };
	CLEANUP(free_ptr) char *program = program_folder(), *library = library_folder();
	const char *given = getenv("DRYDOCK_HELPERS");
	char *path = NULL;

	if (given && *given)
		return alloc_printf("%s/%s", given, helper);
	for (size_t i = 0; i < 2 * ARRAY_LEN(by_program); i++) {
		const bool first = i < ARRAY_LEN(by_program);
		const char *folder = first ? program : library;

		if (!folder)
			continue;
		free(path);
		path = alloc_printf("%s/%s/%s", folder, first ? by_program[i] : by_library[i - ARRAY_LEN(by_program)], helper);
		if (path && access(path, X_OK) == 0)
			return path;
	}
	free(path);
	return NULL;
}

/* ---- starting ---- */

int remote_judge_chain(const struct block *b, const struct block_env *env, struct err *e)
{
	unsigned depth = 0;

	/* Ends: a chain has at most LIMIT_BACKING_DEPTH images. */
	for (; env; env = env->above) {
		const struct block *n = env->node;

		while (n && n->file)
			n = n->file;
		if (!n || !n->drv->is_remote)
			continue;
		if (n->drv == b->drv && strcmp(n->name, b->name) == 0)
			return err_set(e, ERR_CORRUPT, "%s: the backing chain comes back to this file", b->name);
		if (++depth >= LIMIT_REMOTE_DEPTH)
			return err_set(e, ERR_LIMIT, "%s: a chain of more than %d images on a network", b->name,
				       LIMIT_REMOTE_DEPTH);
	}
	return 0;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Moves *fd to a number that no helper has. */
static int lift(int *fd)
{
	int up = fcntl(*fd, F_DUPFD_CLOEXEC, FD_ABOVE);

	if (up < 0)
		return errno;
	close(*fd);
	*fd = up;
	return 0;
}

/* The helper's ends. */
struct ends {
	int fds[NET_FD_SLOTS + 2 * NET_SLOTS - NET_FD_LIFE];
};

static void ends_close(struct ends *ends)
{
	for (size_t i = 0; i < ARRAY_LEN(ends->fds); i++) {
		close_fd(&ends->fds[i]);
		ends->fds[i] = -1;
	}
}

/* 0, or an errno. */
static int make_memory(struct remote *r)
{
	r->memory_fd = memfd_create("drydock-net", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (r->memory_fd < 0 || ftruncate(r->memory_fd, (off_t)NET_MEMORY) < 0 ||
	    fcntl(r->memory_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return errno;
	r->memory = mmap(NULL, NET_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, r->memory_fd, 0);
	if (r->memory == MAP_FAILED) {
		r->memory = NULL;
		return errno;
	}
	return lift(&r->memory_fd);
}

static int make_locks(struct remote *r)
{
	pthread_mutexattr_t attr;
	int rc;

	r->locks = mmap(NULL, sizeof *r->locks, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r->locks == MAP_FAILED) {
		r->locks = NULL;
		return errno;
	}
	rc = pthread_mutexattr_init(&attr);
	if (rc)
		return rc;
	rc = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	if (!rc)
		rc = pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	for (size_t i = 0; !rc && i < NET_SLOTS; i++)
		rc = pthread_mutex_init(&r->locks->locks[i], &attr);
	pthread_mutexattr_destroy(&attr);
	return rc;
}

/* Ours go into r, the helper's into ends, in the order of its descriptors.  0, or an errno. */
static int make_ends(struct remote *r, struct ends *ends)
{
	int pair[2], rc;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return errno;
	ends->fds[0] = pair[0];
	r->life = pair[1];
	if (pipe2(pair, O_CLOEXEC) < 0)
		return errno;
	r->said = pair[0];
	ends->fds[1] = pair[1];
	ends->fds[2] = fcntl(r->memory_fd, F_DUPFD_CLOEXEC, FD_ABOVE);
	if (ends->fds[2] < 0)
		return errno;
	rc = lift(&ends->fds[0]);
	if (!rc)
		rc = lift(&ends->fds[1]);
	for (size_t i = 0; !rc && i < NET_SLOTS; i++) {
		int *wake = &ends->fds[3 + 2 * i], *done = wake + 1;

		r->wake[i] = eventfd(0, EFD_CLOEXEC);
		if (r->wake[i] < 0 || (*wake = fcntl(r->wake[i], F_DUPFD_CLOEXEC, FD_ABOVE)) < 0 || pipe2(pair, O_CLOEXEC) < 0)
			return errno;
		r->done[i] = pair[0];
		*done = pair[1];
		rc = lift(done);
	}
	return rc;
}

/* 0, or an errno. */
static int spawn(struct remote *r, const char *path, const struct ends *ends)
{
	char *const argv[] = { (char *)(uintptr_t)path, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int rc = posix_spawn_file_actions_init(&actions);

	if (rc)
		return rc;
	rc = posix_spawnattr_init(&attr);
	if (rc) {
		posix_spawn_file_actions_destroy(&actions);
		return rc;
	}
	sigemptyset(&none);
	sigfillset(&all);
	/* A group of its own: who interrupts us at a terminal does not interrupt what we may still want to ask. */
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	for (int i = 0; !rc && i < 3; i++)
		rc = posix_spawn_file_actions_addopen(&actions, i, "/dev/null", O_RDWR, 0);
	for (size_t i = 0; !rc && i < ARRAY_LEN(ends->fds); i++)
		rc = posix_spawn_file_actions_adddup2(&actions, ends->fds[i], NET_FD_LIFE + (int)i);
	if (!rc)
		rc = posix_spawn(&r->pid, path, &actions, &attr, argv, environ);
	if (rc)
		r->pid = 0;
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return rc;
}

/* The helper wipes it. */
static int write_config(struct remote *r, const struct dict *opts, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;
	char *const data = r->memory + NET_SLOT_HEAD;
	uint32_t len;

	for (size_t i = 0; i < opts->n; i++) {
		strbuf_add(&text, opts->items[i].key, strlen(opts->items[i].key) + 1);
		strbuf_add(&text, opts->items[i].value, strlen(opts->items[i].value) + 1);
	}
	if (text.failed)
		return err_nomem(e);
	if (text.len > NET_CONFIG_MAX)
		return err_set(e, ERR_LIMIT, "%s: its options are longer than %zu bytes", r->name, NET_CONFIG_MAX);
	len = (uint32_t)text.len;
	memcpy(data, &len, sizeof len);
	memcpy(data + sizeof len, text.s, text.len);
	explicit_bzero(text.s, text.len);
	return 0;
}

/* Waits for something to read, or the end: 1, 0 when it is too late, or a negative errno. */
static int await(int fd, uint64_t end)
{
	/* Ends: at `end`. */
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		const uint64_t now = now_ms();
		const uint64_t left = now < end ? end - now : 0;
		int rc = poll(&p, 1, (int)MIN_OF(left, (uint64_t)60000));

		if (rc > 0)
			return 1;
		if (rc < 0 && errno != EINTR)
			return -errno;
		if (!left)
			return 0;
	}
}

/* A failure that the helper tells of; its words may be the server's. */
static int theirs(const struct remote *r, const struct net_failure *f, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf why = STRBUF_INIT;
	enum err_code code = f->code <= ERR_CANCELED ? (enum err_code)f->code : ERR_SYSTEM;

	text_quote(&why, f->msg, strnlen(f->msg, sizeof f->msg));
	err_set(e, code, "%s: %s", r->name, why.s);
	if (e && code == ERR_SYSTEM)
		e->sys_errno = f->sys_errno > 0 && f->sys_errno < 4096 ? f->sys_errno : EIO;
	return -(int)code;
}

static int read_hello(struct remote *r, unsigned seconds, struct err *e)
{
	const uint64_t end = now_ms() + seconds * 1000ULL;
	char *to = (char *)&r->hello;

	/* Ends: it gets longer, or too late. */
	for (size_t at = 0; at < sizeof r->hello;) {
		int rc = await(r->said, end);
		ssize_t n = rc > 0 ? read(r->said, to + at, sizeof r->hello - at) : 0;

		if (rc == 0)
			return err_sys(e, ETIMEDOUT, "%s: no answer in %u seconds", r->name, seconds);
		if (rc < 0 || (n < 0 && errno != EINTR))
			return err_sys(e, rc < 0 ? -rc : errno, "%s: the helper process", r->name);
		if (n == 0)
			return err_set(e, ERR_SYSTEM, "%s: the helper process has ended", r->name);
		at += n > 0 ? (size_t)n : 0;
	}
	return r->hello.failure.code ? theirs(r, &r->hello.failure, e) : net_judge_hello(&r->hello, r->name, e);
}

static void remote_freep(struct remote **r)
{
	remote_free(*r);
}

static int begin(struct remote *r, const struct remote_how *how, struct err *e)
{
	CLEANUP(free_ptr) char *path = remote_helper_path(how->helper);
	CLEANUP(ends_close) struct ends ends;
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(ends.fds); i++)
		ends.fds[i] = -1;
	if (!path)
		return err_set(e, ERR_UNSUPPORTED, "%s: the program %s, which talks to the server, is not there: \"make\" builds "
			       "it, and DRYDOCK_HELPERS names its folder", how->name, how->helper);
	if ((rc = make_memory(r)) || (rc = make_locks(r)) || (rc = make_ends(r, &ends)))
		return err_sys(e, rc, "%s: no helper process%s", how->name,
			       rc == EPERM ? " can be started by a process that is confined" : "");
	rc = write_config(r, how->opts, e);
	if (rc < 0)
		return rc;
	rc = spawn(r, path, &ends);
	ends_close(&ends);
	if (rc)
		return err_sys(e, rc, "%s: starting %s", how->name, path);
	return read_hello(r, how->open_seconds, e);
}

int remote_start(const struct remote_how *how, struct remote **out, struct err *e)
{
	CLEANUP(remote_freep) struct remote *r = alloc_zero(sizeof *r);
	int rc;

	if (!r)
		return err_nomem(e);
	r->life = r->said = r->memory_fd = -1;
	for (size_t i = 0; i < NET_SLOTS; i++)
		r->wake[i] = r->done[i] = -1;
	r->owner = getpid();
	r->patience_ms = how->patience_seconds * 1000;
	r->name = alloc_strdup(how->name);
	if (!r->name)
		return err_nomem(e);
	rc = begin(r, how, e);
	if (rc == 0)
		*out = take(r);
	return rc;
}

/* The helper ends by itself when `life` does; a confined process can neither wait for it nor kill it. */
static void end_helper(struct remote *r)
{
	const struct timespec tick = { 0, 1000000 };
	int status;

	if (r->pid <= 0 || r->owner != getpid())
		return;
	for (int ms = 0; ms < GOODBYE_MS; ms++) {
		pid_t who = waitpid(r->pid, &status, WNOHANG);

		if (who == r->pid || (who < 0 && errno != EINTR))
			return;
		nanosleep(&tick, NULL);
	}
	kill(r->pid, SIGKILL);
	while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
		;
}

void remote_free(struct remote *r)
{
	if (!r)
		return;
	close_fd(&r->life);
	end_helper(r);
	for (size_t i = 0; i < NET_SLOTS; i++) {
		close_fd(&r->wake[i]);
		close_fd(&r->done[i]);
	}
	close_fd(&r->said);
	close_fd(&r->memory_fd);
	if (r->memory)
		munmap(r->memory, NET_MEMORY);
	if (r->locks)
		munmap(r->locks, sizeof *r->locks);
	free(r->name);
	free(r);
}

const struct net_hello *remote_hello(const struct remote *r)
{
	return &r->hello;
}

static struct net_slot *slot_at(const struct remote *r, unsigned i)
{
	return (struct net_slot *)(void *)(r->memory + i * NET_SLOT_SPAN);
}

static char *data_at(const struct remote *r, unsigned i)
{
	return r->memory + i * NET_SLOT_SPAN + NET_SLOT_HEAD;
}

const char *remote_data(const struct remote *r, unsigned i)
{
	return data_at(r, i);
}

const void *remote_first(const struct remote *r)
{
	return data_at(r, 0);
}

/* ---- questions ---- */

static bool lock_taken(struct remote *r, unsigned i, int rc)
{
	if (rc == EOWNERDEAD) {
		/* Who asked through it is dead, and the answer may still come. */
		atomic_store(&r->locks->lost[i], true);
		pthread_mutex_consistent(&r->locks->locks[i]);
		rc = 0;
	}
	if (rc == 0 && atomic_load(&r->locks->lost[i])) {
		pthread_mutex_unlock(&r->locks->locks[i]);
		return false;
	}
	return rc == 0;
}

bool remote_lock(struct remote *r, unsigned i, bool try)
{
	pthread_mutex_t *lock = &r->locks->locks[i];

	return !atomic_load(&r->locks->lost[i]) && lock_taken(r, i, try ? pthread_mutex_trylock(lock) : pthread_mutex_lock(lock));
}

void remote_unlock(struct remote *r, unsigned i)
{
	pthread_mutex_unlock(&r->locks->locks[i]);
}

/* One that nobody uses and that awaits nothing: with data that was read ahead, or without. */
static bool slot_take_idle(struct remote *r, bool with_data, unsigned *out)
{
	const int wanted = with_data ? AHEAD_THERE : AHEAD_NONE;

	for (unsigned i = 0; i < r->hello.slots; i++) {
		if (atomic_load(&r->locks->ahead[i].state) != wanted || !remote_lock(r, i, true))
			continue;
		*out = i;
		if (atomic_load(&r->locks->ahead[i].state) == wanted)
			return true;
		remote_unlock(r, i);
	}
	return false;
}

/*
 * A slot that nobody uses, at best one into which nothing was read ahead, or the one whose turn it is.  false: all of them
 * are lost.
 */
static bool slot_take(struct remote *r, unsigned *out)
{
	const unsigned n = r->hello.slots;
	unsigned first = 0;

	if (slot_take_idle(r, false, out) || slot_take_idle(r, true, out))
		return true;
	if (n > 1)
		first = atomic_fetch_add(&r->locks->turn, 1);
	for (unsigned i = 0; i < n; i++) {
		*out = (first + i) % n;
		if (remote_lock(r, *out, false))
			return true;
	}
	return false;
}

/* An eventfd is written whole or not at all.  0, or an errno. */
static int wake_helper(int fd)
{
	const uint64_t one = 1;
	ssize_t n;

	do
		n = write(fd, &one, sizeof one);
	while (n < 0 && errno == EINTR);
	return n == sizeof one ? 0 : n < 0 ? errno : EIO;
}

int remote_send(struct remote *r, unsigned i, enum net_op op, unsigned flags, uint64_t len, uint64_t off)
{
	struct net_slot *s = slot_at(r, i);

	s->op = (uint32_t)op;
	s->flags = flags;
	s->off = off;
	s->len = len;
	return wake_helper(r->wake[i]);
}

int remote_answer(struct remote *r, unsigned i, struct err *e)
{
	struct net_failure failure;
	char byte;
	size_t got = 0;
	int rc = -await(r->done[i], now_ms() + r->patience_ms);

	if (rc == -1)
		rc = io_read(r->done[i], &byte, 1, &got);
	else if (rc == 0)
		rc = ETIMEDOUT;
	if (rc || !got)
		atomic_store(&r->locks->lost[i], true);
	if (rc == ETIMEDOUT)
		return err_sys(e, rc, "%s: no answer in %u seconds", r->name, r->patience_ms / 1000);
	if (rc)
		return err_sys(e, rc, "%s: the helper process", r->name);
	if (!got)
		return err_set(e, ERR_SYSTEM, "%s: the helper process has ended", r->name);
	memcpy(&failure, &slot_at(r, i)->failure, sizeof failure);
	return failure.code ? theirs(r, &failure, e) : 0;
}

/* A slot for a question. */
static int slot_begin(struct remote *r, unsigned *slot, struct err *e)
{
	/* Ends: a slot of which an answer that was awaited has not come is lost, and is not had again. */
	while (slot_take(r, slot)) {
		remote_ahead_drop(r, *slot);
		if (!atomic_load(&r->locks->lost[*slot]))
			return 0;
		remote_unlock(r, *slot);
	}
	return err_set(e, ERR_SYSTEM, "%s: the connection is lost", r->name);
}

/* Asks, and waits for the answer. */
static int slot_ask(struct remote *r, unsigned i, enum net_op op, unsigned flags, uint64_t len, uint64_t off, struct err *e)
{
	int rc = remote_send(r, i, op, flags, len, off);

	if (!rc)
		return remote_answer(r, i, e);
	atomic_store(&r->locks->lost[i], true);
	return err_sys(e, rc, "%s: the helper process", r->name);
}

int remote_read(struct remote *r, void *buf, size_t len, uint64_t off, struct err *e)
{
	const uint64_t min = r->hello.block_min, max = r->hello.block_max;
	char *to = buf;

	atomic_fetch_add(&r->locks->wanted, len);
	/* Ends: len gets less with each. */
	while (len) {
		/* The export's end is as good as a block's. */
		uint64_t from = round_down(off, min), end = MIN_OF(off + len, from + max);
		uint64_t span = MIN_OF(round_up(end, min), r->hello.size) - from;
		const size_t ready = remote_ahead_take(r, to, len, off), n = (size_t)(end - off);
		unsigned slot;
		int rc;

		if (ready) {
			to += ready;
			off += ready;
			len -= ready;
			continue;
		}
		rc = slot_begin(r, &slot, e);
		if (rc < 0)
			return rc;
		rc = slot_ask(r, slot, NET_READ, 0, span, from, e);
		if (rc == 0)
			memcpy(to, data_at(r, slot) + (off - from), n);
		remote_unlock(r, slot);
		if (rc < 0)
			return rc;
		to += n;
		off += n;
		len -= n;
	}
	return 0;
}

int remote_write(struct remote *r, const void *buf, size_t len, uint64_t off, struct err *e)
{
	const char *from = buf;

	/* Ends: len gets less with each. */
	while (len) {
		size_t n = (size_t)MIN_OF((uint64_t)len, (uint64_t)r->hello.block_max);
		unsigned slot;
		int rc = slot_begin(r, &slot, e);

		if (rc < 0)
			return rc;
		memcpy(data_at(r, slot), from, n);
		rc = slot_ask(r, slot, NET_WRITE, 0, n, off, e);
		remote_unlock(r, slot);
		if (rc < 0)
			return rc;
		from += n;
		off += n;
		len -= n;
	}
	return 0;
}

int remote_do(struct remote *r, enum net_op op, unsigned flags, uint64_t len, uint64_t off, struct err *e)
{
	/* The protocol's lengths have 32 bits; this is a multiple of every block. */
	const uint64_t most = 1 * GiB;

	/* Ends: len gets less with each; a flush is one question. */
	for (;;) {
		const uint64_t n = MIN_OF(len, most);
		unsigned slot;
		int rc = slot_begin(r, &slot, e);

		if (rc < 0)
			return rc;
		rc = slot_ask(r, slot, op, flags, n, off, e);
		remote_unlock(r, slot);
		if (rc < 0 || len <= n)
			return rc;
		off += n;
		len -= n;
	}
}

int remote_map(struct remote *r, uint64_t len, uint64_t off, struct net_extent *out, size_t *n, struct err *e)
{
	const uint64_t most = 1 * GiB;
	unsigned slot;
	int rc = slot_begin(r, &slot, e);

	if (rc < 0)
		return rc;
	rc = slot_ask(r, slot, NET_MAP, 0, MIN_OF(len, most), off, e);
	if (rc == 0) {
		const struct net_slot *s = slot_at(r, slot);
		const uint32_t told = s->nextents;

		memcpy(out, s->extents, MIN_OF(told, (uint32_t)NET_EXTENTS) * sizeof *out);
		*n = net_judge_runs(out, told);
		if (!*n)
			rc = err_set(e, ERR_CORRUPT, "%s: the server does not tell where data is", r->name);
	}
	remote_unlock(r, slot);
	return rc;
}
