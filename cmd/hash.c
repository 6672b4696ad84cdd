/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hash.c - drydock hash: checksums of all regular files of a guest, as lists that sha256sum -c and its like check.
 *
 * Files are read and hashed on all cores.  Each thread has a handle of its own on the guest and walks the whole tree, which
 * costs little beside reading it; some files make a batch, and a thread works on those batches that it drew.  All threads see
 * the same tree in the same order, and what they found is printed in that order.
 */
#include "alloc.h"
#include "digest.h"
#include "guest_entry.h"
#include "guest_file.h"
#include "guest_run.h"
#include "guest_tar.h"
#include "out.h"
#include "pool.h"
#include "text.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

enum {
	BATCH = 16,	/* files of a batch, or fewer when they are large: */
	BATCH_BYTES = 4 << 20,
	AHEAD = 1024,	/* batches that may be done before the one that is to be printed next */
	HANDLES_MAX = 16,
};

struct hash {
	struct guest_opts guest;
	const char *algorithm;
	enum digest_kind kind;
	bool json, null, one_fs;
	struct opt_list exclude;
	struct guest_set *set;
	struct json j; /* around what guests print */
};

/* The work on one tree, and what is shared by the threads that do it. */
struct tree {
	const struct hash *c;
	struct guest_ref *ref;
	const char *path;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	uint64_t drawn;		       /* the batch that the next thread gets */
	uint64_t printed;	       /* those before it are out */
	struct strbuf done[AHEAD];     /* by number modulo AHEAD */
	struct strbuf told[AHEAD];
	bool ready[AHEAD];
	atomic_uint next_handle;
	bool failed, stopped;
	struct json j;
	struct strbuf text; /* of j */
};

/* One thread. */
struct hasher {
	struct tree *t;
	struct dry_guest *guest;
	bool first; /* it tells what the walk cannot read */
	uint64_t at, files, bytes; /* the batch that the walk is in, and what of it was met */
	uint64_t batch;		   /* the one that was drawn */
	bool has_batch;
	struct strbuf out, told;
	void *buf;
};

/* ---- a line ---- */

/* As sha256sum writes it: a name with a newline or backslash is escaped, and the line begins with a backslash. */
static void put_line(const struct hash *c, struct strbuf *out, const char *sum, const char *name)
{
	bool escape = !c->null && name[strcspn(name, "\\\n\r")];

	strbuf_printf(out, "%s%s  ", escape ? "\\" : "", sum);
	for (const char *p = name; *p; p++) {
		if (escape && *p == '\\')
			strbuf_puts(out, "\\\\");
		else if (escape && *p == '\n')
			strbuf_puts(out, "\\n");
		else if (escape && *p == '\r')
			strbuf_puts(out, "\\r");
		else
			strbuf_putc(out, *p);
	}
	strbuf_putc(out, c->null ? '\0' : '\n');
}

/* Below the start; a start that is a file has its own name. */
static const char *name_of(const struct dry_entry *ent)
{
	const char *slash = strrchr(ent->path, '/');

	return ent->depth ? ent->rel : slash ? slash + 1 : ent->path;
}

static void put_object(struct hasher *h, const struct dry_entry *ent, const char *sum)
{
	struct json j = guest_json(&h->t->j, &h->out);

	/* The first of a batch is not the first of the array: commas between them are the printer's. */
	j.has_items[j.depth] = h->out.len > 0;
	json_object(&j, NULL);
	json_guest(&j, "path", ent->path, strlen(ent->path));
	json_u64(&j, "size", ent->stat.size);
	json_str(&j, h->t->c->algorithm, sum);
	json_object_end(&j);
}

static int add_bytes(void *d, const void *bytes, size_t len)
{
	digest_add(d, bytes, len);
	return 0;
}

static void tell(struct hasher *h, const struct dry_entry *ent, const struct dry_error *e)
{
	strbuf_printf(&h->told, "drydock: %s: ", h->t->ref->label);
	text_quote(&h->told, ent->path, strlen(ent->path));
	strbuf_printf(&h->told, ": %s\n", e->msg);
}

static void hash_file(struct hasher *h, const struct dry_entry *ent)
{
	const struct hash *c = h->t->c;
	struct digest d;
	struct dry_error e = { .code = DRY_OK };
	char sum[DIGEST_TEXT];

	digest_start(&d, c->kind);
	if (guest_file_each(h->guest, ent->node, h->buf, add_bytes, &d, &e) < 0) {
		tell(h, ent, &e);
		return;
	}
	digest_end(&d, sum);
	if (c->json)
		put_object(h, ent, sum);
	else
		put_line(c, &h->out, sum, name_of(ent));
}

/* ---- batches ---- */

/* Prints those that are done and next, in the order of the tree; with the lock held. */
static void print_done(struct tree *t)
{
	for (size_t i; t->ready[i = t->printed % AHEAD]; t->printed++) {
		struct strbuf *out = &t->done[i];

		t->ready[i] = false;
		t->failed |= t->told[i].len > 0 || out->failed;
		guest_err(t->ref, &t->told[i]);
		if (t->c->json && out->len && t->j.has_items[t->j.depth]) {
			strbuf_puts(&t->text, ", ");
			t->stopped |= guest_out(t->ref, &t->text) != EXIT_DONE;
		}
		t->j.has_items[t->j.depth] |= out->len > 0;
		t->stopped |= guest_out(t->ref, out) != EXIT_DONE;
		strbuf_free(out);
		strbuf_free(&t->told[i]);
	}
	pthread_cond_broadcast(&t->moved);
}

static void batch_end(struct hasher *h)
{
	struct tree *t = h->t;
	size_t i = h->batch % AHEAD;

	pthread_mutex_lock(&t->lock);
	t->done[i] = h->out;
	t->told[i] = h->told;
	t->ready[i] = true;
	print_done(t);
	pthread_mutex_unlock(&t->lock);
	h->out = (struct strbuf)STRBUF_INIT;
	h->told = (struct strbuf)STRBUF_INIT;
	h->has_batch = false;
}

/* Waits where too much is done that cannot be printed: who has the first of it does not. */
static void batch_draw(struct hasher *h)
{
	struct tree *t = h->t;

	pthread_mutex_lock(&t->lock);
	h->batch = t->drawn++;
	while (h->batch >= t->printed + AHEAD && !t->stopped)
		pthread_cond_wait(&t->moved, &t->lock);
	pthread_mutex_unlock(&t->lock);
	h->has_batch = true;
}

static bool stopped(struct tree *t)
{
	bool stop;

	pthread_mutex_lock(&t->lock);
	stop = t->stopped;
	pthread_mutex_unlock(&t->lock);
	return stop;
}

static int visit(void *arg, const struct dry_entry *ent)
{
	struct hasher *h = arg;

	if (ent->depth && guest_tar_excluded(&h->t->c->exclude, ent))
		return DRY_WALK_SKIP;
	if (!S_ISREG(ent->stat.mode))
		return DRY_WALK_ON;
	if (h->files == BATCH || h->bytes >= BATCH_BYTES) {
		h->at++;
		h->files = h->bytes = 0;
	}
	h->files++;
	h->bytes += MIN_OF(ent->stat.size, (uint64_t)BATCH_BYTES);
	if (h->has_batch && h->at > h->batch)
		batch_end(h);
	if (!h->has_batch)
		batch_draw(h);
	if (stopped(h->t))
		return DRY_WALK_STOP;
	if (h->at == h->batch)
		hash_file(h, ent);
	return DRY_WALK_ON;
}

/* Every thread meets it; what is told by the first is told once. */
static int visit_failed(void *arg, const char *path, const struct dry_error *why)
{
	struct hasher *h = arg;

	(void)path; /* the sentence names it */
	if (!h->first)
		return 0;
	pthread_mutex_lock(&h->t->lock);
	guest_fail(h->t->ref, why);
	h->t->failed = true;
	pthread_mutex_unlock(&h->t->lock);
	return 0;
}

static void hash_walk(struct hasher *h)
{
	struct tree *t = h->t;
	const struct dry_walk walk = {
		.one_fs = t->c->one_fs,
		.max_depth = DRY_DEPTH_ALL,
		.fn = visit,
		.failed = visit_failed,
		.arg = h,
	};
	struct dry_error e = { .code = DRY_OK };

	/* Another handle of the same guest: that it cannot be mounted a second time is told by the first. */
	if (!h->first && guest_mount_asked(&t->c->guest, h->guest, &e) < 0)
		return;
	if (dry_guest_walk(h->guest, t->path, &walk, &e) < 0)
		visit_failed(h, t->path, &e);
	if (h->has_batch)
		batch_end(h);
}

static void work(void *arg)
{
	struct tree *t = arg;
	unsigned i = atomic_fetch_add(&t->next_handle, 1);
	struct hasher h = {
		.t = t,
		.guest = i ? t->ref->more[i - 1] : t->ref->guest,
		.first = i == 0,
		.buf = alloc_bytes(GUEST_FILE_CHUNK),
		.out = STRBUF_INIT,
		.told = STRBUF_INIT,
	};

	if (h.buf)
		hash_walk(&h);
	else
		visit_failed(&h, t->path, &(struct dry_error){ .code = DRY_NOMEM, .msg = "out of memory" });
	free(h.buf);
}

/*
 * One handle of what is encrypted, as each would ask and work out keys anew; of what a machine reads, as each would start one;
 * and of what somebody may be writing to.
 */
static unsigned threads_for(const struct hash *c, const struct guest_ref *ref)
{
	const struct dry_volume *v;
	size_t n;

	if (c->guest.image.force_share || dry_guest_volumes(ref->guest, &v, &n, NULL) < 0)
		return 1;
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i].scheme, "luks") == 0 || v[i].locked || v[i].by_appliance)
			return 1;
	return 1 + (unsigned)ref->nmore;
}

static void tree_free(struct tree **t)
{
	if (!*t)
		return;
	pthread_mutex_destroy(&(*t)->lock);
	pthread_cond_destroy(&(*t)->moved);
	strbuf_free(&(*t)->text);
	free(*t);
}

static int hash_item(const struct hash *c, struct guest_ref *ref, const struct guest_item *item)
{
	CLEANUP(tree_free) struct tree *t = alloc_zero(sizeof *t);
	struct dry_guest *g = guest_ready(&c->guest, c->set, item->guest);
	struct err e = ERR_INIT;
	unsigned n;

	if (!t || !g) {
		if (!t)
			cmd_warn("out of memory");
		return EXIT_FAILED;
	}
	t->c = c;
	t->ref = ref;
	t->path = item->path ? item->path : "/";
	t->text = (struct strbuf)STRBUF_INIT;
	t->j = guest_json(&c->j, &t->text);
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->moved, NULL);
	if (c->json) {
		t->j.has_items[t->j.depth] = item != c->set->items && item[-1].guest == item->guest;
		json_object(&t->j, NULL);
		json_str(&t->j, "image", ref->label);
		json_str(&t->j, "path", t->path);
		json_str(&t->j, "algorithm", c->algorithm);
		json_array(&t->j, "files");
	} else if (c->set->nitems > 1 && !c->null) {
		/* A comment to those who check the list. */
		strbuf_printf(&t->text, "# %s:", ref->label);
		text_quote(&t->text, t->path, strlen(t->path));
		strbuf_putc(&t->text, '\n');
	}
	t->stopped = guest_out(ref, &t->text) != EXIT_DONE;
	n = threads_for(c, ref);
	if (n < 2 || pool_run(n, work, NULL, t, &e) < 0)
		work(t);
	if (c->json) {
		json_array_end(&t->j);
		json_object_end(&t->j);
		t->stopped |= guest_out(ref, &t->text) != EXIT_DONE;
	}
	return t->failed || t->stopped ? EXIT_FAILED : EXIT_DONE;
}

static int hash_guest(void *arg, struct guest_ref *ref, const struct guest_item *items, size_t n)
{
	int status = EXIT_DONE;

	for (size_t i = 0; i < n; i++)
		status |= hash_item(arg, ref, &items[i]);
	return status;
}

static int show(struct hash *c, struct guest_set *s)
{
	struct guest_run run = { .opts = &c->guest, .set = s, .work = hash_guest, .arg = c };

	c->set = s;
	return guest_run_list(&run, c->json, &c->j);
}

static int run(struct hash *c, int argc, char **argv)
{
	CLEANUP(guest_set_free) struct guest_set set = { .guests = NULL };
	const struct guest_confine confine = { .write_dir = -1 };
	bool fatal;
	int status;

	if (!digest_kind_parse(c->algorithm, &c->kind))
		return cmd_usage("hash", "--algorithm: \"%s\" is not crc, md5, sha1, sha224, sha256, sha384 or sha512",
				 c->algorithm);
	status = guest_set_paths("hash", &c->guest, argc, argv, &set);
	if (status)
		return status;
	set.handles = (unsigned)MAX_OF(MIN_OF(pool_threads(), (unsigned)HANDLES_MAX) / set.nguests, 1u);
	status = guest_set_open(&c->guest, &confine, &set, &fatal);
	return fatal ? status : status | show(c, &set);
}

int cmd_hash(int argc, char **argv)
{
	struct hash c = { .algorithm = "sha256" };
	const struct usage u = { "hash", "[options] IMAGE[:/PATH]...", "Prints checksums of all files of guests." };
	const struct opt opts[] = {
		GUEST_OPTS(&c.guest),
		GUEST_OPT_DOMAIN(&c.guest, 'd'),
		GUEST_OPT_MOUNT(&c.guest),
		OPT_STRING('A', "algorithm", "ALG", &c.algorithm, "sha256 (the default), sha1, sha224, sha384, sha512, md5, crc"),
		OPT_LIST(0, "exclude", "PATTERN", &c.exclude, "leave out what has such a name, or with / such a path"),
		OPT_FLAG('x', "one-file-system", &c.one_fs, "leave out what is mounted below"),
		OPT_FLAG('0', "null", &c.null, "end lines with a NUL byte, and escape no name"),
		OPT_FLAG(0, "json", &c.json, "print JSON"),
		OPT_END,
	};
	int status = EXIT_USAGE;

	switch (opts_parse(&u, opts, &argc, &argv)) {
	case OPTS_DONE:
		status = EXIT_DONE;
		break;
	case OPTS_OK:
		status = run(&c, argc, argv);
		break;
	case OPTS_BAD:
		break;
	}
	opt_list_free(&c.exclude);
	guest_opts_free(&c.guest);
	return status;
}
