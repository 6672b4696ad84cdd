/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "saver.h"

#include "alloc.h"
#include "broker.h"
#include "client.h"
#include "folders.h"
#include "limits.h"
#include "machine.h"
#include "saved.h"
#include "strbuf.h"
#include "vm.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* An answer of the monitor takes milliseconds. */
#define MONITOR_MS 20000
#define MONITOR_LINE (64 * KiB)

/* Some 60 MB are written. */
#define ROOM_NEEDED (96 * MiB)
/* How long another may take: several times what a machine takes to start.  Who waits longer would have started its own by now. */
#define OTHER_MS 15000

struct saver {
	struct vm_request req;
	struct saved_of of;
	struct broker *broker;
	struct machine *machine;
	int monitor, memory;
	struct strbuf heard; /* of the monitor */
	struct strbuf state;
};

static void saver_end(struct saver *s)
{
	machine_end(take(s->machine));
	broker_free(take(s->broker));
	strbuf_free(&s->heard);
	strbuf_free(&s->state);
}

/* ---- QEMU's monitor ---- */

/* Reads what is there: false when nothing comes in time, or never will. */
static bool hear(int fd, struct strbuf *out, uint64_t end_ms, size_t *n)
{
	char buf[16 * 1024];
	uint64_t now = machine_now_ms();
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t got;

	if (now >= end_ms || poll(&p, 1, (int)(end_ms - now)) <= 0)
		return false;
	got = read(fd, buf, sizeof buf);
	if (got < 0)
		return false;
	strbuf_add(out, buf, (size_t)got);
	*n = (size_t)got;
	return !out->failed;
}

/* The next line, which is an object.  NULL: none comes. */
static json_t *hear_line(struct saver *s)
{
	uint64_t end = machine_now_ms() + MONITOR_MS;
	const char *newline;
	json_t *line;
	size_t n = 1;

	while (!(newline = memchr(s->heard.s, '\n', s->heard.len)))
		if (s->heard.len > MONITOR_LINE || !hear(s->monitor, &s->heard, end, &n) || n == 0)
			return NULL;
	line = json_loadb(s->heard.s, (size_t)(newline - s->heard.s), 0, NULL);
	n = (size_t)(newline + 1 - s->heard.s);
	memmove(s->heard.s, s->heard.s + n, s->heard.len - n + 1);
	s->heard.len -= n;
	return line;
}

/* A command, with a descriptor or without (-1); *answer, which may be NULL, is to be given back. */
static int tell(struct saver *s, const char *command, int fd, json_t **answer, struct err *e)
{
	int rc = vm_send(s->monitor, command, strlen(command), &fd, fd >= 0 ? 1 : 0);

	if (rc)
		return err_sys(e, rc, "QEMU's monitor");
	/* Ends: what is no answer is an event, of which there are a few; each takes a line. */
	for (int lines = 0; lines < 100; lines++) {
		json_t *line = hear_line(s), *value;
		const char *why;

		if (!line)
			return err_set(e, ERR_UNSUPPORTED, "QEMU's monitor does not answer");
		value = json_object_get(line, "return");
		if (value && answer)
			*answer = json_incref(value);
		why = json_string_value(json_object_get(json_object_get(line, "error"), "desc"));
		rc = why ? err_set(e, ERR_UNSUPPORTED, "QEMU: %.200s", why) : 0;
		json_decref(line);
		if (value || rc < 0)
			return rc;
	}
	return err_set(e, ERR_UNSUPPORTED, "QEMU's monitor says too much");
}

/* All that it writes to the pipe, until it closes it. */
static int read_state(struct saver *s, int from, struct err *e)
{
	uint64_t end = machine_now_ms() + MONITOR_MS;
	size_t n = 1;

	while (n) {
		if (!hear(from, &s->state, end, &n))
			return s->state.failed ? err_nomem(e)
					       : err_set(e, ERR_UNSUPPORTED, "QEMU does not say what the machine's state is");
		if (s->state.len > LIMIT_SAVED_STATE)
			return err_set(e, ERR_LIMIT, "a machine's state of more than %llu bytes", LIMIT_SAVED_STATE);
	}
	return 0;
}

static int take_state(struct saver *s, struct err *e)
{
	CLEANUP(close_fd) int from = -1;
	json_t *done = NULL;
	const char *status;
	int pipefd[2], rc;

	rc = tell(s, "{\"execute\":\"qmp_capabilities\"}\n", -1, NULL, e);
	if (rc == 0)
		rc = tell(s, "{\"execute\":\"migrate-set-capabilities\",\"arguments\":{\"capabilities\":"
			     "[{\"capability\":\"x-ignore-shared\",\"state\":true}]}}\n", -1, NULL, e);
	if (rc < 0)
		return rc;
	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return err_sys(e, errno, "a pipe");
	from = pipefd[0];
	rc = tell(s, "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"state\"}}\n", pipefd[1], NULL, e);
	close(pipefd[1]);
	if (rc == 0)
		rc = tell(s, "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"fd:state\"}}\n", -1, NULL, e);
	if (rc == 0)
		rc = read_state(s, from, e);
	/* The pipe is closed a moment before it says so. */
	for (uint64_t end = machine_now_ms() + MONITOR_MS; rc == 0; json_decref(done)) {
		rc = tell(s, "{\"execute\":\"query-migrate\"}\n", -1, &done, e);
		status = rc == 0 ? json_string_value(json_object_get(done, "status")) : NULL;
		if (status && strcmp(status, "completed") == 0) {
			json_decref(done);
			return 0;
		}
		if (rc == 0 && (!status || strcmp(status, "failed") == 0 || machine_now_ms() > end))
			rc = err_set(e, ERR_UNSUPPORTED, "QEMU could not save the machine");
		if (rc == 0)
			poll(NULL, 0, 5);
	}
	return rc;
}

/* ---- the machine ---- */

static int fall_asleep(struct saver *s, uint64_t end, struct err *e)
{
	struct client *c;
	int rc = client_new(machine_channel(s->machine), (unsigned)(end - MIN_OF(machine_now_ms(), end - 1)), &c, e);

	if (rc < 0)
		return rc;
	rc = client_sleep(c, e);
	if (rc == 0)
		rc = take_state(s, e);
	client_free(c);
	return rc;
}

static int boot(struct saver *s, const struct appliance_files *files, struct err *e)
{
	const struct broker_how how = { .files = files, .saves = true };
	uint64_t end = machine_now_ms() + APPLIANCE_SECONDS_TCG * 1000u;
	int rc = broker_start(&how, &s->broker, e);

	if (rc == 0)
		rc = machine_start(s->broker, &s->req, NULL, NULL, NULL, end, &s->machine, e);
	if (rc == 0)
		rc = machine_wait(s->machine, end, e);
	if (rc < 0)
		return rc;
	s->monitor = machine_monitor(s->machine, &s->memory);
	return fall_asleep(s, end, e);
}

/* ---- the file ---- */

/* One without a name where the filesystem has such: nothing is left of it when this process is killed. */
static int open_new(int folder, const char *name, bool *named, struct err *e)
{
	/* It gets its name by way of /proc. */
	int fd = access("/proc/self/fd", X_OK) == 0 ? openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) : -1;

	*named = fd < 0;
	if (fd >= 0)
		return fd;
	/* The folder is locked: nobody else writes there. */
	if (unlinkat(folder, name, 0) == 0 || errno == ENOENT)
		fd = openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? err_sys(e, errno, "a place for a saved machine") : fd;
}

/* Full, or more than this user may have: that is known before a second is spent. */
static int take_room(int fd, struct err *e)
{
	if (fallocate(fd, 0, 0, ROOM_NEEDED) == 0 || errno == EOPNOTSUPP || errno == ENOSYS || errno == EINTR)
		return 0;
	return err_sys(e, errno, "a place for a saved machine");
}

static int put_in_place(int folder, int fd, bool named, const char *new, const char *name, struct err *e)
{
	char self[40];

	if (!named) {
		snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
		if (unlinkat(folder, new, 0) < 0 && errno != ENOENT)
			return err_sys(e, errno, "%s", new);
		if (linkat(AT_FDCWD, self, folder, new, AT_SYMLINK_FOLLOW) < 0)
			return err_sys(e, errno, "%s", name);
	}
	return renameat(folder, new, folder, name) < 0 ? err_sys(e, errno, "%s", name) : 0;
}

static int save_new(struct saver *s, const struct appliance_files *files, int folder, const char *name, struct err *e)
{
	CLEANUP(free_ptr) char *new = alloc_printf("%s.new", name);
	CLEANUP(close_fd) int fd = -1;
	bool named;
	int rc;

	if (!new)
		return err_nomem(e);
	/* First of all: where it cannot be written no machine is booted. */
	fd = open_new(folder, new, &named, e);
	if (fd < 0)
		return fd;
	rc = take_room(fd, e);
	if (rc == 0)
		rc = boot(s, files, e);
	if (rc == 0)
		rc = saved_write(fd, &s->of, s->memory, s->state.s, s->state.len, e);
	if (rc == 0)
		rc = put_in_place(folder, fd, named, new, name, e);
	if (rc < 0 && named)
		(void)unlinkat(folder, new, 0);
	return rc;
}

/* Is there one that is whole? */
static int is_saved(const char *path, const struct saved_of *of, struct err *e)
{
	CLEANUP(saved_close) struct saved s = { .fd = -1 };
	int rc = saved_open(path, of, &s, e);

	return rc < 0 ? rc : saved_load(&s, -1, e);
}

static int lock_folder(const char *path, int *fd, struct err *e)
{
	CLEANUP(free_ptr) char *folder = alloc_strndup(path, (size_t)(strrchr(path, '/') - path));
	uint64_t end;
	int rc;

	rc = folder ? folder_make_all(folder, e) : err_nomem(e);
	if (rc < 0)
		return rc;
	*fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return err_sys(e, errno, "%s", folder);
	end = machine_now_ms() + OTHER_MS;
	while ((rc = flock(*fd, LOCK_EX | LOCK_NB)) < 0 && (errno == EINTR || errno == EWOULDBLOCK) && machine_now_ms() < end)
		poll(NULL, 0, 10);
	if (rc < 0 && errno == EWOULDBLOCK)
		return err_set(e, ERR_SYSTEM, "another process has been saving one for %d s", OTHER_MS / 1000);
	return rc < 0 ? err_sys(e, errno, "waiting for another that saves a machine") : 0;
}

int saver_save(const struct appliance_files *files, bool programs, struct err *e)
{
	CLEANUP(free_ptr) char *path = saved_path(files, programs);
	CLEANUP(close_fd) int folder = -1;
	struct saver s = { .monitor = -1, .memory = -1, .heard = STRBUF_INIT, .state = STRBUF_INIT };
	struct vm_host host = { .files = files, .began = tsc_now() };
	int rc;

	if (!path || !files->vmlinux.path)
		return err_set(e, ERR_NOT_FOUND, "there is no place for a saved machine");
	vm_saved_request(&s.req, VM_BOOTS_TO_SAVE, programs);
	rc = vmm_qemu_saved(&s.req, &host, &s.of, e);
	if (rc == 0)
		rc = lock_folder(path, &folder, e);
	if (rc < 0)
		return rc;
	rc = is_saved(path, &s.of, e);
	if (rc == -ERR_NOT_FOUND || rc == -ERR_CORRUPT) {
		err_clear(e);
		rc = save_new(&s, files, folder, strrchr(path, '/') + 1, e);
		saver_end(&s);
		/* What this host's QEMU does not know it will not know the next time. */
		if (rc == -ERR_UNSUPPORTED)
			(void)saved_give_up(path, NULL);
	}
	return rc;
}
