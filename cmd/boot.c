/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot.c - drydock boot: the kernels and initrds of a guest, listed and copied out. */
#include "alloc.h"
#include "boot_files.h"
#include "guest_opts.h"
#include "json.h"
#include "out.h"

#include <inttypes.h>
#include <stdio.h>

struct boot {
	struct guest_opts guest;
	bool json, newest;
	const char *folder, *version; /* NULL: not given */
	struct cp_target target;
	struct strbuf text;
	struct json j;
	struct strbuf names; /* of files that were written, each ends at a NUL */
};

/* ---- which ---- */

static bool is_wanted(const struct boot *c, size_t i, const struct dry_kernel *k)
{
	if (c->newest)
		return i == 0;
	return !c->version || (k->version && strcmp(k->version, c->version) == 0);
}

/* An initrd without a kernel goes with all of them, and with none that is asked for by name. */
static bool initrd_is_wanted(const struct boot *c, const struct dry_guest *g, const struct dry_initrd *r)
{
	struct dry_kernel k;

	if (!dry_guest_kernel(g, r->kernel, &k))
		return !c->newest && (!c->version || (r->version && strcmp(r->version, c->version) == 0));
	return is_wanted(c, r->kernel, &k);
}

static bool any_wanted(const struct boot *c, const struct dry_guest *g)
{
	struct dry_kernel k;

	for (size_t i = 0; dry_guest_kernel(g, i, &k); i++)
		if (is_wanted(c, i, &k))
			return true;
	return false;
}

/* ---- the list ---- */

static void string_or_none(struct json *j, const char *key, const char *value)
{
	if (value)
		json_str(j, key, value);
}

static void list_json(struct boot *c, const struct guest_ref *ref)
{
	struct json *j = &c->j;
	struct dry_kernel k;
	struct dry_initrd r;

	json_object(j, NULL);
	json_str(j, "image", ref->label);
	json_array(j, "kernels");
	for (size_t i = 0; dry_guest_kernel(ref->guest, i, &k); i++) {
		if (!is_wanted(c, i, &k))
			continue;
		json_object(j, NULL);
		string_or_none(j, "version", k.version);
		string_or_none(j, "arch", k.arch);
		string_or_none(j, "format", k.format);
		json_str(j, "path", k.path);
		string_or_none(j, "volume", k.volume);
		json_u64(j, "size", k.size);
		json_bool(j, "modules", k.modules);
		json_object_end(j);
	}
	json_array_end(j);
	json_array(j, "initrds");
	for (size_t i = 0; dry_guest_initrd(ref->guest, i, &r); i++) {
		if (!initrd_is_wanted(c, ref->guest, &r))
			continue;
		json_object(j, NULL);
		string_or_none(j, "version", r.version);
		json_str(j, "path", r.path);
		string_or_none(j, "volume", r.volume);
		json_u64(j, "size", r.size);
		string_or_none(j, "compression", r.compression);
		if (dry_guest_kernel(ref->guest, r.kernel, &k))
			json_str(j, "kernel", k.path);
		json_object_end(j);
	}
	json_array_end(j);
	json_object_end(j);
}

static void file_row(struct table *t, const char *version, const char *arch, const char *kind, uint64_t size, const char *volume,
		     const char *path)
{
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;
	char human[16];

	strbuf_printf(&b, "%s%s%s", volume ? volume : "", volume ? ":" : "", path);
	t->cells.failed |= b.failed;
	table_add_guest(t, version);
	table_add_guest(t, arch);
	table_add(t, kind);
	table_add(t, out_human(size, human, sizeof human));
	table_add_guest(t, b.s);
}

static int list_table(const struct boot *c, const struct guest_ref *ref)
{
	CLEANUP(table_free) struct table t = TABLE_INIT("l l l r l", "VERSION", "ARCH", "KIND", "SIZE", "FILE");
	struct dry_kernel k;
	struct dry_initrd r;

	for (size_t i = 0; dry_guest_kernel(ref->guest, i, &k); i++) {
		if (!is_wanted(c, i, &k))
			continue;
		file_row(&t, k.version, k.arch, k.format ? k.format : "kernel", k.size, k.volume, k.path);
		for (size_t n = 0; dry_guest_initrd(ref->guest, n, &r); n++)
			if (r.kernel == i)
				file_row(&t, r.version ? r.version : k.version, k.arch, "initrd", r.size, r.volume, r.path);
	}
	for (size_t n = 0; dry_guest_initrd(ref->guest, n, &r); n++)
		if (r.kernel == DRY_NO_KERNEL && initrd_is_wanted(c, ref->guest, &r))
			file_row(&t, r.version, NULL, "initrd", r.size, r.volume, r.path);
	return table_print(&t, TABLE_TITLES);
}

/* ---- the copies ---- */

static bool is_taken(const struct boot *c, const char *name)
{
	for (const char *p = c->names.s; p < c->names.s + c->names.len; p += strlen(p) + 1)
		if (strcmp(p, name) == 0)
			return true;
	return false;
}

/* Files of one name from several folders get their versions, and numbers where they have none. */
static char *name_for(struct boot *c, const char *path, const char *version, size_t nth)
{
	const char *base = boot_base_name(path);
	char *name = alloc_strdup(base);

	if (name && is_taken(c, name)) {
		free(name);
		name = version && !strchr(version, '/') ? alloc_printf("%s-%s", base, version) : alloc_strdup(base);
	}
	while (name && is_taken(c, name)) {
		free(name);
		name = alloc_printf("%s.%zu", base, ++nth);
	}
	if (name)
		strbuf_add(&c->names, name, strlen(name) + 1);
	return c->names.failed ? free(name), NULL : name;
}

static int copy_one(struct boot *c, struct guest_ref *ref, struct dry_node node, const char *path, const char *version)
{
	CLEANUP(strbuf_free) struct strbuf line = STRBUF_INIT;
	CLEANUP(free_ptr) char *name = name_for(c, path, version, 0);
	struct dry_error e = { .code = DRY_OK };

	if (!name) {
		cmd_warn("out of memory");
		return EXIT_FAILED;
	}
	if (boot_file_copy(&c->target, ref->guest, node, path, name, &e) < 0)
		return guest_fail(ref, &e);
	out_guest(&line, path);
	strbuf_printf(&line, " -> %s/", c->folder);
	out_guest(&line, name);
	strbuf_putc(&line, '\n');
	return out_flush(&line);
}

static int copy_all(struct boot *c, struct guest_ref *ref)
{
	struct dry_kernel k;
	struct dry_initrd r;
	int status = EXIT_DONE;

	for (size_t i = 0; dry_guest_kernel(ref->guest, i, &k); i++)
		if (is_wanted(c, i, &k))
			status |= copy_one(c, ref, k.node, k.path, k.version);
	for (size_t i = 0; dry_guest_initrd(ref->guest, i, &r); i++)
		if (initrd_is_wanted(c, ref->guest, &r))
			status |= copy_one(c, ref, r.node, r.path,
					   dry_guest_kernel(ref->guest, r.kernel, &k) ? k.version : r.version);
	return status;
}

static int show_guest(struct boot *c, struct guest_set *s, size_t i)
{
	struct guest_ref *ref = &s->guests[i];
	struct dry_guest *g = guest_ready(&c->guest, s, i);
	struct dry_error e = { .code = DRY_OK };
	struct dry_facts facts;
	int status = EXIT_DONE;

	if (!g)
		return EXIT_FAILED;
	if (dry_guest_facts(g, &facts, &e) < 0)
		return guest_fail(ref, &e);
	if (!any_wanted(c, g)) {
		fprintf(stderr, "drydock: %s: no kernel%s%s was found\n", ref->label, c->version ? " of version " : "",
			c->version ? c->version : "");
		status = EXIT_FAILED;
	} else if (c->folder) {
		status = copy_all(c, ref);
	} else if (!c->json) {
		if (s->nguests > 1)
			printf("%s%s:\n", i ? "\n" : "", ref->label);
		status = list_table(c, ref);
	}
	if (c->json)
		list_json(c, ref);
	return status;
}

static int run(struct boot *c, int argc, char **argv)
{
	CLEANUP(guest_set_free) struct guest_set set = { .guests = NULL };
	struct guest_confine confine = { .write_dir = -1, .seconds = 3600 };
	const char *reason;
	bool fatal;
	int status = guest_set_images("boot", &c->guest, argc, argv, &set);

	if (!status && c->newest && c->version)
		status = cmd_usage("boot", "--newest and --kernel do not go together");
	if (!status && c->folder && set.nguests != 1)
		status = cmd_usage("boot", "--output is for one guest");
	if (!status && c->folder && c->json)
		status = cmd_usage("boot", "--output and --json do not go together");
	if (!status && c->folder && !boot_target_open(&c->target, c->folder, &reason)) {
		cmd_warn("%s: %s", c->folder, reason);
		status = EXIT_FAILED;
	}
	if (status)
		return status;
	confine.write_dir = c->folder ? c->target.base : -1;
	c->target.keep = true; /* modes and times: an initrd may hold keys */
	status = guest_set_open(&c->guest, &confine, &set, &fatal);
	if (fatal)
		return status;
	if (c->json)
		json_array(&c->j, NULL);
	for (size_t i = 0; i < set.nguests; i++) {
		status |= show_guest(c, &set, i);
		guest_close(&set.guests[i]);
	}
	if (c->json) {
		json_array_end(&c->j);
		strbuf_putc(&c->text, '\n');
		status |= out_flush(&c->text);
	}
	return status ? EXIT_FAILED : EXIT_DONE;
}

int cmd_boot(int argc, char **argv)
{
	struct boot c = { .text = STRBUF_INIT, .names = STRBUF_INIT, .target = CP_TARGET_INIT };
	const struct usage u = { "boot", "[options] IMAGE...", "Lists the kernels and initrds of guests, or copies them out." };
	const struct opt opts[] = {
		GUEST_OPTS(&c.guest),
		GUEST_OPT_MOUNT(&c.guest),
		OPT_STRING('o', "output", "DIR", &c.folder, "copy them into this folder"),
		OPT_FLAG(0, "newest", &c.newest, "the newest kernel only, with its initrds"),
		OPT_STRING(0, "kernel", "VERSION", &c.version, "the kernel of this version only, with its initrds"),
		OPT_FLAG(0, "json", &c.json, "print JSON"),
		OPT_END,
	};
	int status = EXIT_USAGE;

	c.j = (struct json)JSON_INIT(&c.text, true);
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
	cp_target_free(&c.target);
	strbuf_free(&c.text);
	strbuf_free(&c.names);
	guest_opts_free(&c.guest);
	return status;
}
