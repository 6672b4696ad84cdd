/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virt_index_validate.c - the program under the name virt-index-validate: is a file an index of virt-builder's templates?
 *
 *	[debian-12]			a section; an empty line comes between two
 *	name=Debian 12			a field; "name[part]=" has a part
 *	notes=first line
 *	 second line			goes on with the field
 *	# to the end of the line
 *
 * All that may be clear-signed by PGP: then lines up to an empty one come before, and anything behind.
 */
#include "virt.h"

#include "alloc.h"
#include "io.h"
#include "limits.h"
#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

enum { OPT_COMPAT_0 = VIRT_OWN, OPT_COMPAT_1 };

static const struct option options[] = {
	{ "compat-1.24.0", 0, NULL, OPT_COMPAT_0 },
	{ "compat-1.24.1", 0, NULL, OPT_COMPAT_1 },
	{ "help", 0, NULL, VIRT_HELP },
	{ "version", 0, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

struct validate {
	const char *file;
	bool compat_0, compat_1;
	char *section; /* lent pieces of the text; NULL: none yet */
	bool has_sig, has_comment;
	bool after_field; /* what goes on with a field may follow */
	bool after_empty; /* a section may begin */
	char incompatible[300]; /* the first of what an old virt-builder does not take; "": nothing */
};

enum line { LINE_EMPTY, LINE_COMMENT, LINE_SECTION, LINE_FIELD, LINE_MORE, LINE_JUNK };

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '.' || c == '_';
}

/* "[name]" and blanks: the name is cut out. */
static bool is_section(char *line, char **name)
{
	char *end = line + 1;

	while (is_name_char(*end) || *end == '-')
		end++;
	if (line[0] != '[' || end == line + 1 || *end != ']' || end[1 + strspn(end + 1, " \t")])
		return false;
	*end = '\0';
	*name = line + 1;
	return true;
}

/* "name=..." or "name[part]=...": they are cut out, part "" where there is none. */
static bool is_field(char *line, char **name, char **part)
{
	char *p = line;

	while (is_name_char(*p))
		p++;
	*name = line;
	*part = strchr(line, '\0');
	if (p == line)
		return false;
	if (*p == '[') {
		char *begin = p + 1, *end = begin;

		while (is_name_char(*end) || *end == ',')
			end++;
		if (end == begin || end[0] != ']' || end[1] != '=')
			return false;
		*p = *end = '\0';
		*part = begin;
		return true;
	}
	if (*p != '=')
		return false;
	*p = '\0';
	return true;
}

static enum line kind_of(char *line, char **name, char **part)
{
	if (!*line)
		return LINE_EMPTY;
	if (*line == '#')
		return LINE_COMMENT;
	if (is_section(line, name))
		return LINE_SECTION;
	if (is_field(line, name, part))
		return LINE_FIELD;
	return *line == ' ' || *line == '\t' ? LINE_MORE : LINE_JUNK;
}

__attribute__((format(printf, 2, 3))) static void incompatible(struct validate *v, const char *fmt, ...)
{
	va_list ap;

	if (*v->incompatible)
		return;
	va_start(ap, fmt);
	vsnprintf(v->incompatible, sizeof v->incompatible, fmt, ap);
	va_end(ap);
}

static void section_end(struct validate *v)
{
	if (v->section && v->compat_0 && !v->has_sig)
		incompatible(v,
			     "section [%.80s] is missing a \xe2\x80\x98sig\xe2\x80\x99 field which will not work with "
			     "virt-builder 1.24.0",
			     v->section);
	v->has_sig = false;
}

static void judge_field(struct validate *v, const char *name, const char *part)
{
	v->has_sig |= strcmp(name, "sig") == 0;
	if (v->compat_0 && *part)
		incompatible(v, "section [%.80s], field \"%.80s[%.40s]\": "
			     "virt-builder 1.24.0 does not know square brackets",
			     v->section, name, part);
	if (v->compat_1 && strchr(name, '.'))
		incompatible(v,
			     "section [%.80s], field \"%.80s\": virt-builder 1.24.1 does not know a period in a name",
			     v->section, name);
	if (v->compat_1 && strchr(part, ','))
		incompatible(v, "section [%.80s], field \"%.80s[%.40s]\": "
			     "virt-builder 1.24.1 does not know a comma there",
			     v->section, name, part);
}

/* false: such a line has no place here. */
static bool take_line(struct validate *v, enum line kind, char *name, char *part)
{
	switch (kind) {
	case LINE_EMPTY:
		v->after_empty = true;
		v->after_field = false;
		return true;
	case LINE_COMMENT:
		v->has_comment = true;
		return true;
	case LINE_SECTION:
		if (v->section && !v->after_empty)
			return false;
		section_end(v);
		v->section = name;
		v->after_empty = v->after_field = false;
		return true;
	case LINE_FIELD:
		if (!v->section || v->after_empty)
			return false;
		judge_field(v, name, part);
		v->after_field = true;
		return true;
	case LINE_MORE:
		return v->after_field;
	case LINE_JUNK:
		break;
	}
	return false;
}

static int syntax_error(const struct validate *v, unsigned line)
{
	fprintf(stderr,
		"syntax error at line %u: syntax error\n"
		"virt-index-validate: \xe2\x80\x98%s\xe2\x80\x99 could not be validated, see errors above\n",
		line, v->file);
	return EXIT_FAILED;
}

/*
 * Behind the lines that come before a text that PGP has signed, and how many lines that makes.  Comments may stand before them,
 * and there is one line at least between the first and the empty one.  NULL: they do not end.
 */
static char *skip_signature_head(char *text, bool *is_signed, unsigned *number)
{
	char *begin = text, *end;

	*number = 1;
	while (*begin == '#' && (end = strchr(begin, '\n'))) {
		begin = end + 1;
		++*number;
	}
	*is_signed = text_starts(begin, "-----BEGIN PGP SIGNED MESSAGE-----\n", NULL);
	if (!*is_signed) {
		*number = 1;
		return text;
	}
	begin = strchr(begin, '\n') + 1;
	end = strstr(begin, "\n\n");
	++*number;
	if (!end)
		return NULL;
	for (; begin < end + 2; begin++)
		*number += *begin == '\n';
	return begin;
}

static int validate(struct validate *v, char *text)
{
	bool is_signed, complete;
	unsigned number;
	char *line = skip_signature_head(text, &is_signed, &number), *end;

	if (!line)
		return syntax_error(v, number);
	v->has_comment = line != text && *text == '#';
	complete = !is_signed;
	/* Ends: each line begins behind the last. */
	for (; *line; line = end + 1, number++) {
		char *name = NULL, *part = NULL;
		enum line kind;

		end = strchr(line, '\n');
		if (!end) /* a last line that is not ended */
			return syntax_error(v, number);
		*end = '\0';
		if (is_signed && strcmp(line, "-----BEGIN PGP SIGNATURE-----") == 0) {
			complete = true;
			break;
		}
		kind = kind_of(line, &name, &part);
		/* Where a line is well-formed, what is wrong is seen when the next one begins: so the peer counts. */
		if (!take_line(v, kind, name, part))
			return syntax_error(v, number + (kind != LINE_JUNK || text_starts(line, "-----BEGIN PGP SIGN", NULL)));
	}
	section_end(v);
	if (!complete)
		return syntax_error(v, number);
	if (v->has_comment && v->compat_1) {
		fprintf(stderr, "virt-index-validate: %s contains comments which will not work with virt-builder 1.24.1\n",
			v->file);
		return EXIT_FAILED;
	}
	if (*v->incompatible) {
		fprintf(stderr, "virt-index-validate: %s: %s\n", v->file, v->incompatible);
		return EXIT_FAILED;
	}
	printf("%s validated OK\n", v->file);
	return EXIT_DONE;
}

/* The file's text, free() it; NULL with a sentence told. */
static char *read_index(const char *file)
{
	CLEANUP(close_fd) int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	CLEANUP(free_ptr) char *text = alloc_bytes(LIMIT_BUILDER_INDEX + 1);
	const struct dry_confine how = { .want = DRY_CONFINE_BEST };
	struct dry_error e = { .code = DRY_OK };
	size_t len = 0;
	int err;

	if (fd < 0) {
		fprintf(stderr, "virt-index-validate: fopen: %s: %s\n", file, strerror(errno));
		return NULL;
	}
	/* Somebody offers this file for download. */
	if (!text || dry_confine(&how, NULL, &e) < 0) {
		fprintf(stderr, "virt-index-validate: %s\n", text ? e.msg : "out of memory");
		return NULL;
	}
	err = io_read(fd, text, LIMIT_BUILDER_INDEX + 1, &len);
	if (err || len > LIMIT_BUILDER_INDEX) {
		fprintf(stderr, "virt-index-validate: %s: %s\n", file,
			err ? strerror(err) : "an index of more than 16 MiB");
		return NULL;
	}
	/* The peer lets a value hold one; anywhere else it is no character of a line. */
	for (size_t i = 0; i < len; i++)
		text[i] = text[i] ? text[i] : '\1';
	text[len] = '\0';
	return take(text);
}

int virt_index_validate(int argc, char **argv)
{
	static const char usage[] = "virt-index-validate index\n";
	struct validate v = { .compat_0 = false };
	CLEANUP(free_ptr) char *text = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "V", options, NULL)) != -1) {
		switch (c) {
		case OPT_COMPAT_0:
			v.compat_0 = v.compat_1 = true;
			break;
		case OPT_COMPAT_1:
			v.compat_1 = true;
			break;
		case 'V':
			/* The one of them that says no more than this. */
			puts("virt-index-validate " VIRT_VERSION);
			return EXIT_DONE;
		case VIRT_HELP:
			fputs(usage, stdout);
			return EXIT_DONE;
		default:
			fputs(usage, stdout);
			return EXIT_FAILED;
		}
	}
	if (optind + 1 != argc) {
		fputs(usage, stdout);
		return EXIT_FAILED;
	}
	v.file = argv[optind];
	text = read_index(v.file);
	return text ? validate(&v, text) : EXIT_FAILED;
}
