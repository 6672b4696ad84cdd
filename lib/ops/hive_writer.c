/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hive_writer.c - the process that has libhivex, and the talk with it.
 *
 * Both sides have two files without names: the hive, which is read and written in place, and the changes.  A byte over a socket
 * pair says that they are ready; the answer is a struct err.
 */
#include "hive_writer.h"

#include "alloc.h"
#include "confine.h"
#include "io.h"
#include "late.h"
#include "limits.h"
#include "strbuf.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <hivex.h>
#include <iconv.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* What is used of libhivex, by its own types. */
#define HIVEX_FUNCTIONS(f)                                                                                             \
	f(hivex_open) f(hivex_close) f(hivex_root) f(hivex_commit) f(hivex_node_get_child) f(hivex_node_add_child)     \
		f(hivex_node_delete_child) f(hivex_node_values) f(hivex_value_key) f(hivex_value_value)                \
			f(hivex_node_set_values) f(hivex_node_set_value)
struct hivex {
	HIVEX_FUNCTIONS(LATE_MEMBER)
};

struct hive_writer {
	pid_t pid;
	int sock, hive, edits;
};

/* Memory of the process: a hive is in it three times at most, and what libhivex remembers of each of its blocks. */
#define WRITER_MEMORY (4 * GiB)
/* Processor time of all hives of one command. */
#define WRITER_SECONDS 600

static int hivex_load(struct hivex *x, struct err *e)
{
#define SYMBOL(name) { #name, &x->name },
	const struct late_symbol symbols[] = { HIVEX_FUNCTIONS(SYMBOL) };
	const char *missing;

	if (late_load("libhivex.so.0", RTLD_LOCAL, symbols, ARRAY_LEN(symbols), &missing))
		return 0;
	if (missing)
		return err_set(e, ERR_UNSUPPORTED, "this libhivex has no %s", missing);
	return err_set(e, ERR_UNSUPPORTED, "registry hives are written by libhivex, which is not installed");
}

/* ---- the changes as bytes: the two sides are one program ---- */

struct packed {
	uint32_t kind, type, key_len, name_len, len;
};

static int edits_pack(const struct reg_edit *edits, size_t n, struct strbuf *out, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		const struct packed p = { edits[i].kind, edits[i].type, (uint32_t)strlen(edits[i].key) + 1,
					  (uint32_t)strlen(edits[i].name) + 1, (uint32_t)edits[i].len };

		strbuf_add(out, &p, sizeof p);
		strbuf_add(out, edits[i].key, p.key_len);
		strbuf_add(out, edits[i].name, p.name_len);
		strbuf_add(out, edits[i].data, p.len);
	}
	return out->failed ? err_nomem(e) : 0;
}

/* The change at *p, whose parts lie there; *p goes on behind it. */
static struct reg_edit edit_unpack(char **p)
{
	struct reg_edit edit = { .kind = REG_EDIT_KEY };
	struct packed head;

	memcpy(&head, *p, sizeof head);
	*p += sizeof head;
	edit.kind = (enum reg_edit_kind)head.kind;
	edit.type = head.type;
	edit.key = *p;
	edit.name = *p + head.key_len;
	edit.data = (uint8_t *)edit.name + head.name_len;
	edit.len = head.len;
	*p = (char *)edit.data + head.len;
	return edit;
}

/* ---- in the process ---- */

struct job {
	const struct hivex *x;
	hive_h *h;
};

static int hivex_failed(const char *what, const char *name, struct err *e)
{
	return err_sys(e, errno, "libhivex cannot %s \"%.200s\"", what, name);
}

/* The key of a path, made where `make`; 0: there is none. */
static int key_find(const struct job *j, const char *path, bool make, hive_node_h *out, struct err *e)
{
	hive_node_h node = j->x->hivex_root(j->h);

	while (node) {
		size_t len;

		path += strspn(path, "\\");
		len = strcspn(path, "\\");
		if (!len)
			break;
		{
			CLEANUP(free_ptr) char *name = alloc_strndup(path, len);
			hive_node_h child = name ? j->x->hivex_node_get_child(j->h, node, name) : 0;

			if (!name)
				return err_nomem(e);
			if (!child && make) {
				child = j->x->hivex_node_add_child(j->h, node, name);
				if (!child)
					return hivex_failed("make the key", name, e);
			}
			node = child;
		}
		path += len;
	}
	*out = node;
	return 0;
}

static void value_clear(struct hive_set_value *v)
{
	free(v->key);
	free(v->value);
}

/* The key's values but one: libhivex has no call that removes a value. */
static int value_remove(const struct job *j, hive_node_h node, const char *name, struct err *e)
{
	CLEANUP(free_ptr) hive_value_h *values = j->x->hivex_node_values(j->h, node);
	CLEANUP(free_ptr) struct hive_set_value *kept = NULL;
	size_t n = 0, nkept = 0;
	int rc = 0;

	if (!values)
		return hivex_failed("read the values of", name, e);
	while (values[n])
		n++;
	kept = alloc_array(n + 1, sizeof *kept);
	if (!kept)
		return err_nomem(e);
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct hive_set_value *v = &kept[nkept];

		v->key = j->x->hivex_value_key(j->h, values[i]);
		if (!v->key)
			rc = hivex_failed("read a value beside", name, e);
		else if (hive_name_order(v->key, name) == 0)
			free(take(v->key));
		else if ((v->value = j->x->hivex_value_value(j->h, values[i], &v->t, &v->len), nkept++, !v->value))
			rc = hivex_failed("read the value", v->key, e);
	}
	if (rc == 0 && nkept < n && j->x->hivex_node_set_values(j->h, node, nkept, kept, 0) < 0)
		rc = hivex_failed("remove the value", name, e);
	for (size_t i = 0; i < nkept; i++)
		value_clear(&kept[i]);
	return rc;
}

static int edit_make(const struct job *j, const struct reg_edit *edit, struct err *e)
{
	bool make = edit->kind == REG_EDIT_KEY || edit->kind == REG_EDIT_VALUE;
	hive_node_h node = 0;
	int rc = key_find(j, edit->key, make, &node, e);

	if (rc < 0 || !node || edit->kind == REG_EDIT_KEY)
		return rc;
	if (edit->kind == REG_EDIT_KEY_DELETE)
		return j->x->hivex_node_delete_child(j->h, node) < 0 ? hivex_failed("remove the key", edit->key, e) : 0;
	if (edit->kind == REG_EDIT_VALUE_DELETE)
		return value_remove(j, node, edit->name, e);
	{
		const struct hive_set_value v = { edit->name, (hive_type)edit->type, edit->len, (char *)edit->data };

		return j->x->hivex_node_set_value(j->h, node, &v, 0) < 0 ? hivex_failed("set the value", edit->name, e) : 0;
	}
}

static int edits_read(int fd, char **out, size_t *len, struct err *e)
{
	off_t size = lseek(fd, 0, SEEK_END);
	int rc;

	if (size < 0)
		return err_sys(e, errno, "the changes");
	*out = alloc_bytes((size_t)size + 1);
	if (!*out)
		return err_nomem(e);
	rc = io_pread(fd, *out, (size_t)size, 0, len);
	return rc ? err_sys(e, rc, "the changes") : 0;
}

static int job_do(const struct hivex *x, const struct hive_writer *w, struct err *e)
{
	CLEANUP(free_ptr) char *packed = NULL;
	struct job j = { .x = x };
	char file[40];
	size_t len = 0;
	int rc = edits_read(w->edits, &packed, &len, e);

	if (rc < 0)
		return rc;
	snprintf(file, sizeof file, "/proc/self/fd/%d", w->hive);
	j.h = x->hivex_open(file, HIVEX_OPEN_WRITE);
	if (!j.h)
		return err_sys(e, errno, "libhivex does not read this hive");
	for (char *p = packed; rc == 0 && p < packed + len;) {
		const struct reg_edit edit = edit_unpack(&p);

		rc = edit_make(&j, &edit, e);
	}
	if (rc == 0 && x->hivex_commit(j.h, file, 0) < 0)
		rc = err_sys(e, errno, "libhivex cannot write this hive");
	x->hivex_close(j.h);
	return rc;
}

/*
 * libhivex converts names by iconv(), whose tables are files that could not be loaded later: they stay as long as somebody has
 * them open.
 */
static bool iconv_load(void)
{
	static const char *const pairs[][2] = { { "UTF-8", "latin1" }, { "latin1", "UTF-8" }, { "UTF-8", "UTF-16LE" },
						{ "UTF-16LE", "UTF-8" } };

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		if (iconv_open(pairs[i][0], pairs[i][1]) == (iconv_t)-1)
			return false;
	return true;
}

__attribute__((noreturn)) static void process(const struct hivex *x, const struct hive_writer *w, pid_t parent)
{
	CLEANUP(close_fd) int folder = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct confine_how how = { .write = true, .write_dir = folder, .again = true, .memory = WRITER_MEMORY,
					 .seconds = WRITER_SECONDS };
	char ready;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (folder < 0 || getppid() != parent || !iconv_load() || confine(&how, NULL, NULL) < 0)
		_exit(1);
	/* Ends when the other side does. */
	while (read(w->sock, &ready, 1) == 1) {
		struct err e = ERR_INIT;

		job_do(x, w, &e);
		if (io_write(w->sock, &e, sizeof e))
			break;
	}
	_exit(0);
}

/* ---- on our side ---- */

void hive_writer_stop(struct hive_writer *w)
{
	if (!w)
		return;
	close_fd(&w->sock);
	close_fd(&w->hive);
	close_fd(&w->edits);
	/* A confined process may not wait for another, and need not: this one ends by itself. */
	if (w->pid > 0)
		waitpid(w->pid, NULL, WNOHANG);
	free(w);
}

void hive_writer_stopp(struct hive_writer **w)
{
	hive_writer_stop(*w);
}

int hive_writer_start(struct hive_writer **out, struct err *e)
{
	CLEANUP(hive_writer_stopp) struct hive_writer *w = alloc_zero(sizeof *w);
	struct hivex x;
	pid_t parent = getpid();
	int pair[2], rc;

	if (!w)
		return err_nomem(e);
	w->sock = -1;
	w->hive = memfd_create("hive", MFD_CLOEXEC);
	w->edits = memfd_create("edits", MFD_CLOEXEC);
	if (w->hive < 0 || w->edits < 0)
		return err_sys(e, errno, "a file in memory");
	rc = hivex_load(&x, e);
	if (rc < 0)
		return rc;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "a pair of sockets");
	w->pid = fork();
	if (w->pid == 0) {
		close(pair[0]);
		w->sock = pair[1];
		process(&x, w, parent);
	}
	close(pair[1]);
	w->sock = pair[0];
	if (w->pid < 0)
		return err_sys(e, errno, "a process");
	*out = take(w);
	return 0;
}

static int file_fill(int fd, const void *bytes, size_t len, struct err *e)
{
	int rc = ftruncate(fd, 0) < 0 ? errno : io_pwrite(fd, bytes, len, 0);

	return rc ? err_sys(e, rc, "a file in memory") : 0;
}

/* Gives the process its job, and takes what became of it; if it was killed, that is told and no signal of ours. */
static int ask(struct hive_writer *w, struct err *e)
{
	struct err answer = ERR_INIT;
	size_t got = 0;
	int rc = send(w->sock, "w", 1, MSG_NOSIGNAL) == 1 ? 0 : errno;

	if (!rc)
		rc = io_read(w->sock, &answer, sizeof answer, &got);
	if (rc || got != sizeof answer)
		return err_set(e, ERR_LIMIT, "libhivex did not come to an end with this hive");
	answer.msg[sizeof answer.msg - 1] = '\0';
	if (answer.code != ERR_NONE)
		return answer.code == ERR_SYSTEM && answer.sys_errno
			       ? (e ? (void)(*e = answer) : (void)0, -(int)ERR_SYSTEM)
			       : err_set(e, answer.code, "%s", answer.msg);
	return 0;
}

/* ---- what is in memory as a file ---- */

struct memory {
	const uint8_t *bytes;
	size_t len;
};

static int memory_read(void *arg, void *buf, size_t len, uint64_t off, struct err *e)
{
	const struct memory *m = arg;

	if (off > m->len || len > m->len - off)
		return err_set(e, ERR_CORRUPT, "it ends too early");
	memcpy(buf, m->bytes + off, len);
	return 0;
}

static int memory_hive(struct memory *m, struct hive **out, struct err *e)
{
	const struct hive_bytes file = { memory_read, m, m->len };

	return hive_open(&file, NULL, 0, out, e);
}

/* Does the hive hold what this change asks for? */
static int edit_holds(struct hive *h, const struct reg_edit *edit, bool *holds, struct err *e)
{
	CLEANUP(hive_value_clear) struct hive_value v = { NULL };
	hive_key k;
	int rc = hive_find(h, hive_root(h), edit->key, &k, e);

	*holds = false;
	if (rc < 0)
		return rc;
	if (edit->kind == REG_EDIT_KEY || edit->kind == REG_EDIT_KEY_DELETE) {
		*holds = (rc > 0) == (edit->kind == REG_EDIT_KEY);
		return 0;
	}
	if (rc > 0)
		rc = hive_get(h, k, edit->name, &v, e);
	if (rc < 0)
		return rc;
	if (edit->kind == REG_EDIT_VALUE_DELETE)
		*holds = rc == 0;
	else
		*holds = rc > 0 && v.type == edit->type && v.len == edit->len && (!v.len || memcmp(v.data, edit->data, v.len) == 0);
	return 0;
}

/* Its key has a large value, which libhivex would write anew in a form that Windows reads otherwise. */
static int edit_judge(struct hive *h, const struct reg_edit *edit, struct err *e)
{
	CLEANUP(free_ptr) uint32_t *values = NULL;
	size_t n = 0;
	hive_key k;
	int rc;

	if (edit->kind != REG_EDIT_VALUE && edit->kind != REG_EDIT_VALUE_DELETE)
		return 0;
	rc = hive_find(h, hive_root(h), edit->key, &k, e);
	if (rc > 0)
		rc = hive_values(h, k, &values, &n, e);
	for (size_t i = 0; i < n && rc >= 0; i++) {
		CLEANUP(hive_value_clear) struct hive_value v = { NULL };

		rc = hive_value(h, values[i], &v, e);
		if (rc >= 0 && v.len > LIMIT_HIVE_CELL)
			rc = err_set(e, ERR_UNSUPPORTED,
				     "a value of the key \"%.200s\" has %zu bytes: such keys cannot be written yet",
				     edit->key, v.len);
	}
	return rc < 0 ? rc : 0;
}

/* The last change of each key and value is what must hold: here those to whose place no later one comes. */
static bool is_overtaken(const struct reg_edit *edits, size_t n, size_t i)
{
	size_t len = strlen(edits[i].key);

	for (size_t k = i + 1; k < n; k++) {
		bool same = hive_name_order(edits[k].key, edits[i].key) == 0;

		if (same && edits[i].kind >= REG_EDIT_VALUE && edits[k].kind >= REG_EDIT_VALUE &&
		    hive_name_order(edits[k].name, edits[i].name) == 0)
			return true;
		/* A key that is removed takes all below along; one that is made, or has a value, brings back those above. */
		if (edits[k].kind == REG_EDIT_KEY_DELETE && strlen(edits[k].key) <= len)
			return true;
		if (edits[i].kind == REG_EDIT_KEY_DELETE && edits[k].kind != REG_EDIT_KEY_DELETE && strlen(edits[k].key) >= len)
			return true;
	}
	return false;
}

/* So many changes are looked at again in what was written: a sample of a large merge is enough, as each is held against all. */
#define CHECKED 2000

static int all_hold(struct hive *h, const struct reg_edit *edits, size_t n, size_t *bad, struct err *e)
{
	*bad = n;
	for (size_t i = 0; i < n && i < CHECKED && *bad == n; i++) {
		bool holds;
		int rc = edit_holds(h, &edits[i], &holds, e);

		if (rc < 0)
			return rc;
		if (!holds && !is_overtaken(edits, n, i))
			*bad = i;
	}
	return 0;
}

/* Each key and value can be read: libhivex has not been led astray. */
static int no_key(void *arg, hive_key k, const char *path, unsigned depth, struct err *e)
{
	CLEANUP(free_ptr) uint32_t *values = NULL;
	size_t n;

	(void)path, (void)depth;
	return hive_values(arg, k, &values, &n, e);
}

static int result_judge(struct memory *m, const struct reg_edit *edits, size_t n, struct err *e)
{
	CLEANUP(hive_closep) struct hive *h = NULL;
	struct hive_walk walk = { .max_depth = LIMIT_HIVE_DEPTH, .key = no_key };
	size_t bad;
	int rc = memory_hive(m, &h, e);

	walk.arg = h;
	if (rc == 0)
		rc = hive_walk(h, hive_root(h), &walk, e);
	if (rc == 0)
		rc = all_hold(h, edits, n, &bad, e);
	if (rc == 0 && bad < n)
		rc = err_set(e, ERR_CORRUPT, "the change of \"%.200s\" is not in it", edits[bad].key);
	return rc < 0 ? err_in(e, rc, "what libhivex wrote is not right") : 0;
}

int hive_write(struct hive_writer *w, struct hive *h, const struct reg_edit *edits, size_t n, uint8_t **out, size_t *len,
	       bool *changed, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf packed = STRBUF_INIT;
	CLEANUP(free_ptr) uint8_t *bytes = NULL;
	struct memory m = { NULL, 0 };
	off_t size;
	int rc = 0;

	*changed = false;
	for (size_t i = 0; i < n && rc == 0; i++) {
		bool holds;

		rc = edit_judge(h, &edits[i], e);
		if (rc == 0)
			rc = edit_holds(h, &edits[i], &holds, e);
		if (rc == 0 && !holds)
			*changed = true;
	}
	*out = NULL;
	if (rc < 0 || !*changed)
		return rc;
	rc = hive_copy(h, &bytes, len, e);
	if (rc == 0)
		rc = edits_pack(edits, n, &packed, e);
	if (rc == 0)
		rc = file_fill(w->hive, bytes, *len, e);
	if (rc == 0)
		rc = file_fill(w->edits, packed.s, packed.len, e);
	if (rc == 0)
		rc = ask(w, e);
	if (rc < 0)
		return rc;
	free(take(bytes));
	size = lseek(w->hive, 0, SEEK_END);
	if (size < 0 || (uint64_t)size > LIMIT_HIVE_BYTES)
		return err_set(e, ERR_LIMIT, "the hive has become too large");
	bytes = alloc_bytes((size_t)size + 1);
	if (!bytes)
		return err_nomem(e);
	rc = io_pread(w->hive, bytes, (size_t)size, 0, len);
	if (rc)
		return err_sys(e, rc, "a file in memory");
	m = (struct memory){ bytes, *len };
	rc = result_judge(&m, edits, n, e);
	if (rc == 0)
		*out = take(bytes);
	return rc;
}
