/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal_fuzz.c - a file of the systemd journal; the entries must not be more than the file can hold. */
#include "guest_tree.h"
#include "logs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct seen {
	size_t entries, failures;
};

static int on_entry(void *arg, const struct log_entry *ent, struct err *e)
{
	struct seen *s = arg;

	(void)e;
	s->entries++;
	if (!ent->message || strlen(ent->message) > ent->message_len || !ent->fields || ent->fields->n == 0)
		abort();
	return 0;
}

static int on_failure(void *arg, const char *path, const struct err *why, struct err *e)
{
	struct seen *s = arg;

	(void)path, (void)e;
	if (why->code == ERR_NONE || !why->msg[0] || ++s->failures > 1)
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const folders[] = { "var", "log", "journal", NULL };
	const struct guest_tree tree = { .folders = folders, .name = "a.journal", .bytes = data, .len = len };
	/* All, the last ones, of one boot: by the last byte, which is nothing else in most files. */
	static const struct log_query queries[] = {
		{ .sources = 1u << LOG_JOURNAL, .max_priority = -1 },
		{ .sources = 1u << LOG_JOURNAL, .max_priority = -1, .last = 2 },
		{ .sources = 1u << LOG_JOURNAL, .max_priority = 3, .boot = "-1" },
	};
	const struct log_query *q = &queries[len ? data[len - 1] % 3 : 0];
	struct seen seen = { 0 };
	const struct log_walk w = { .entry = on_entry, .failed = on_failure, .arg = &seen };
	struct vfs *v = guest_tree(&tree);
	struct err e = ERR_INIT;

	if ((log_walk(v, q, &w, &e) < 0 && (!q->boot || !e.msg[0])) || seen.entries > len / 64)
		abort();
	vfs_free(v);
	return 0;
}
