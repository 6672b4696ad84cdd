/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mdadm_conf.c - arrays by the names that the guest itself gives them: mdadm.conf(5).
 *
 *	ARRAY /dev/md0 metadata=1.2 UUID=3aaa0122:29827cfa:5331ad66:ca767371 name=web:0
 *
 * Words are separated by blanks, a line that begins with blanks goes on with the one before it, "#" begins a comment.
 */
#include "guest.h"

#include "alloc.h"
#include "limits.h"
#include "text.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

/* One ARRAY line, as far as it matters here. */
struct array_line {
	char device[64], uuid[40], name[40];
};

/* "/dev/md0" for "/dev/md/0", and for "0" without a folder. */
static void device_canonical(const char *device, char *out, size_t size)
{
	const char *rest;
	bool in_folder = text_starts(device, "/dev/md/", &rest);

	if (!in_folder && device[0] != '/') {
		rest = device;
		in_folder = true;
	}
	if (in_folder && *rest && strspn(rest, "0123456789") == strlen(rest))
		snprintf(out, size, "/dev/md%s", rest);
	else if (in_folder)
		snprintf(out, size, "/dev/md/%s", rest);
	else
		snprintf(out, size, "%s", device);
}

/* Whatever stands between the digits. */
static bool same_uuid(const char *a, const char *b)
{
	for (;;) {
		while (*a && !isxdigit((unsigned char)*a))
			a++;
		while (*b && !isxdigit((unsigned char)*b))
			b++;
		if (!*a || !*b)
			return *a == *b;
		if (tolower((unsigned char)*a++) != tolower((unsigned char)*b++))
			return false;
	}
}

static void word_take(struct array_line *l, const char *word)
{
	const char *eq = strchr(word, '=');

	if (!eq && !l->device[0])
		device_canonical(word, l->device, sizeof l->device);
	else if (eq && strncasecmp(word, "uuid=", 5) == 0)
		snprintf(l->uuid, sizeof l->uuid, "%s", eq + 1);
	else if (eq && strncasecmp(word, "name=", 5) == 0)
		snprintf(l->name, sizeof l->name, "%s", eq + 1);
}

static const struct content *array_find(const struct contents *c, const struct array_line *l)
{
	char alias[60];

	for (size_t i = 0; l->uuid[0] && i < c->n; i++) {
		const struct volume *v = c->items[i].vol;

		if (strcmp(v->scheme, "md") == 0 && v->uuid && same_uuid(v->uuid, l->uuid))
			return &c->items[i];
	}
	if (l->uuid[0] || !l->name[0])
		return NULL;
	snprintf(alias, sizeof alias, "/dev/md/%s", l->name);
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->items[i].vol->scheme, "md") == 0 && volume_is_called(c->items[i].vol, alias))
			return &c->items[i];
	return NULL;
}

/* The next word of the text, of which *p is left; line_begins tells whether it is the first of its line.  false: none. */
static bool word_next(const char **p, char *word, size_t size, bool *line_begins)
{
	size_t n = 0;

	*line_begins = false;
	for (;; (*p)++) {
		if (**p == '#')
			*p += strcspn(*p, "\n");
		if (**p == '\n')
			*line_begins = (*p)[1] && !isspace((unsigned char)(*p)[1]);
		else if (**p != ' ' && **p != '\t' && **p != '\r')
			break;
	}
	if (!**p)
		return false;
	for (; **p && !isspace((unsigned char)**p); (*p)++)
		if (**p != '"' && n + 1 < size)
			word[n++] = **p;
	word[n] = '\0';
	return true;
}

const struct content *mdadm_conf_parse(const char *text, const struct contents *c, const char *spec)
{
	struct array_line l = { .device = "" };
	char word[200], wanted[64];
	bool begins, in_array = false, first = true;

	device_canonical(spec, wanted, sizeof wanted);
	/* Ends: each word is behind the one before it in the text. */
	while (word_next(&text, word, sizeof word, &begins)) {
		if (begins || first) {
			const struct content *found = in_array && strcmp(l.device, wanted) == 0 ? array_find(c, &l) : NULL;

			if (found)
				return found;
			in_array = strcasecmp(word, "ARRAY") == 0;
			memset(&l, 0, sizeof l);
		} else if (in_array) {
			word_take(&l, word);
		}
		first = false;
	}
	return in_array && strcmp(l.device, wanted) == 0 ? array_find(c, &l) : NULL;
}

int mdadm_conf_find(struct vfs *v, const struct contents *c, const char *spec, const struct content **out, struct err *e)
{
	static const char *const files[] = { "/etc/mdadm/mdadm.conf", "/etc/mdadm.conf" };

	*out = NULL;
	if (!text_starts(spec, "/dev/md", NULL))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(files) && !*out; i++) {
		CLEANUP(free_ptr) char *text = NULL;
		size_t len = 0;
		int rc = vfs_read_file(v, files[i], LIMIT_FSTAB_BYTES, &text, &len, NULL);

		if (rc == -ERR_NOMEM)
			return err_nomem(e);
		if (rc == 0)
			*out = mdadm_conf_parse(text, c, spec);
	}
	return 0;
}
