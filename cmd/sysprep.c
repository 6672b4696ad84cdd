/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sysprep.c - drydock sysprep: a guest made ready to be cloned, and what it still has that its clones would share. */
#include "alloc.h"
#include "change_words.h"
#include "customize.h"
#include "limits.h"
#include "out.h"
#include "text.h"

#include <stdio.h>

struct sysprep {
	struct change_opts change;
	struct opt_events events;
	struct dry_sysprep_how how;
	bool list, check, network, quiet;
	struct strbuf text; /* of a check */
	struct json j;
	uint64_t nfound;
};

static void print(void *arg, const char *line)
{
	const struct sysprep *c = arg;

	if (!c->quiet || strstr(line, "random password"))
		printf("%s\n", line);
	fflush(stdout);
}

static int list_operations(void)
{
	struct dry_sysprep_op op;

	for (size_t i = 0; dry_sysprep_op_at(i, &op); i++)
		printf("%s %s %s\n", op.name, op.by_default ? "*" : " ", op.help);
	return EXIT_DONE;
}

/* ---- secrets ---- */

static int on_secret(void *arg, const char *path, const char *what)
{
	struct sysprep *c = arg;

	c->nfound++;
	if (c->check && c->change.json) {
		json_object(&c->j, NULL);
		json_str(&c->j, "path", path);
		json_str(&c->j, "what", what);
		json_object_end(&c->j);
	} else {
		if (!c->check)
			strbuf_puts(&c->text, "still there: ");
		text_quote(&c->text, path, strlen(path));
		strbuf_puts(&c->text, ": ");
		text_quote(&c->text, what, strlen(what));
		strbuf_putc(&c->text, '\n');
	}
	return 0;
}

static int check(struct sysprep *c, int argc, char **argv)
{
	CLEANUP(guest_set_free) struct guest_set set = { .guests = NULL };
	const struct guest_confine confine = { .write_dir = -1, .seconds = 3600 };
	struct dry_error e = { .code = DRY_OK };
	struct dry_guest *g;
	bool fatal;
	int status = guest_set_images("sysprep", &c->change.guest, argc, argv, &set);

	if (!status && set.nguests != 1)
		status = cmd_usage("sysprep", "one guest is looked at at a time");
	if (status)
		return status;
	status = guest_set_open(&c->change.guest, &confine, &set, &fatal);
	g = status || fatal ? NULL : guest_ready(&c->change.guest, &set, 0);
	if (!g)
		return EXIT_FAILED;
	c->j = (struct json)JSON_INIT(&c->text, true);
	if (c->change.json)
		json_array(&c->j, NULL);
	if (dry_guest_secrets(g, on_secret, c, &e) < 0)
		return guest_fail(&set.guests[0], &e);
	if (c->change.json) {
		json_array_end(&c->j);
		strbuf_putc(&c->text, '\n');
	}
	return out_flush(&c->text) || c->nfound ? EXIT_FAILED : EXIT_DONE;
}

/* ---- the command ---- */

static int prepare(struct sysprep *c, struct customize_job *z, int argc, char **argv)
{
	struct change_host host = { .write_dir = -1, .read_paths = z->paths.items, .nread = z->paths.n };
	struct change_job job;
	struct dry_error e = { .code = DRY_OK };
	int status = change_begin("sysprep", &c->change, argc, argv, &host, &job);

	if (!status && job.set.nitems && job.set.items[0].path)
		status = cmd_usage("sysprep", "the image is named alone");
	c->how.customize = z->ops;
	c->how.how = customize_how(z);
	if (!status && dry_sysprep_run(job.c, &c->how, &e) < 0)
		status = change_fail(&job, &e);
	if (!status && dry_guest_secrets(job.g, on_secret, c, &e) < 0)
		status = change_fail(&job, &e);
	if (!status && !c->quiet)
		fputs(c->text.s, stderr);
	return change_end(&job, status);
}

static int run(void *arg, int argc, char **argv)
{
	struct sysprep *c = arg;
	CLEANUP(customize_job_free) struct customize_job z = { .say = print, .arg = c, .quiet = c->quiet, .network = c->network };
	struct dry_error e = { .code = DRY_OK };
	bool given = c->change.guest.images.n || c->change.guest.domains.n;

	if (c->list)
		return argc ? cmd_usage("sysprep", "--list-operations takes no image") : list_operations();
	if (argc > 1 || !argc != given)
		return cmd_usage("sysprep", argc ? "one guest is prepared at a time" : "name an image");
	if (c->check && (c->how.enable || c->how.operations || c->events.n || c->change.dry_run || c->change.undo))
		return cmd_usage("sysprep", "--check only looks");
	if (c->check)
		return check(c, argc, argv);
	if (c->how.enable && c->how.operations)
		return cmd_usage("sysprep", "--enable and --operations exclude each other");
	if (dry_sysprep_judge(&c->how, &e) < 0 || customize_take(&z, &c->events, &e) < 0)
		return cmd_fail(&e);
	c->change.guest.machine = (struct dry_machines_how){ .network = c->network };
	return prepare(c, &z, argc, argv);
}

int cmd_sysprep(int argc, char **argv)
{
	struct sysprep c = { .change = CHANGE_OPTS_INIT, .text = STRBUF_INIT };
	const struct usage u = { "sysprep", "[options] IMAGE", "Makes a guest ready to be cloned." };
	const struct opt own[] = {
		CHANGE_OPTS(&c.change, 'd'),
		OPT_FLAG(0, "list-operations", &c.list, "list the operations, * those that are done by default"),
		OPT_STRING(0, "enable", "NAME,...", &c.how.enable, "do these operations alone"),
		OPT_STRING(0, "operations", "NAME,...", &c.how.operations, "do these; defaults, all; -NAME takes one away"),
		OPT_STRING(0, "keep-user-accounts", "USER,...", &c.how.keep_accounts, "user-account: these stay"),
		OPT_STRING(0, "remove-user-accounts", "USER,...", &c.how.remove_accounts, "user-account: these alone go"),
		OPT_FLAG(0, "check", &c.check, "change nothing: list secrets that are there; exit status 1 if there are any"),
		OPT_FLAG(0, "network", &c.network, "let programs of the guest reach the host's network"),
		OPT_FLAG('q', "quiet", &c.quiet, "print neither what is done nor what is still there"),
	};
	struct opt opts[ARRAY_LEN(own) + CUSTOMIZE_OPS + 1];
	int status;

	memcpy(opts, own, sizeof own);
	customize_opts(opts + ARRAY_LEN(own), &c.events);
	status = change_main(&u, opts, &c.change, argc, argv, run, &c);
	strbuf_free(&c.text);
	opt_events_free(&c.events);
	return status;
}
