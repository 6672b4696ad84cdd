/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virt_win_reg.c - the program under the name virt-win-reg.
 *
 * The peer is a script in Perl: its options are taken in any place and cut short, it ends with 255 where it dies, and a value
 * is printed by hivexget, whose words and status are told.
 */
#include "alloc.h"
#include "out.h"
#include "registry.h"
#include "registry_change.h"
#include "text.h"
#include "virt_change.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

enum { WIN_MERGE = VIRT_OWN, WIN_ENCODING, WIN_STRINGS, WIN_VERSION };
/* What Perl makes of the errno that was left: of a search in vain ENOENT. */
enum { DIED = 255, NO_ENTRY = 2, WRONG_OPTION = 2 };

static const struct option options[] = {
	{ "connect", 1, NULL, 'c' },
	{ "debug", 0, NULL, 'd' },
	{ "encoding", 1, NULL, WIN_ENCODING },
	{ "format", 1, NULL, VIRT_FORMAT },
	{ "help", 0, NULL, VIRT_HELP },
	{ "long-options", 0, NULL, VIRT_LONG_OPTIONS },
	{ "merge", 0, NULL, WIN_MERGE },
	{ "short-options", 0, NULL, VIRT_SHORT_OPTIONS },
	{ "unsafe-printable-strings", 0, NULL, WIN_STRINGS },
	{ "version", 0, NULL, WIN_VERSION },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"Usage:\n"
	"    virt-win-reg [options] DISK 'HKLM\\Path\\To\\Subkey'          a key and all below it\n"
	"    virt-win-reg [options] DISK 'HKLM\\Path\\To\\Subkey' NAME     a value\n"
	"    virt-win-reg [options] DISK 'HKLM\\Path\\To\\Subkey' @        its default value\n"
	"    virt-win-reg [options] --merge DISK [FILE.reg ...]           change it as files say, or standard input\n\n"
	"Options:\n"
	"    --format FMT                  format of the disk; without it, it is found\n"
	"    --unsafe-printable-strings    print strings as text rather than as bytes\n"
	"    -d, --debug                   tell what is done\n"
	"    --merge                       merge files of regedit into the registry\n"
	"    --encoding UTF-16LE|ASCII     with --merge: how strings are kept; UTF-16LE\n"
	"    --version                     print the version\n"
	"    -?, --help                    print this help\n";

struct win {
	struct virt v;
	bool strings, merge, ascii;
	struct strbuf text;
	bool failed;
};

static int die(const char *sentence)
{
	fprintf(stderr, "%s\n", sentence);
	return DIED;
}

static int refuse(const char *sentence)
{
	fprintf(stderr, "%s\n", sentence);
	return NO_ENTRY;
}

/* ---- paths ---- */

/* Of a path "HKLM\\SYSTEM\\Select" the first two names, and what follows them. */
struct parts {
	const char *root, *hive, *rest;
	size_t root_len, hive_len;
};

static struct parts parts_of(const char *path)
{
	struct parts p;

	p.root = path + (*path == '\\');
	p.root_len = strcspn(p.root, "\\");
	p.hive = p.root + p.root_len;
	p.hive += *p.hive == '\\';
	p.hive_len = strcspn(p.hive, "\\");
	p.rest = p.hive + p.hive_len;
	return p;
}

/* ---- a key and all below it ---- */

static void escaped(struct strbuf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			strbuf_putc(out, '\\');
		strbuf_putc(out, *text);
	}
}

/* What the peer prints raw is safe here: a name of a guest forges no line and no escape. */
static void safe(struct strbuf *out, const char *text)
{
	if (reg_has_control(text))
		reg_quote(out, text);
	else
		strbuf_puts(out, text);
}

static int on_key(void *arg, const struct dry_registry_key *k)
{
	struct win *w = arg;

	strbuf_puts(&w->text, k->depth ? "\n[" : "[");
	safe(&w->text, k->path);
	/* The root of a hive ends in a backslash. */
	strbuf_puts(&w->text, *parts_of(k->path).rest ? "]\n" : "\\]\n");
	return w->text.len > 65536 ? out_flush(&w->text) : 0;
}

static void put_bytes(struct strbuf *out, const struct dry_registry_value *v)
{
	for (size_t i = 0; i < v->len; i++)
		strbuf_printf(out, i ? ",%02x" : "%02x", ((const uint8_t *)v->data)[i]);
}

static int on_value(void *arg, const struct dry_registry_key *k, const struct dry_registry_value *v)
{
	struct win *w = arg;
	CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;

	(void)k;
	safe(&name, v->name);
	if (*v->name) {
		strbuf_putc(&w->text, '"');
		escaped(&w->text, name.s);
		strbuf_puts(&w->text, "\"=");
	} else {
		strbuf_puts(&w->text, "@=");
	}
	if (v->type == 4 && v->len == 4) {
		strbuf_printf(&w->text, "dword:%08" PRIx64, reg_number(v));
	} else if (w->strings && (v->type == 1 || v->type == 2)) {
		CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;

		/* Backslashes and quotes stand as they are: that is what is unsafe about it. */
		reg_string(v, &text);
		strbuf_printf(&w->text, "str(%" PRIx32 "):\"", v->type);
		safe(&w->text, text.s);
		strbuf_putc(&w->text, '"');
	} else {
		strbuf_printf(&w->text, "hex(%" PRIx32 "):", v->type);
		put_bytes(&w->text, v);
	}
	strbuf_putc(&w->text, '\n');
	return w->text.len > 65536 ? out_flush(&w->text) : 0;
}

static int on_failure(void *arg, const char *path, const struct dry_error *why)
{
	struct win *w = arg;
	CLEANUP(strbuf_free) struct strbuf q = STRBUF_INIT;

	reg_quote(&q, path);
	fprintf(stderr, "virt-win-reg: %s: %s\n", q.s, why->msg);
	w->failed = true;
	return 0;
}

/* ---- what fails ---- */

static bool word_is(const char *name, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(name, word, len) == 0;
}

static bool is_users(const struct parts *p)
{
	return word_is(p->root, p->root_len, "HKU") || word_is(p->root, p->root_len, "HKEY_USERS");
}

/* Roots that lead to a hive; of the machine's the peer knows four. */
static bool is_supported(const struct parts *p)
{
	static const char *const hives[] = { "SAM", "SECURITY", "SOFTWARE", "SYSTEM" };

	if (is_users(p))
		return p->hive_len > 0;
	if (word_is(p->root, p->root_len, "HKCR") || word_is(p->root, p->root_len, "HKEY_CLASSES_ROOT"))
		return true;
	if (!word_is(p->root, p->root_len, "HKLM") && !word_is(p->root, p->root_len, "HKEY_LOCAL_MACHINE"))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(hives); i++)
		if (word_is(p->hive, p->hive_len, hives[i]))
			return true;
	return false;
}

static int nothing(void *arg, const struct dry_registry_key *k)
{
	(void)arg, (void)k;
	return 0;
}

/* Is there the hive to which a path leads? */
static bool has_hive(struct dry_registry *r, const char *path, const struct parts *p)
{
	const struct dry_registry_walk look = { .key = nothing };
	CLEANUP(free_ptr) char *top = alloc_strndup(path, (size_t)(p->rest - path));

	return top && dry_registry_walk(r, top, &look, NULL) == 0;
}

static int path_failed(struct dry_registry *r, const char *path, const struct dry_error *e)
{
	const struct parts p = parts_of(path);

	if (e->code != DRY_NOT_FOUND) {
		fprintf(stderr, "virt-win-reg: %s\n", e->msg);
		return DIED;
	}
	if (has_hive(r, path, &p)) {
		fprintf(stderr, "%s: path not found in this hive\n", p.rest);
		return DIED;
	}
	if (is_users(&p))
		fprintf(stderr, "virt-win-reg: %.*s: cannot find user directory\n", (int)p.hive_len, p.hive);
	else
		fprintf(stderr, "virt-win-reg: %.*s: could not download registry file: there is none\n", (int)p.hive_len, p.hive);
	return NO_ENTRY;
}

static int export(struct win *w, struct dry_registry *r, const char *path)
{
	const struct dry_registry_walk walk = { .max_depth = DRY_DEPTH_ALL, .sorted = true, .key = on_key, .value = on_value,
						.failed = on_failure, .arg = w };
	struct dry_error e = { .code = DRY_OK };

	if (dry_registry_walk(r, path, &walk, &e) < 0)
		return path_failed(r, path, &e);
	strbuf_putc(&w->text, '\n');
	return out_flush(&w->text) || w->failed ? DIED : EXIT_DONE;
}

/* ---- a value ---- */

static void print_value(const struct dry_registry_value *v, struct strbuf *out)
{
	const uint8_t *b = v->data;

	if (v->type == 1 || v->type == 2 || v->type == 6) {
		reg_string(v, out);
		strbuf_putc(out, '\n');
	} else if (v->type == 7) {
		/* Each string and the empty one at the end on a line of its own. */
		for (size_t i = 0, n = v->len / 2; i < n; i++) {
			text_utf16le(out, b + 2 * i, n - i);
			strbuf_putc(out, '\n');
			while (i < n && (b[2 * i] || b[2 * i + 1]))
				i++;
		}
	} else if ((v->type == 4 || v->type == 5) && v->len == 4) {
		strbuf_printf(out, "%" PRId32 "\n", (int32_t)reg_number(v));
	} else if (v->type == 11 && v->len == 8) {
		strbuf_printf(out, "%" PRId64 "\n", (int64_t)reg_number(v));
	} else {
		strbuf_add(out, v->data, v->len);
	}
}

static int get(struct win *w, struct dry_registry *r, const char *path, const char *name)
{
	struct dry_registry_value v;
	struct dry_error e = { .code = DRY_OK };

	if (dry_registry_get(r, path, strcmp(name, "@") == 0 ? "" : name, &v, &e) < 0) {
		const struct parts p = parts_of(path);

		if (e.code != DRY_NOT_FOUND || !has_hive(r, path, &p))
			return path_failed(r, path, &e);
		fprintf(stderr, "hivexsh: %s: key not found\nhivexget failed: 256\n", name);
		return NO_ENTRY;
	}
	print_value(&v, &w->text);
	return out_flush(&w->text) ? DIED : EXIT_DONE;
}

/* ---- the tool ---- */

static int open_guest(struct win *w)
{
	struct dry_error e = { .code = DRY_OK };
	const char *warning;
	int rc = virt_open_asking(&w->v);

	if (rc != VIRT_GO_ON)
		return DIED;
	if (dry_guest_mount_auto(w->v.guest, false, &e) == 0) {
		for (size_t i = 0; (warning = dry_guest_warning(w->v.guest, i)); i++)
			fprintf(stderr, "virt-win-reg: %s\n", warning);
		return VIRT_GO_ON;
	}
	if (e.code == DRY_NOT_FOUND)
		fprintf(stderr, "virt-win-reg: No operating system could be detected inside this disk image.\n");
	else if (e.code == DRY_USAGE)
		fprintf(stderr, "virt-win-reg: multiboot operating systems are not supported.\n");
	else
		fprintf(stderr, "virt-win-reg: %s\n", e.msg);
	return DIED;
}

static int read_registry(struct win *w, const char *path, const char *name)
{
	struct dry_registry *r = NULL;
	const struct parts parts = parts_of(path);
	struct dry_error e = { .code = DRY_OK };
	int rc = open_guest(w);

	if (rc != VIRT_GO_ON)
		return rc;
	if (dry_guest_registry(w->v.guest, &r, &e) < 0) {
		fprintf(stderr, "virt-win-reg: %s\n", e.msg);
		return DIED;
	}
	if (!is_supported(&parts)) {
		fprintf(stderr, "virt-win-reg: %s: not a supported Windows Registry path\n", path);
		dry_registry_close(r);
		return NO_ENTRY;
	}
	/* What Perl takes for false is no name. */
	rc = name && *name && strcmp(name, "0") != 0 ? get(w, r, path, name) : export(w, r, path);
	for (size_t i = 0; dry_registry_warning(r, i); i++)
		fprintf(stderr, "virt-win-reg: %s\n", dry_registry_warning(r, i));
	dry_registry_close(r);
	return rc;
}

/* ---- merging ---- */

static int merge_in(struct win *w, struct dry_registry_edits *edits, int nfiles, char **files)
{
	struct dry_hive_writer *writer = NULL;
	struct dry_change *c = NULL;
	struct dry_error e = { .code = DRY_OK };
	int rc = 0;

	for (int i = 0; i < nfiles && !rc; i++)
		rc = registry_take_file(edits, "virt-win-reg", files[i], w->ascii, NULL);
	if (!rc && !nfiles)
		rc = registry_take_file(edits, "virt-win-reg", "-", w->ascii, NULL);
	if (rc)
		return DIED;
	if (dry_hive_writer_start(&writer, &e) < 0) {
		fprintf(stderr, "virt-win-reg: %s\n", e.msg);
		return DIED;
	}
	rc = virt_change_begin(&w->v, NULL, &c);
	if (rc == VIRT_GO_ON && dry_registry_change(c, writer, NULL, edits, NULL, &e) < 0) {
		fprintf(stderr, "virt-win-reg: %s\n", e.msg);
		rc = EXIT_FAILED;
	}
	rc = virt_change_end(&w->v, c, rc == VIRT_GO_ON ? EXIT_DONE : rc);
	dry_hive_writer_stop(writer);
	return rc == EXIT_DONE ? EXIT_DONE : DIED;
}

static int merge(struct win *w, int nfiles, char **files)
{
	struct dry_registry_edits *edits = dry_registry_edits_new();
	int rc = edits ? merge_in(w, edits, nfiles, files) : die("virt-win-reg: out of memory");

	dry_registry_edits_free(edits);
	return rc;
}

static int wrong_option(int argc, char **argv)
{
	const char *word = optind > 0 && optind <= argc ? argv[optind - 1] : "";

	while (*word == '-')
		word++;
	fprintf(stderr, "Unknown option: %.*s\n%s", (int)strcspn(word, "="), word, usage);
	return WRONG_OPTION;
}

static int option(struct win *w, int c, int argc, char **argv)
{
	switch (c) {
	case WIN_STRINGS:
		w->strings = true;
		return VIRT_GO_ON;
	case WIN_ENCODING: /* of strings that are merged: the peer ignores it, too, when it reads */
		w->ascii = strcasecmp(optarg, "ASCII") == 0;
		if (!w->ascii && strcasecmp(optarg, "UTF-16LE") != 0)
			return die("virt-win-reg: --encoding: strings are kept in UTF-16LE or in ASCII");
		return VIRT_GO_ON;
	case WIN_MERGE:
		w->merge = true;
		return VIRT_GO_ON;
	case WIN_VERSION:
		return virt_option(&w->v, 'V', NULL);
	case VIRT_FORMAT:
		w->v.format = optarg;
		return VIRT_GO_ON;
	case 'c': /* without a domain nothing is connected to */
		return VIRT_GO_ON;
	case 'd':
		w->v.verbose = true;
		return VIRT_GO_ON;
	case VIRT_HELP:
	case VIRT_LONG_OPTIONS:
	case VIRT_SHORT_OPTIONS:
		return virt_option(&w->v, c, NULL);
	default:
		if (optopt == '?' || strcmp(argv[optind - 1], "-?") == 0)
			return virt_option(&w->v, VIRT_HELP, NULL);
		return wrong_option(argc, argv);
	}
}

static int run(struct win *w, int argc, char **argv)
{
	int c, rc = VIRT_GO_ON, nleft;

	opterr = 0;
	while (rc == VIRT_GO_ON && (c = getopt_long(argc, argv, w->v.letters, options, NULL)) != -1)
		rc = option(w, c, argc, argv);
	if (rc != VIRT_GO_ON)
		return rc;
	nleft = argc - optind;
	if (nleft == 0)
		return die("no libvirt domain name or disk image given");
	if (access(argv[optind], F_OK) < 0) {
		fprintf(stderr, "virt-win-reg: there is no disk image %s, and disks of libvirt domains cannot be looked up\n",
			argv[optind]);
		return DIED;
	}
	if (!w->merge && (nleft < 2 || nleft > 3))
		return refuse("expecting 1 or 2 more parameters, subkey path and optionally the value to export");
	if (virt_add_image(&w->v, argv[optind]) != VIRT_GO_ON)
		return DIED;
	if (w->merge)
		return merge(w, nleft - 1, argv + optind + 1);
	return read_registry(w, argv[optind + 1], nleft > 2 ? argv[optind + 2] : NULL);
}

int virt_win_reg(int argc, char **argv)
{
	struct win w = { .v = { .name = "virt-win-reg", .letters = "c:d?", .options = options, .usage = usage },
			 .text = STRBUF_INIT };
	int status = run(&w, argc, argv);

	virt_free(&w.v);
	strbuf_free(&w.text);
	return status;
}
