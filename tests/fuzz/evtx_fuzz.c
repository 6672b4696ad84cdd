/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * evtx_fuzz.c - the records of one chunk of a Windows event log; the heads in front of them are made here, as those of a log
 * that was not closed.
 */
#include "evtx.h"
#include "guest_tree.h"
#include "limits.h"
#include "logs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define HEAD 4096
#define RECORDS 512

static int on_entry(void *arg, const struct log_entry *ent, struct err *e)
{
	size_t *n = arg;

	(void)e;
	++*n;
	if (!ent->message || strlen(ent->message) > ent->message_len || (ent->xml && strlen(ent->xml) > LIMIT_EVTX_EVENT + 400000))
		abort();
	for (const char *p = ent->xml; p && *p; p++)
		if ((unsigned char)*p < ' ' && *p != '\n' && *p != '\t' && *p != '\r')
			abort();
	return 0;
}

static int on_failure(void *arg, const char *path, const struct err *why, struct err *e)
{
	(void)arg, (void)path, (void)e;
	if (why->code == ERR_NONE || !why->msg[0])
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const folders[] = { "Windows", "System32", "winevt", "Logs", NULL };
	static uint8_t file[HEAD + EVTX_CHUNK];
	const struct guest_tree tree = { .folders = folders, .listed = true, .name = "a.evtx", .bytes = file, .len = sizeof file };
	const struct log_query q = { .sources = 1u << LOG_EVTX, .max_priority = -1 };
	size_t entries = 0;
	const struct log_walk w = { .entry = on_entry, .failed = on_failure, .arg = &entries };
	struct vfs *v;

	memset(file, 0, sizeof file);
	memcpy(file, "ElfFile", 8);
	file[38] = 3;
	file[41] = HEAD >> 8;
	file[120] = 1;
	memcpy(file + HEAD, "ElfChnk", 8);
	memcpy(file + HEAD + RECORDS, data, len < EVTX_CHUNK - RECORDS ? len : EVTX_CHUNK - RECORDS);
	v = guest_tree(&tree);
	if (log_walk(v, &q, &w, NULL) < 0 || entries > len / 28 + 1)
		abort();
	vfs_free(v);
	return 0;
}
