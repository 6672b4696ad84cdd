/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inspect.c - drydock inspect: which operating systems are in images. */
#include "inspect.h"

#include "alloc.h"
#include "guest_run.h"
#include "out.h"

#include <inttypes.h>
#include <stdio.h>

/* The command; and a copy of it for each guest, with a text of its own. */
struct inspect {
	struct guest_opts guest;
	bool json, packages, all;
	int sbom; /* enum sbom_kind; -1: none */
	struct strbuf text;
	struct json j;
	bool blank; /* something was printed before */
};

/* A fact by its names for people and programs. */
struct fact {
	const char *title, *key, *value;
};

#define FACTS_MAX 20
/* Those that are known, in the order in which they are shown; returns their number. */
static size_t facts_of(const struct dry_os *os, const char *version, struct fact facts[FACTS_MAX])
{
	const struct fact all[] = {
		{ "product", "product_name", os->product_name },
		{ "type", "type", os->type },
		{ "distribution", "distro", os->distro },
		{ "its own name", "distro_id", os->distro_id },
		{ "version", "version", version },
		{ "its own version", "version_id", os->version_id },
		{ "variant", "product_variant", os->product_variant },
		{ "build", "build_id", os->build_id },
		{ "processor", "arch", os->arch },
		{ "host name", "hostname", os->hostname },
		{ "time zone", "timezone", os->timezone },
		{ "osinfo", "osinfo", os->osinfo },
		{ "packages", "package_format", os->package_format },
		{ "package manager", "package_management", os->package_manager },
		{ "init", "init", os->init },
		{ "medium of", "media", os->media },
	};
	size_t n = 0;

	_Static_assert(ARRAY_LEN(all) <= FACTS_MAX, "all facts have room");
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i].value)
			facts[n++] = all[i];
	return n;
}

static int system_json(struct inspect *c, const struct guest_ref *ref, const struct dry_root *root, const struct dry_os *os,
		       const struct dry_facts *seen)
{
	struct json *j = &c->j;
	int status = EXIT_DONE;
	struct fact facts[FACTS_MAX];
	struct dry_mount m;
	size_t n = facts_of(os, NULL, facts);

	json_object(j, NULL);
	json_str(j, "root", root->volume);
	if (root->opts)
		json_str(j, "root_options", root->opts);
	for (size_t i = 0; i < n; i++)
		json_str(j, facts[i].key, facts[i].value);
	if (os->has_version) {
		json_u64(j, "major_version", os->major);
		json_u64(j, "minor_version", os->minor);
	}
	windows_json(ref->guest, j);
	json_array(j, "mountpoints");
	for (size_t i = 0; dry_guest_mount_at(ref->guest, i, &m); i++) {
		json_object(j, NULL);
		json_str(j, "path", m.path);
		json_str(j, "volume", m.volume);
		json_str(j, "type", m.fs_type);
		json_object_end(j);
	}
	json_array_end(j);
	facts_json(ref, seen, j);
	json_array(j, "warnings");
	for (size_t i = 0; i < os->nwarnings; i++)
		json_str(j, NULL, os->warnings[i]);
	for (size_t i = 0; i < seen->nwarnings; i++)
		json_str(j, NULL, seen->warnings[i]);
	json_array_end(j);
	if (c->packages) {
		json_array(j, "packages");
		status = packages_json(ref, j);
		json_array_end(j);
	}
	json_object_end(j);
	return status;
}

static int system_text(struct inspect *c, const struct guest_ref *ref, const struct dry_root *root,
		       const struct dry_os *os, const struct dry_facts *seen)
{
	CLEANUP(table_free) struct table t = TABLE_INIT("l l", "", "");
	struct fact facts[FACTS_MAX];
	struct dry_mount m;
	char version[40];
	size_t n;

	snprintf(version, sizeof version, "%u.%u", os->major, os->minor);
	n = facts_of(os, os->has_version ? version : NULL, facts);
	strbuf_printf(&c->text, "%s%s: %s", c->blank ? "\n" : "", ref->label, root->volume);
	if (root->opts)
		strbuf_printf(&c->text, " (%s)", root->opts);
	strbuf_putc(&c->text, '\n');
	c->blank = true;
	for (size_t i = 0; i < n; i++) {
		table_addf(&t, "  %s", facts[i].title);
		table_add_guest(&t, facts[i].value);
	}
	windows_rows(ref->guest, &t);
	for (size_t i = 0; dry_guest_mount_at(ref->guest, i, &m); i++) {
		table_add(&t, i ? "" : "  mounts");
		table_addf(&t, "%s %s (%s)", m.path, m.volume, m.fs_type);
	}
	facts_rows(ref, seen, c->all, &t);
	if (table_text(&t, 0, &c->text) != EXIT_DONE)
		return EXIT_FAILED;
	return c->packages ? packages_table(ref, &c->text) : EXIT_DONE;
}

static int show_root(struct inspect *c, struct guest_ref *ref, size_t i, const struct dry_root *root)
{
	struct dry_error e = { .code = DRY_OK };
	struct dry_os os;
	struct dry_facts seen;
	int status = EXIT_DONE;

	if (dry_guest_mount_root(ref->guest, i, &e) < 0 || dry_guest_os(ref->guest, &os, &e) < 0 ||
	    dry_guest_facts(ref->guest, &seen, &e) < 0) {
		status = guest_fail(ref, &e);
	} else {
		for (size_t k = 0; k < os.nwarnings; k++)
			guest_say(ref, "warning: %s", os.warnings[k]);
		for (size_t k = 0; k < seen.nwarnings; k++)
			guest_say(ref, "warning: %s", seen.warnings[k]);
		guest_notes(&c->guest, ref);
		if (c->sbom >= 0)
			status = sbom_json(ref, &os, (enum sbom_kind)c->sbom, &c->j);
		else if (c->json)
			status = system_json(c, ref, root, &os, &seen);
		else
			status = system_text(c, ref, root, &os, &seen);
	}
	dry_guest_unmount(ref->guest);
	return status;
}

static int show_roots(struct inspect *c, struct guest_ref *ref)
{
	struct dry_error e = { .code = DRY_OK };
	const struct dry_root *roots;
	int status = EXIT_DONE;
	size_t n;

	if (dry_guest_roots(ref->guest, &roots, &n, &e) < 0)
		return guest_fail(ref, &e);
	if (n > 1 && c->sbom >= 0) {
		guest_say(ref, "--sbom is for one operating system, and there are %zu", n);
		return EXIT_FAILED;
	}
	if (n == 0) {
		guest_say(ref, "no operating system was found");
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < n; i++)
		status |= show_root(c, ref, i, &roots[i]);
	return status;
}

static int show_guest(void *arg, struct guest_ref *ref, const struct guest_item *items, size_t nitems)
{
	const struct inspect *all = arg;
	struct inspect c = *all;
	int status;

	(void)items;
	(void)nitems;
	c.text = (struct strbuf)STRBUF_INIT;
	c.j = guest_json(&all->j, &c.text);
	if (c.json && c.sbom < 0) {
		json_object(&c.j, NULL);
		json_str(&c.j, "image", ref->label);
		json_array(&c.j, "systems");
	}
	status = show_roots(&c, ref);
	if (c.json && c.sbom < 0) {
		json_array_end(&c.j);
		json_object_end(&c.j);
	}
	/* Half a bill of materials would be taken for a whole one. */
	if (c.sbom < 0 || status == EXIT_DONE)
		status |= guest_out(ref, &c.text);
	strbuf_free(&c.text);
	return status;
}

static int show(struct inspect *c, struct guest_set *s)
{
	bool array = c->json && c->sbom < 0;
	struct guest_run run = { .opts = &c->guest, .set = s, .between = array ? "," : "\n", .work = show_guest, .arg = c };
	int status;

	if (array) {
		json_array(&c->j, NULL);
		out_flush(&c->text);
	}
	status = guest_run(&run);
	if (array) {
		c->j.has_items[c->j.depth] = run.printed;
		json_array_end(&c->j);
	}
	if (array || (c->sbom >= 0 && status == EXIT_DONE)) {
		strbuf_putc(&c->text, '\n');
		status |= out_flush(&c->text);
	}
	return status ? EXIT_FAILED : EXIT_DONE;
}

int cmd_inspect(int argc, char **argv)
{
	static const char *const sbom_words[] = { "cyclonedx", "spdx", NULL };
	struct inspect c = { .text = STRBUF_INIT, .sbom = -1 };
	CLEANUP(guest_set_free) struct guest_set set = { .guests = NULL };
	const struct usage u = { "inspect", "[options] IMAGE...", "Tells which operating systems are in images." };
	const struct opt opts[] = {
		GUEST_OPTS(&c.guest),
		GUEST_OPT_DOMAIN(&c.guest, 'd'),
		OPT_FLAG(0, "all", &c.all, "list services and the lines of fstab, too"),
		OPT_FLAG(0, "packages", &c.packages, "list the packages that are installed, too"),
		OPT_CHOICE(0, "sbom", "cyclonedx|spdx", &c.sbom, sbom_words, "print a bill of materials of one system"),
		OPT_FLAG(0, "json", &c.json, "print JSON"),
		OPT_END,
	};
	const struct guest_confine confine = { .write_dir = -1, .seconds = 3600 };
	bool fatal;
	int status = EXIT_USAGE;

	c.j = (struct json)JSON_INIT(&c.text, true);
	switch (opts_parse(&u, opts, &argc, &argv)) {
	case OPTS_DONE:
		status = EXIT_DONE;
		break;
	case OPTS_OK:
		status = guest_set_images("inspect", &c.guest, argc, argv, &set);
		if (!status && c.sbom >= 0 && set.nguests != 1)
			status = cmd_usage("inspect", "--sbom is for one guest");
		if (!status) {
			status = guest_set_open(&c.guest, &confine, &set, &fatal);
			if (!fatal)
				status |= show(&c, &set);
		}
		break;
	case OPTS_BAD:
		break;
	}
	strbuf_free(&c.text);
	guest_opts_free(&c.guest);
	return status;
}
