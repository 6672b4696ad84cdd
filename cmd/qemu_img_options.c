/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qemu_img_options.c - what create, convert and measure take behind -o, under the peer's name.
 *
 * The order of the "Formatting" line and the texts of "-o help" are read by scripts, so the options of the formats that
 * we write are listed here once more, in the peer's order.  A format without a table of its own is described by what
 * the library says about it.
 */
#include "qemu_img.h"

#include "dict.h"
#include "limits.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct row {
	const char *name, *help;
	int type; /* DRY_OPT_* */
	const char *def;
};

static const struct row qcow2_rows[] = {
	{ "encryption", "Encrypt the image with format 'aes'. (Deprecated in favor of encrypt.format=aes)", DRY_OPT_BOOL,
	  NULL },
	{ "encrypt.format", "Encrypt the image, format choices: 'aes', 'luks'", DRY_OPT_STRING, NULL },
	{ "encrypt.key-secret", "ID of secret providing qcow AES key or LUKS passphrase", DRY_OPT_STRING, NULL },
	{ "encrypt.cipher-alg", "Name of encryption cipher algorithm", DRY_OPT_STRING, NULL },
	{ "encrypt.cipher-mode", "Name of encryption cipher mode", DRY_OPT_STRING, NULL },
	{ "encrypt.ivgen-alg", "Name of IV generator algorithm", DRY_OPT_STRING, NULL },
	{ "encrypt.ivgen-hash-alg", "Name of IV generator hash algorithm", DRY_OPT_STRING, NULL },
	{ "encrypt.hash-alg", "Name of encryption hash algorithm", DRY_OPT_STRING, NULL },
	{ "encrypt.iter-time", "Time to spend in PBKDF in milliseconds", DRY_OPT_NUMBER, NULL },
	{ "cluster_size", "qcow2 cluster size", DRY_OPT_SIZE, "65536" },
	{ "extended_l2", "Extended L2 tables", DRY_OPT_BOOL, "off" },
	{ "preallocation", "Preallocation mode (allowed values: off, metadata, falloc, full)", DRY_OPT_STRING, NULL },
	{ "compression_type", "Compression method used for image cluster compression", DRY_OPT_STRING, "zlib" },
	{ "size", "Virtual disk size", DRY_OPT_SIZE, NULL },
	{ "compat", "Compatibility level (v2 [0.10] or v3 [1.1])", DRY_OPT_STRING, NULL },
	{ "backing_file", "File name of a base image", DRY_OPT_STRING, NULL },
	{ "backing_fmt", "Image format of the base image", DRY_OPT_STRING, NULL },
	{ "data_file", "File name of an external data file", DRY_OPT_STRING, NULL },
	{ "data_file_raw", "The external data file must stay valid as a raw image", DRY_OPT_BOOL, NULL },
	{ "lazy_refcounts", "Postpone refcount updates", DRY_OPT_BOOL, "off" },
	{ "refcount_bits", "Width of a reference count entry in bits", DRY_OPT_NUMBER, "16" },
	{ NULL, NULL, 0, NULL },
};

static const struct row raw_rows[] = {
	{ "size", "Virtual disk size", DRY_OPT_SIZE, NULL },
	{ NULL, NULL, 0, NULL },
};

static const struct row luks_rows[] = {
	{ "size", "Virtual disk size", DRY_OPT_SIZE, NULL },
	{ "key-secret", "ID of the secret that provides the keyslot passphrase", DRY_OPT_STRING, NULL },
	{ "cipher-alg", "Name of encryption cipher algorithm", DRY_OPT_STRING, NULL },
	{ "cipher-mode", "Name of encryption cipher mode", DRY_OPT_STRING, NULL },
	{ "ivgen-alg", "Name of IV generator algorithm", DRY_OPT_STRING, NULL },
	{ "ivgen-hash-alg", "Name of IV generator hash algorithm", DRY_OPT_STRING, NULL },
	{ "hash-alg", "Name of encryption hash algorithm", DRY_OPT_STRING, NULL },
	{ "iter-time", "Time to spend in PBKDF in milliseconds", DRY_OPT_NUMBER, NULL },
	{ NULL, NULL, 0, NULL },
};

/* The tables above, by format. */
static const struct {
	const char *format;
	const struct row *rows;
} own_rows[] = {
	{ "qcow2", qcow2_rows },
	{ "raw", raw_rows },
	{ "luks", luks_rows },
};

/* Options of every host file, behind those of the format. */
static const struct row file_rows[] = {
	{ "nocow", "Turn off copy-on-write (valid only on btrfs)", DRY_OPT_BOOL, NULL },
	{ "preallocation", "Preallocation mode (allowed values: off, falloc, full)", DRY_OPT_STRING, NULL },
	{ "extent_size_hint", "Extent size hint for the image file, 0 to disable", DRY_OPT_SIZE, NULL },
	{ NULL, NULL, 0, NULL },
};

/* All options of one format, each once. */
struct table {
	struct row rows[64];
	size_t n;
};

static const struct row *find(const struct table *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->rows[i].name, name) == 0)
			return &t->rows[i];
	return NULL;
}

static void add(struct table *t, const struct row *r)
{
	if (t->n < ARRAY_LEN(t->rows) && !find(t, r->name))
		t->rows[t->n++] = *r;
}

static void table_of(struct table *t, const char *format, bool protocol)
{
	const struct row *own = NULL;

	for (size_t i = 0; i < ARRAY_LEN(own_rows); i++)
		if (strcmp(own_rows[i].format, format) == 0)
			own = own_rows[i].rows;
	t->n = 0;
	for (; own && own->name; own++)
		add(t, own);
	if (!own) {
		struct dry_create_opt o;

		for (size_t i = 0; dry_create_opt(format, i, &o); i++) {
			const struct row r = { o.name, o.help, (int)o.type, o.def };

			add(t, &r);
		}
	}
	for (const struct row *r = file_rows; protocol && r->name; r++)
		add(t, r);
}

/* ---- parsing ---- */

static bool is_bool(const char *s)
{
	static const char *const words[] = { "on", "off", "yes", "no", "true", "false", "y", "n" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(s, words[i]) == 0)
			return true;
	return false;
}

/* The value as the library is given it (free() it); NULL with *why: it is wrong. */
static char *normal_value(const struct row *r, const char *value, struct strbuf *why)
{
	uint64_t n;

	switch (r->type) {
	case DRY_OPT_BOOL:
		if (is_bool(value))
			return alloc_strdup(value);
		strbuf_printf(why, "Parameter '%s' expects 'on' or 'off'", r->name);
		return NULL;
	case DRY_OPT_NUMBER:
		if (text_parse_u64(value + (*value == '-'), &n))
			return alloc_printf("%s%" PRIu64, *value == '-' ? "-" : "", n);
		if (*value && value[strspn(value, "0123456789")] == '\0')
			strbuf_printf(why, "Value '%s' is too large for parameter '%s'", value, r->name);
		else
			strbuf_printf(why, "Parameter '%s' expects a number", r->name);
		return NULL;
	case DRY_OPT_SIZE: {
		enum qi_number got = qi_parse_size(value, &n);

		if (got == QI_OK)
			return alloc_printf("%" PRIu64, n);
		qi_size_problem(why, r->name, value, got);
		return NULL;
	}
	default:
		return alloc_strdup(value);
	}
}

static bool parse_by(const struct table *t, struct dry_opts *into, const char *options, struct strbuf *why)
{
	CLEANUP(dict_free) struct dict d = DICT_INIT;
	struct dry_error de = { 0 };
	struct err e = ERR_INIT;

	if (strncmp(options, "=", 1) == 0) {
		strbuf_puts(why, "Invalid parameter ''");
		return false;
	}
	if (dict_parse(&d, options, NULL, &e) < 0) {
		strbuf_puts(why, e.msg);
		return false;
	}
	for (size_t i = 0; i < d.n; i++) {
		const struct row *r = find(t, d.items[i].key);
		CLEANUP(free_ptr) char *value = NULL;

		if (!r) {
			strbuf_printf(why, "Invalid parameter '%s'", d.items[i].key);
			return false;
		}
		value = normal_value(r, d.items[i].value, why);
		if (!value || dry_opts_set(into, r->name, value, &de) < 0) {
			if (!why->len)
				strbuf_puts(why, strerror(ENOMEM));
			return false;
		}
	}
	return true;
}

bool qi_parse_options(struct dry_opts *into, const char *format, bool protocol, const char *options,
		      struct strbuf *why)
{
	struct table t;

	table_of(&t, format, protocol);
	return parse_by(&t, into, options, why);
}

static void amend_table(struct table *t, const char *format)
{
	struct dry_create_opt o;

	t->n = 0;
	for (size_t i = 0; dry_amend_opt(format, i, &o); i++) {
		const struct row r = { o.name, o.help, (int)o.type, o.def };

		add(t, &r);
	}
}

bool qi_parse_amend(struct dry_opts *into, const char *format, const char *options, struct strbuf *why)
{
	CLEANUP(dict_free) struct dict d = DICT_INIT;
	struct table amend, create;

	amend_table(&amend, format);
	table_of(&create, format, true);
	/* Those of create are understood, and refused. */
	if (dict_parse(&d, options, NULL, NULL) == 0) {
		for (size_t i = 0; i < d.n; i++) {
			const struct row *r = find(&create, d.items[i].key);

			if (find(&amend, d.items[i].key) || !r)
				continue;
			strbuf_printf(why, "Invalid parameter '%s'\nThis option is only supported for image creation", r->name);
			return false;
		}
	}
	return parse_by(&amend, into, options, why);
}

/* ---- telling ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->name, ((const struct row *)b)->name);
}

static void print_table(struct table *t)
{
	static const char *const types[] = { [DRY_OPT_STRING] = "str", [DRY_OPT_SIZE] = "size",
					     [DRY_OPT_BOOL] = "bool (on/off)", [DRY_OPT_NUMBER] = "num" };

	qsort(t->rows, t->n, sizeof *t->rows, by_name);
	for (size_t i = 0; i < t->n; i++) {
		int used = printf("  %s=<%s>", t->rows[i].name, types[t->rows[i].type]);

		printf("%*s - %s\n", used < 24 ? 24 - used : 0, "", t->rows[i].help);
	}
}

int qi_print_amend(const char *format)
{
	struct table t;

	if (!dry_format_known(format)) {
		qi_error("Unknown file format '%s'", format);
		return EXIT_FAILED;
	}
	amend_table(&t, format);
	if (!t.n) {
		qi_error("Format driver '%s' does not support option amendment", format);
		return EXIT_FAILED;
	}
	printf("Amend options for '%s':\n", format);
	print_table(&t);
	return EXIT_DONE;
}

int qi_print_options(const char *format, const char *filename)
{
	struct table t;

	if (!dry_format_known(format)) {
		qi_error("Unknown file format '%s'", format);
		return EXIT_FAILED;
	}
	table_of(&t, format, filename);
	if (filename)
		printf("Supported options:\n");
	else
		printf("Supported %s options:\n", format);
	print_table(&t);
	if (!filename)
		printf("\nThe protocol level may support further options.\n"
		       "Specify the target filename to include those options.\n");
	return EXIT_DONE;
}

void qi_describe_options(struct strbuf *out, const char *format, const struct dry_opts *opts)
{
	struct table t;

	table_of(&t, format, true);
	for (size_t i = 0; i < t.n; i++) {
		const char *v = dry_opts_get(opts, t.rows[i].name);

		if (!v)
			v = t.rows[i].def;
		if (!v)
			continue;
		strbuf_printf(out, " %s=", t.rows[i].name);
		for (; *v; v++) {
			if (*v == ',')
				strbuf_putc(out, ',');
			strbuf_putc(out, *v);
		}
	}
}

/* ---- what a format finds wrong with them ---- */

static bool is_on(const struct dry_opts *o, const char *key)
{
	const char *v = dry_opts_get(o, key);

	return v && (strcmp(v, "on") == 0 || strcmp(v, "yes") == 0 || strcmp(v, "true") == 0 || strcmp(v, "y") == 0);
}

static uint64_t number(const struct dry_opts *o, const char *key, uint64_t def)
{
	const char *v = dry_opts_get(o, key);
	uint64_t n;

	/* What is negative is no number that any option takes. */
	return !v ? def : text_parse_u64(v, &n) ? n : 0;
}

static bool one_of(const char *v, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(v, *words) == 0)
			return true;
	return false;
}

static const char *qcow2_version_problem(const struct dry_opts *o)
{
	const char *compression = dry_opts_get(o, "compression_type");

	if (is_on(o, "extended_l2"))
		return "Extended L2 entries are only supported with compatibility level 1.1 and above (use version=v3 or "
		       "greater)";
	if (is_on(o, "lazy_refcounts"))
		return "Lazy refcounts only supported with compatibility level 1.1 and above (use version=v3 or greater)";
	if (number(o, "refcount_bits", 16) != 16)
		return "Different refcount widths than 16 bits require compatibility level 1.1 or above (use version=v3 or "
		       "greater)";
	if (dry_opts_get(o, "data_file"))
		return "External data files are only supported with compatibility level 1.1 and above (use version=v3 or "
		       "greater)";
	if (compression && strcmp(compression, "zlib") != 0)
		return "Non-zlib compression type is only supported with compatibility level 1.1 and above (use version=v3 "
		       "or greater)";
	return NULL;
}

static const char *qcow2_problem(const struct dry_opts *o, bool is_v2)
{
	uint64_t cluster = number(o, "cluster_size", 65536), bits = number(o, "refcount_bits", 16);
	const char *prealloc = dry_opts_get(o, "preallocation"), *backing = dry_opts_get(o, "backing_file");
	const char *v2 = is_v2 ? qcow2_version_problem(o) : NULL;

	if (cluster < 512 || cluster > 2 * MiB || (cluster & (cluster - 1)))
		return "Cluster size must be a power of two between 512 and 2048k";
	if (is_on(o, "extended_l2") && !is_v2 && cluster < 16 * KiB)
		return "Extended L2 entries are only supported with cluster sizes of at least 16384 bytes";
	if (backing && prealloc && strcmp(prealloc, "off") != 0 && !is_on(o, "extended_l2"))
		return "Backing file and preallocation can only be used at the same time if extended_l2 is on";
	if (dry_opts_get(o, "backing_fmt") && !backing)
		return "Backing format cannot be used without backing file";
	if (bits == 0 || bits > 64 || (bits & (bits - 1)))
		return "Refcount width must be a power of two and may not exceed 64 bits";
	if (is_on(o, "data_file_raw") && !dry_opts_get(o, "data_file"))
		return "data-file-raw requires data-file";
	if (is_on(o, "data_file_raw") && backing)
		return "Backing file and data-file-raw cannot be used at the same time";
	return v2;
}

static bool qcow2_options_problem(struct strbuf *why, const struct dry_opts *o, const struct dry_secrets *secrets)
{
	static const char *const modes[] = { "off", "metadata", "falloc", "full", NULL };
	static const char *const versions[] = { "0.10", "1.1", "v2", "v3", NULL };
	static const char *const encryptions[] = { "aes", "luks", NULL };
	static const char *const compressions[] = { "zlib", "zstd", NULL };
	const char *compat = dry_opts_get(o, "compat"), *v;
	bool is_v2 = compat && (strcmp(compat, "0.10") == 0 || strcmp(compat, "v2") == 0);

	if (compat && !one_of(compat, versions)) {
		strbuf_printf(why, "Parameter 'version' does not accept value '%s'", compat);
		return true;
	}
	if ((v = dry_opts_get(o, "preallocation")) && !one_of(v, modes)) {
		strbuf_printf(why, "Parameter 'preallocation' does not accept value '%s'", v);
		return true;
	}
	if ((v = dry_opts_get(o, "compression_type")) && !one_of(v, compressions)) {
		strbuf_printf(why, "Parameter 'compression-type' does not accept value '%s'", v);
		return true;
	}
	if ((v = qcow2_problem(o, is_v2))) {
		strbuf_puts(why, v);
		return true;
	}
	if (is_on(o, "encryption") || dry_opts_get(o, "encrypt.format")) {
		v = dry_opts_get(o, "encrypt.format");
		if (v && !one_of(v, encryptions)) {
			strbuf_printf(why, "Parameter 'format' does not accept value '%s'", v);
			return true;
		}
		v = dry_opts_get(o, "encrypt.key-secret");
		if (v && dry_secrets_have(secrets, v))
			return false;
		if (v)
			strbuf_printf(why, "No secret with id '%s'", v);
		else
			strbuf_puts(why, "Parameter 'encrypt.key-secret' is required for cipher");
		return true;
	}
	return false;
}

bool qi_options_problem(struct strbuf *why, const char *format, const struct dry_opts *opts,
			const struct dry_secrets *secrets)
{
	static const char *const modes[] = { "off", "falloc", "full", "metadata", NULL };
	const char *v = dry_opts_get(opts, "preallocation");

	if (strcmp(format, "qcow2") == 0)
		return qcow2_options_problem(why, opts, secrets);
	if (strcmp(format, "raw") == 0 && v && !one_of(v, modes))
		strbuf_printf(why, "invalid parameter value: %s", v);
	else if (strcmp(format, "raw") == 0 && v && strcmp(v, "metadata") == 0)
		strbuf_printf(why, "Unsupported preallocation mode: %s", v);
	return why->len;
}

void qi_create_problem(struct strbuf *why, const char *path, const char *format, const struct dry_error *e)
{
	if (!*path) {
		strbuf_printf(why, "Could not create '': %s", strerror(ENOENT));
	} else if (e->code == DRY_LIMIT || (e->code == DRY_SYSTEM && e->sys_errno == EFBIG)) {
		struct table t;

		table_of(&t, format, true);
		strbuf_printf(why, "The image size is too large for file format '%s'%s", format,
			      find(&t, "cluster_size") ? " (try using a larger cluster size)" : "");
	} else if (e->code == DRY_SYSTEM &&
		   (e->sys_errno == ENOENT || e->sys_errno == EISDIR || e->sys_errno == EACCES || e->sys_errno == ENOTDIR ||
		    e->sys_errno == EROFS || e->sys_errno == ETXTBSY || e->sys_errno == ENAMETOOLONG)) {
		strbuf_printf(why, "Could not create '%s': %s", path, strerror(e->sys_errno));
	} else if (!qi_key_reason(why, e)) {
		strbuf_puts(why, qi_reason(e));
	}
}
