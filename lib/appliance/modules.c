/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "modules.h"

#include "alloc.h"
#include "limits.h"
#include "text.h"

/* ---- names ---- */

static void underscores(char *name)
{
	for (; *name; name++)
		if (*name == '-')
			*name = '_';
}

/* "kernel/drivers/md/dm-mod.ko.xz" is dm_mod; to be freed, NULL when memory is out. */
static char *name_of_file(const char *file, size_t len)
{
	const char *from = memrchr(file, '/', len);
	const char *end = file + len;
	const char *dot;
	char *name;

	from = from ? from + 1 : file;
	dot = memmem(from, (size_t)(end - from), ".ko", 3);
	name = alloc_strndup(from, (size_t)((dot ? dot : end) - from));
	if (name)
		underscores(name);
	return name;
}

static int by_module_name(const void *a, const void *b)
{
	return strcmp(((const struct module *)a)->name, ((const struct module *)b)->name);
}

/* By both, so that the same texts always give the same order. */
static int by_pair_name(const void *a, const void *b)
{
	const struct module_pair *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : strcmp(x->value, y->value);
}

/* ---- parsing ---- */

typedef int (*line_fn)(struct modules *m, const char *line, size_t len, struct err *e);

static int each_line(struct modules *m, const char *text, line_fn fn, struct err *e)
{
	int rc = 0;

	while (text && *text && rc == 0) {
		size_t len = strcspn(text, "\n");

		if (len && *text != '#')
			rc = fn(m, text, len, e);
		text += len + (text[len] == '\n');
	}
	return rc;
}

static struct module *add_module(struct modules *m, const char *file, size_t len)
{
	struct module *more;

	/* Room by doubling: n is a power of two, or nothing, when it is full. */
	if ((m->n & (m->n - 1)) == 0) {
		more = alloc_resize(m->list, m->n ? 2 * m->n : 1, sizeof *more);
		if (!more)
			return NULL;
		m->list = more;
	}
	m->list[m->n] = (struct module){ .name = name_of_file(file, len) };
	return m->list[m->n].name ? &m->list[m->n++] : NULL;
}

static int add_pair(struct module_pair **list, size_t *n, const char *name, size_t name_len, const char *value, size_t len,
		    struct err *e)
{
	struct module_pair pair;

	if (*n == LIMIT_MODULES)
		return err_set(e, ERR_LIMIT, "more than %d names of modules", LIMIT_MODULES);
	if ((*n & (*n - 1)) == 0) {
		struct module_pair *more = alloc_resize(*list, *n ? 2 * *n : 1, sizeof *more);

		if (!more)
			return err_nomem(e);
		*list = more;
	}
	pair = (struct module_pair){ alloc_strndup(name, name_len), alloc_strndup(value, len) };
	if (!pair.name || !pair.value) {
		free(pair.name);
		free(pair.value);
		return err_nomem(e);
	}
	underscores(pair.name);
	(*list)[(*n)++] = pair;
	return 0;
}

/* kernel/fs/xfs/xfs.ko: kernel/lib/libcrc32c.ko ... */
static int parse_dep(struct modules *m, const char *line, size_t len, struct err *e)
{
	const char *colon = memchr(line, ':', len);
	struct module *mod;

	if (!colon)
		return err_set(e, ERR_CORRUPT, "modules.dep has a line without a colon");
	if (m->n == LIMIT_MODULES)
		return err_set(e, ERR_LIMIT, "more than %d modules", LIMIT_MODULES);
	mod = add_module(m, line, (size_t)(colon - line));
	if (!mod)
		return err_nomem(e);
	mod->file = alloc_strndup(line, (size_t)(colon - line));
	mod->needs = alloc_strndup(colon + 1, len - (size_t)(colon + 1 - line));
	return mod->file && mod->needs ? 0 : err_nomem(e);
}

/* kernel/fs/ext4/ext4.ko */
static int parse_builtin(struct modules *m, const char *line, size_t len, struct err *e)
{
	if (m->n == LIMIT_MODULES)
		return err_set(e, ERR_LIMIT, "more than %d modules", LIMIT_MODULES);
	return add_module(m, line, len) ? 0 : err_nomem(e);
}

/* The next word of a line of len bytes from *at; NULL at its end. */
static const char *next_word(const char *line, size_t len, size_t *at, size_t *word)
{
	while (*at < len && strchr(" \t", line[*at]))
		++*at;
	*word = 0;
	while (*at + *word < len && !strchr(" \t", line[*at + *word]))
		++*word;
	*at += *word;
	return *word ? line + *at - *word : NULL;
}

/* softdep btrfs pre: blake2b-256 sha256 post: x; words before "pre:" are in doubt, and taken as such too. */
static int parse_softdep(struct modules *m, const char *line, size_t len, struct err *e)
{
	size_t at = 0, n, name_len;
	const char *word = next_word(line, len, &at, &n);
	const char *name = next_word(line, len, &at, &name_len);
	int rc = 0;

	if (!word || !name || n != 7 || memcmp(word, "softdep", 7) != 0)
		return 0;
	while (rc == 0 && (word = next_word(line, len, &at, &n))) {
		if (n == 5 && memcmp(word, "post:", 5) == 0)
			break;
		if (n != 4 || memcmp(word, "pre:", 4) != 0)
			rc = add_pair(&m->soft, &m->nsoft, name, name_len, word, n, e);
	}
	return rc;
}

/* alias crypto-crc32c crc32c_generic; those for devices are patterns, which nobody asks for here. */
static int parse_alias(struct modules *m, const char *line, size_t len, struct err *e)
{
	size_t at = 0, n, name_len, mod_len;
	const char *word = next_word(line, len, &at, &n);
	const char *name = next_word(line, len, &at, &name_len);
	const char *mod = next_word(line, len, &at, &mod_len);

	if (!word || !name || !mod || n != 5 || memcmp(word, "alias", 5) != 0 || memchr(name, '*', name_len) ||
	    memchr(name, ':', name_len))
		return 0;
	return add_pair(&m->aliases, &m->naliases, name, name_len, mod, mod_len, e);
}

int modules_parse(struct modules *m, const char *dep, const char *softdep, const char *alias, const char *builtin, struct err *e)
{
	int rc;

	*m = (struct modules){ .list = NULL };
	rc = each_line(m, dep, parse_dep, e);
	if (rc == 0)
		rc = each_line(m, builtin, parse_builtin, e);
	if (rc == 0)
		rc = each_line(m, softdep, parse_softdep, e);
	if (rc == 0)
		rc = each_line(m, alias, parse_alias, e);
	if (rc < 0) {
		modules_free(m);
		return rc;
	}
	if (m->n)
		qsort(m->list, m->n, sizeof *m->list, by_module_name);
	if (m->nsoft)
		qsort(m->soft, m->nsoft, sizeof *m->soft, by_pair_name);
	if (m->naliases)
		qsort(m->aliases, m->naliases, sizeof *m->aliases, by_pair_name);
	return 0;
}

static void pairs_free(struct module_pair *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(list[i].name);
		free(list[i].value);
	}
	free(list);
}

void modules_free(struct modules *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->list[i].name);
		free(m->list[i].file);
		free(m->list[i].needs);
	}
	free(m->list);
	pairs_free(m->soft, m->nsoft);
	pairs_free(m->aliases, m->naliases);
	*m = (struct modules){ .list = NULL };
}

/* ---- looking up ---- */

static const struct module *find(const struct modules *m, char *name)
{
	const struct module key = { .name = name };

	underscores(name);
	return m->n ? bsearch(&key, m->list, m->n, sizeof *m->list, by_module_name) : NULL;
}

const struct module *modules_find(const struct modules *m, const char *name)
{
	CLEANUP(free_ptr) char *copy = alloc_strdup(name);

	return copy ? find(m, copy) : NULL;
}

/* The first of a sorted list's pairs with that name: n when there is none. */
static size_t first_pair(const struct module_pair *list, size_t n, const char *name)
{
	size_t from = 0, to = n;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (strcmp(list[mid].name, name) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from < n && strcmp(list[from].name, name) == 0 ? from : n;
}

/* ---- order ---- */

/* What one call looks at: each module and each alias is entered once, so that circles end. */
struct walk {
	const struct modules *m;
	struct module_order *out;
	bool *entered; /* by module */
	unsigned depth;
};

static int visit_name(struct walk *w, const char *name, struct err *e);

static int append(struct module_order *o, const struct module *mod, struct err *e)
{
	const struct module **more;

	for (size_t i = 0; i < o->n; i++)
		if (o->list[i] == mod)
			return 0;
	more = alloc_resize(o->list, o->n + 1, sizeof *more);
	if (!more)
		return err_nomem(e);
	o->list = more;
	o->list[o->n++] = mod;
	return 0;
}

/* depmod lists what is to be loaded first last. */
static int visit_needs(struct walk *w, const struct module *mod, struct err *e)
{
	const char *end = mod->needs + strlen(mod->needs);
	int rc = 0;

	while (rc == 0 && end > mod->needs) {
		const char *from = end;
		CLEANUP(free_ptr) char *name = NULL;

		while (from > mod->needs && from[-1] != ' ')
			from--;
		if (from < end) {
			name = name_of_file(from, (size_t)(end - from));
			rc = name ? visit_name(w, name, e) : err_nomem(e);
			if (rc == 0)
				rc = err_set(e, ERR_CORRUPT, "modules.dep: %s needs %s, which is not there", mod->name, name);
		}
		end = from > mod->needs ? from - 1 : from;
		rc = rc > 0 ? 0 : rc;
	}
	return rc;
}

static int visit(struct walk *w, const struct module *mod, struct err *e)
{
	int rc = 0;

	if (!mod->file || w->entered[mod - w->m->list])
		return 1;
	w->entered[mod - w->m->list] = true;
	if (w->depth == LIMIT_MODULES_DEPTH)
		return err_set(e, ERR_LIMIT, "modules that need each other, %d deep", LIMIT_MODULES_DEPTH);
	w->depth++;
	for (size_t i = first_pair(w->m->soft, w->m->nsoft, mod->name);
	     rc >= 0 && i < w->m->nsoft && strcmp(w->m->soft[i].name, mod->name) == 0; i++)
		rc = visit_name(w, w->m->soft[i].value, e);
	if (rc >= 0)
		rc = visit_needs(w, mod, e);
	w->depth--;
	if (rc >= 0)
		rc = append(w->out, mod, e);
	return rc < 0 ? rc : 1;
}

static int visit_name(struct walk *w, const char *name, struct err *e)
{
	CLEANUP(free_ptr) char *copy = alloc_strdup(name);
	const struct module *mod;
	int found = 0, rc = 0;

	if (!copy)
		return err_nomem(e);
	mod = find(w->m, copy);
	if (mod)
		return visit(w, mod, e);
	for (size_t i = first_pair(w->m->aliases, w->m->naliases, copy);
	     rc >= 0 && i < w->m->naliases && strcmp(w->m->aliases[i].name, copy) == 0; i++) {
		mod = modules_find(w->m, w->m->aliases[i].value);
		rc = mod ? visit(w, mod, e) : 0;
		found |= mod != NULL;
	}
	return rc < 0 ? rc : found;
}

int modules_order(const struct modules *m, const char *name, struct module_order *out, struct err *e)
{
	struct walk w = { .m = m, .out = out };
	int rc;

	w.entered = alloc_array(m->n + 1, sizeof *w.entered);
	if (!w.entered)
		return err_nomem(e);
	rc = visit_name(&w, name, e);
	free(w.entered);
	return rc;
}

void module_order_free(struct module_order *o)
{
	free(o->list);
	*o = (struct module_order){ .list = NULL };
}
