/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inspect_packages.c - drydock inspect --packages: what a guest has installed. */
#include "inspect.h"

#include "alloc.h"
#include "out.h"

#include <inttypes.h>
#include <stdio.h>

static int failed(void *arg, const char *path, const struct dry_error *why)
{
	const struct guest_ref *ref = arg;

	guest_say(ref, "warning: %s: %s", path, why->msg);
	return 0;
}

struct listing {
	const struct guest_ref *ref;
	struct json *j;
	struct table *t;
};

static int listing_failed(void *arg, const char *path, const struct dry_error *why)
{
	return failed((void *)((const struct listing *)arg)->ref, path, why);
}

static void string_or_none(struct json *j, const char *key, const char *value)
{
	if (value)
		json_str(j, key, value);
}

static int object(void *arg, const struct dry_package *p)
{
	struct json *j = ((struct listing *)arg)->j;

	json_object(j, NULL);
	json_str(j, "format", p->format);
	json_str(j, "name", p->name);
	if (p->epoch)
		json_u64(j, "epoch", p->epoch);
	string_or_none(j, "version", p->version);
	string_or_none(j, "release", p->release);
	string_or_none(j, "arch", p->arch);
	string_or_none(j, "source", p->source);
	string_or_none(j, "id", p->id);
	string_or_none(j, "location", p->location);
	string_or_none(j, "vendor", p->vendor);
	string_or_none(j, "url", p->url);
	string_or_none(j, "summary", p->summary);
	if (p->install_time)
		json_i64(j, "installed", p->install_time);
	json_object_end(j);
	return 0;
}

static int row(void *arg, const struct dry_package *p)
{
	struct table *t = ((struct listing *)arg)->t;
	char epoch[16] = "";
	CLEANUP(free_ptr) char *version = NULL;

	if (p->epoch)
		snprintf(epoch, sizeof epoch, "%" PRIu32 ":", p->epoch);
	version = alloc_printf("%s%s%s%s", epoch, p->version ? p->version : "", p->release ? "-" : "",
			       p->release ? p->release : "");
	table_add_guest(t, p->name);
	table_add_guest(t, version);
	table_add_guest(t, p->arch);
	table_add_guest(t, p->summary);
	return version ? 0 : 1;
}

static int walk(const struct guest_ref *ref, struct listing *l, int (*fn)(void *arg, const struct dry_package *p))
{
	const struct dry_package_walk w = { .package = fn, .failed = listing_failed, .arg = l };
	struct dry_error e = { .code = DRY_OK };

	return dry_guest_packages(ref->guest, &w, &e) < 0 ? guest_fail(ref, &e) : EXIT_DONE;
}

int packages_json(const struct guest_ref *ref, struct json *j)
{
	struct listing l = { .ref = ref, .j = j };

	return walk(ref, &l, object);
}

int packages_table(const struct guest_ref *ref, struct strbuf *out)
{
	CLEANUP(table_free) struct table t = TABLE_INIT("l l l l", "NAME", "VERSION", "ARCH", "SUMMARY");
	struct listing l = { .ref = ref, .t = &t };
	int status = walk(ref, &l, row);

	return status | table_text(&t, TABLE_TITLES, out);
}
