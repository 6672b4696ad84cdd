/* SPDX-License-Identifier: GPL-2.0-or-later */
/* registry.c - drydock registry: keys and values of the Windows registry, of a guest or of one hive. */
#include "registry.h"

#include "alloc.h"
#include "guest_opts.h"
#include "out.h"
#include "registry_change.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum where { WHERE_ALL, WHERE_KEYS, WHERE_NAMES, WHERE_DATA };

struct action;
struct registry_cmd {
	struct change_opts change; /* of what only reads, its options of guests alone */
	struct dry_registry *r;
	const struct action *action;
	const char *label;
	const char *hive, *prefix, *type;
	int encoding; /* 0: UTF-8 */
	int where;
	bool json, recursive, exact;
	bool alone; /* one hive: its keys begin at its root */
	const char *key, *name; /* name: of find, what is looked for */
	struct strbuf text;
	struct json j;
	struct reg_writer reg;
	uint64_t nfound;
	bool open;   /* an object of JSON is, with its values */
	bool failed; /* a part could not be read, and was told */
	int status;
};

struct action {
	const char *name;
	int min, max; /* operands behind the image */
	const char *operands;
	int (*run)(struct registry_cmd *c);
};

#define FLUSH_BYTES 65536

/* ---- what all share ---- */

static int fail(const struct registry_cmd *c, const struct dry_error *e)
{
	cmd_warn("%s: %s", c->label, e->msg);
	return e->code == DRY_USAGE ? EXIT_USAGE : EXIT_FAILED;
}

static int on_failure(void *arg, const char *path, const struct dry_error *why)
{
	struct registry_cmd *c = arg;
	CLEANUP(strbuf_free) struct strbuf q = STRBUF_INIT;

	reg_quote(&q, path);
	cmd_warn("%s: %s%s%s", c->label, q.s, *path ? ": " : "", why->msg);
	c->failed = true;
	return 0;
}

static int flush(struct registry_cmd *c, size_t at_least)
{
	if (c->text.len >= at_least || c->text.failed)
		c->status |= out_flush(&c->text);
	return c->status;
}

static int walk(struct registry_cmd *c, const char *key, const struct dry_registry_walk *w)
{
	struct dry_error e = { .code = DRY_OK };

	if (dry_registry_walk(c->r, key, w, &e) < 0 && (e.code != DRY_CANCELED || !c->status))
		return fail(c, &e);
	return c->failed ? EXIT_FAILED : c->status;
}

/* An object for a key; the one before it is closed. */
static void json_key(struct registry_cmd *c, const struct dry_registry_key *k)
{
	char date[32];

	if (c->open) {
		json_array_end(&c->j);
		json_object_end(&c->j);
	}
	c->open = k;
	if (!k)
		return;
	json_object(&c->j, NULL);
	json_str(&c->j, "key", k->path);
	if (reg_date(k->written, date))
		json_str(&c->j, "written", date);
	json_array(&c->j, "values");
}

static void json_value(struct registry_cmd *c, const struct dry_registry_value *v)
{
	json_object(&c->j, NULL);
	reg_json(v, &c->j);
	json_object_end(&c->j);
}

static void text_key(struct registry_cmd *c, const struct dry_registry_key *k)
{
	reg_quote(&c->text, *k->path ? k->path : "\\");
	strbuf_putc(&c->text, '\n');
}

static void text_value(struct registry_cmd *c, const struct dry_registry_value *v)
{
	char type[24];

	strbuf_puts(&c->text, "    ");
	reg_quote(&c->text, *v->name ? v->name : "(default)");
	strbuf_printf(&c->text, "    %s    ", reg_type(v->type, type));
	reg_line(v, &c->text);
	strbuf_putc(&c->text, '\n');
}

/* A walk whose output is an array, or lines. */
static int walk_told(struct registry_cmd *c, const struct dry_registry_walk *w)
{
	int status;

	if (c->json)
		json_array(&c->j, NULL);
	status = walk(c, c->key, w);
	if (c->json) {
		json_key(c, NULL);
		json_array_end(&c->j);
		strbuf_putc(&c->text, '\n');
	}
	return status | flush(c, 0);
}

/* ---- get ---- */

static int get_one(struct registry_cmd *c, const char *name)
{
	struct dry_error e = { .code = DRY_OK };
	struct dry_registry_value v;

	if (dry_registry_get(c->r, c->key, name, &v, &e) < 0)
		return fail(c, &e);
	if (c->json) {
		json_value(c, &v);
	} else if (reg_form(&v) == REGISTRY_TEXT && !out_terminal()) {
		reg_string(&v, &c->text); /* for a pipe its own bytes, as of a file */
	} else {
		reg_line(&v, &c->text);
	}
	strbuf_putc(&c->text, '\n');
	return flush(c, 0);
}

static int run_get(struct registry_cmd *c)
{
	return get_one(c, strcmp(c->name, "@") == 0 && !c->exact ? "" : c->name);
}

/* ---- list ---- */

static int list_key(void *arg, const struct dry_registry_key *k)
{
	struct registry_cmd *c = arg;

	if (c->json)
		json_key(c, k);
	else if (k->depth == 0 || c->recursive)
		text_key(c, k);
	return flush(c, FLUSH_BYTES);
}

static int list_value(void *arg, const struct dry_registry_key *k, const struct dry_registry_value *v)
{
	struct registry_cmd *c = arg;

	if (k->depth && !c->recursive)
		return 0;
	if (c->json)
		json_value(c, v);
	else
		text_value(c, v);
	return flush(c, FLUSH_BYTES);
}

/* The names of subkeys, behind the values of their parent. */
static int list_subkey(void *arg, const struct dry_registry_key *k)
{
	struct registry_cmd *c = arg;

	if (k->depth) {
		strbuf_puts(&c->text, "    ");
		reg_quote(&c->text, k->name);
		strbuf_puts(&c->text, "\\\n");
	}
	return flush(c, FLUSH_BYTES);
}

static int run_list(struct registry_cmd *c)
{
	struct dry_registry_walk w = { .max_depth = c->recursive ? DRY_DEPTH_ALL : 1, .key = list_key, .value = list_value,
				       .failed = on_failure, .arg = c };
	int status;

	if (c->json || c->recursive)
		return walk_told(c, &w);
	w.max_depth = 0;
	status = walk_told(c, &w);
	w.max_depth = 1;
	w.key = list_subkey;
	w.value = NULL;
	/* A key that is not there has been told. */
	return status ? status : walk_told(c, &w);
}

/* ---- export ---- */

static int export_key(void *arg, const struct dry_registry_key *k)
{
	struct registry_cmd *c = arg;

	return c->status = reg_key(&c->reg, k->path);
}

static int export_value(void *arg, const struct dry_registry_key *k, const struct dry_registry_value *v)
{
	struct registry_cmd *c = arg;

	return c->status = reg_value(&c->reg, k->path, v);
}

static int run_export(struct registry_cmd *c)
{
	const struct dry_registry_walk w = { .max_depth = DRY_DEPTH_ALL, .key = export_key, .value = export_value,
					     .failed = on_failure, .arg = c };
	int status;

	if (c->json) {
		c->recursive = true;
		return run_list(c);
	}
	c->reg = (struct reg_writer){ .utf16 = c->encoding, .line = STRBUF_INIT, .label = c->label };
	c->reg.prefix = c->prefix ? c->prefix : c->alone ? "" : NULL;
	status = reg_begin(&c->reg);
	status |= walk(c, c->key, &w);
	return status | reg_end(&c->reg);
}

/* ---- find ---- */

static bool matches(const struct registry_cmd *c, enum where where, const char *text)
{
	if (c->where != WHERE_ALL && c->where != (int)where)
		return false;
	return c->exact ? strcmp(text, c->name) == 0 : strcasestr(text, c->name) != NULL;
}

static void found_begin(struct registry_cmd *c, const char *what, const struct dry_registry_key *k)
{
	char date[32];

	c->nfound++;
	if (!c->json)
		return;
	json_object(&c->j, NULL);
	json_str(&c->j, "match", what);
	json_str(&c->j, "key", k->path);
	if (reg_date(k->written, date))
		json_str(&c->j, "written", date);
}

static int find_key(void *arg, const struct dry_registry_key *k)
{
	struct registry_cmd *c = arg;

	if (matches(c, WHERE_KEYS, k->name)) {
		found_begin(c, "key", k);
		if (c->json)
			json_object_end(&c->j);
		else
			text_key(c, k);
	}
	return flush(c, FLUSH_BYTES);
}

/* Data are looked at as they are printed, texts without quotes. */
static bool data_matches(const struct registry_cmd *c, const struct dry_registry_value *v)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;

	if (c->where != WHERE_ALL && c->where != WHERE_DATA)
		return false;
	if (reg_form(v) == REGISTRY_TEXT)
		reg_string(v, &text);
	else
		reg_line(v, &text);
	return matches(c, WHERE_DATA, text.s);
}

static int find_value(void *arg, const struct dry_registry_key *k, const struct dry_registry_value *v)
{
	struct registry_cmd *c = arg;
	bool by_name = matches(c, WHERE_NAMES, v->name);

	if (!by_name && !data_matches(c, v))
		return 0;
	found_begin(c, by_name ? "name" : "data", k);
	if (c->json) {
		reg_json(v, &c->j);
		json_object_end(&c->j);
	} else {
		text_key(c, k);
		text_value(c, v);
	}
	return flush(c, FLUSH_BYTES);
}

/* Without a key all of a guest's registry is looked through. */
static int run_find(struct registry_cmd *c)
{
	static const char *const roots[] = { "HKEY_LOCAL_MACHINE", "HKEY_USERS" };
	const struct dry_registry_walk w = { .max_depth = DRY_DEPTH_ALL, .key = find_key, .value = find_value,
					     .failed = on_failure, .arg = c };
	const char *const *keys = c->key ? &c->key : roots;
	int status = EXIT_DONE;

	if (!*c->name)
		return cmd_usage("registry", "what is looked for is empty");
	if (c->json)
		json_array(&c->j, NULL);
	for (size_t i = 0; i < (c->key ? 1 : ARRAY_LEN(roots)); i++)
		status |= walk(c, keys[i], &w);
	if (c->json) {
		json_array_end(&c->j);
		strbuf_putc(&c->text, '\n');
	}
	status |= flush(c, 0);
	return status ? status : c->nfound ? EXIT_DONE : EXIT_FAILED;
}

/* ---- the command ---- */

static const struct action actions[] = {
	{ "get", 2, 2, "KEY NAME", run_get },
	{ "list", 0, 1, "[KEY]", run_list },
	{ "export", 0, 1, "[KEY]", run_export },
	{ "find", 1, 2, "TEXT [KEY]", run_find },
};

static const struct action *action_named(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		if (strcmp(actions[i].name, name) == 0)
			return &actions[i];
	return NULL;
}

/* A hive of the host, and its logs beside it. */
struct host_hive {
	int fd, logs[2];
	size_t nlogs;
};

static void host_hive_close(struct host_hive *host)
{
	close_fd(&host->fd);
	for (size_t i = 0; i < host->nlogs; i++)
		close_fd(&host->logs[i]);
}

static int host_hive_open(const char *name, struct host_hive *host)
{
	const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;

	host->fd = open(name, flags);
	if (host->fd < 0) {
		cmd_warn("%s: %s", name, strerror(errno));
		return EXIT_FAILED;
	}
	for (int i = 1; i <= 2; i++) {
		CLEANUP(free_ptr) char *log = alloc_printf("%s.LOG%d", name, i);
		int fd = log ? open(log, flags) : -1;

		/* One that is not there, or cannot be read, is none. */
		if (fd >= 0)
			host->logs[host->nlogs++] = fd;
	}
	return EXIT_DONE;
}

/* What is open is what was named: a guest's registry, a hive in the guest, or one of the host. */
static int registry_open(struct registry_cmd *c, struct guest_set *set, const struct host_hive *host)
{
	struct dry_error e = { .code = DRY_OK };
	struct dry_guest *g;
	const char *path;

	if (c->hive)
		return dry_hive_open(host->fd, host->logs, host->nlogs, c->hive, &c->r, &e) < 0 ? cmd_fail(&e) : EXIT_DONE;
	g = guest_ready(&c->change.guest, set, 0);
	path = set->nitems ? set->items[0].path : NULL;
	if (!g)
		return EXIT_FAILED;
	if ((path ? dry_guest_hive(g, path, &c->r, &e) : dry_guest_registry(g, &c->r, &e)) < 0)
		return guest_fail(&set->guests[0], &e);
	return EXIT_DONE;
}

/* The operands behind the image. */
static int take_operands(struct registry_cmd *c, int argc, char **argv)
{
	if (argc < c->action->min || argc > c->action->max)
		return cmd_usage("registry", "%s takes %s", c->action->name, c->action->operands);
	if (c->action->run == run_find) {
		c->name = argv[0];
		c->key = argc > 1 ? argv[1] : c->alone ? "" : NULL;
		return 0;
	}
	c->key = argc > 0 ? argv[0] : "";
	c->name = argc > 1 ? argv[1] : NULL;
	if (!c->alone && !argc)
		c->key = "HKEY_LOCAL_MACHINE";
	return 0;
}

static int run(struct registry_cmd *c, int argc, char **argv)
{
	CLEANUP(guest_set_free) struct guest_set set = { .guests = NULL };
	CLEANUP(host_hive_close) struct host_hive host = { .fd = -1 };
	const struct guest_confine confine = { .write_dir = -1, .seconds = 3600 };
	bool with_image = !c->hive && !c->change.guest.images.n && !c->change.guest.domains.n, fatal;
	int status;

	if (!argc)
		return cmd_usage("registry", "say what to do: get, list, export, find, set, delete or merge");
	c->json = c->change.json;
	if (registry_is_change(argv[0]))
		return registry_change_run(&(struct registry_change){ &c->change, c->hive, c->prefix, c->type, c->exact }, argc,
					   argv);
	c->action = action_named(argv[0]);
	if (!c->action)
		return cmd_usage("registry", "\"%s\" is none of get, list, export, find, set, delete and merge", argv[0]);
	if (c->change.dry_run || c->change.undo || c->type)
		return cmd_usage("registry", "--dry-run, --undo-file and --type go with set, delete and merge");
	argc--;
	argv++;
	if (c->hive && (c->change.guest.images.n || c->change.guest.mounts.n || c->change.guest.domains.n))
		return cmd_usage("registry", "--hive is a file by itself, and goes with none of -a, -d and -m");
	if (with_image && !argc)
		return cmd_usage("registry", "name an image, or a hive with --hive");
	status = c->hive ? 0 : guest_set_paths("registry", &c->change.guest, with_image ? 1 : 0, argv, &set);
	c->alone = c->hive || (set.nitems && set.items[0].path);
	if (!status)
		status = take_operands(c, argc - with_image, argv + with_image);
	if (status)
		return status;
	c->label = c->hive ? c->hive : set.guests[0].label;
	if (c->hive && host_hive_open(c->hive, &host))
		return EXIT_FAILED;
	status = guest_set_open(&c->change.guest, &confine, &set, &fatal);
	if (!fatal && !status)
		status = registry_open(c, &set, &host);
	if (fatal || status)
		return status;
	status = c->action->run(c);
	for (size_t i = 0; dry_registry_warning(c->r, i); i++)
		cmd_warn("%s: warning: %s", c->label, dry_registry_warning(c->r, i));
	dry_registry_close(take(c->r));
	return status;
}

int cmd_registry(int argc, char **argv)
{
	static const char *const encodings[] = { "utf-8", "utf-16", NULL };
	static const char *const places[] = { "all", "keys", "names", "data", NULL };
	struct registry_cmd c = { .change = CHANGE_OPTS_INIT, .text = STRBUF_INIT };
	const struct usage u = { "registry", "[options] get|list|export|find|set|delete|merge IMAGE[:/HIVE] ...",
				 "Reads and changes the Windows registry of a guest, or of one hive." };
	const struct opt opts[] = {
		CHANGE_OPTS(&c.change, 'd'),
		OPT_STRING(0, "hive", "FILE", &c.hive, "a hive on this host, in place of an image"),
		OPT_FLAG('R', "recursive", &c.recursive, "list: with everything below"),
		OPT_CHOICE(0, "encoding", "utf-8|utf-16", &c.encoding, encodings, "export: of the text (utf-8)"),
		OPT_STRING(0, "prefix", "KEY", &c.prefix, "export: put this before the name of each key; merge: take it away"),
		OPT_CHOICE(0, "in", "all|keys|names|data", &c.where, places, "find: where to look (all)"),
		OPT_FLAG('x', "exact", &c.exact, "find: the whole of it, in this case; get, set, delete: \"@\" is a name"),
		OPT_STRING(0, "type", "TYPE", &c.type, "set: sz, expand, multi, dword, qword, binary, none or a number (sz)"),
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
	dry_registry_close(c.r);
	strbuf_free(&c.text);
	change_opts_free(&c.change);
	return status;
}
