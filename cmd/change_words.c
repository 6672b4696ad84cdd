/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "change_words.h"

#include "alloc.h"
#include "limits.h"
#include "text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- modes ---- */

static bool octal_parse(const char *text, uint32_t *out)
{
	uint32_t v = 0;

	for (; *text >= '0' && *text <= '7'; text++) {
		v = v * 8 + (uint32_t)(*text - '0');
		if (v > 07777)
			return false;
	}
	*out = v;
	return !*text;
}

/* "ugoa": the bits that are meant, with those for owner and group when they are run. */
static const char *who_parse(const char *p, uint32_t *who)
{
	for (*who = 0;; p++) {
		if (*p == 'u')
			*who |= 04700;
		else if (*p == 'g')
			*who |= 02070;
		else if (*p == 'o')
			*who |= 01007;
		else if (*p == 'a')
			*who |= 07777;
		else
			break;
	}
	if (!*who)
		*who = 07777;
	return p;
}

/* What stands behind +, - or =: letters, or one of "ugo" whose permissions are taken. */
static const char *bits_parse(const char *p, uint32_t who, uint32_t old, bool is_dir, uint32_t *bits)
{
	*bits = 0;
	if (*p == 'u' || *p == 'g' || *p == 'o') {
		uint32_t three = old >> (*p == 'u' ? 6 : *p == 'g' ? 3 : 0) & 7;

		*bits = (three << 6 | three << 3 | three) & who;
		return p + 1;
	}
	for (;; p++) {
		if (*p == 'r')
			*bits |= 0444 & who;
		else if (*p == 'w')
			*bits |= 0222 & who;
		else if (*p == 'x' || (*p == 'X' && (is_dir || old & 0111)))
			*bits |= 0111 & who;
		else if (*p == 's')
			*bits |= 06000 & who;
		else if (*p == 't')
			*bits |= 01000 & who;
		else if (*p != 'X')
			return p;
	}
}

bool change_mode_parse(const char *text, uint32_t old, bool is_dir, uint32_t *out)
{
	uint32_t mode = old & 07777;
	const char *p = text;

	if (isdigit((unsigned char)*text))
		return octal_parse(text, out);
	/* Each turn takes at least its operator. */
	for (;;) {
		uint32_t who, bits;

		p = who_parse(p, &who);
		if (!*p || !strchr("+-=", *p))
			return false;
		while (*p && strchr("+-=", *p)) {
			char op = *p++;

			p = bits_parse(p, who, mode, is_dir, &bits);
			if (op == '+')
				mode |= bits;
			else if (op == '-')
				mode &= ~bits;
			else /* as chmod(1): a folder keeps what is not named */
				mode = (mode & ~(is_dir ? who & ~06000u : who)) | bits;
		}
		if (!*p)
			break;
		if (*p++ != ',')
			return false;
	}
	*out = mode;
	return true;
}

int change_mode(const char *verb, const char *text, uint32_t old, bool is_dir, uint32_t *out)
{
	if (change_mode_parse(text, old, is_dir, out))
		return 0;
	return cmd_usage(verb, "\"%s\" is no mode: octal digits, or words like u=rwX,go-w", text);
}

/* ---- owners ---- */

/* The nth field of a line of /etc/passwd or /etc/group, as a number. */
static bool field_number(const char *line, const char *end, unsigned nth, uint32_t *out)
{
	uint64_t v = 0;

	while (nth-- && line < end) {
		line = memchr(line, ':', (size_t)(end - line));
		if (!line)
			return false;
		line++;
	}
	if (line >= end || !isdigit((unsigned char)*line))
		return false;
	for (; line < end && isdigit((unsigned char)*line); line++)
		if ((v = v * 10 + (uint64_t)(*line - '0')) > UINT32_MAX)
			return false;
	*out = (uint32_t)v;
	return line == end || *line == ':';
}

/* The line that begins with that name, or with any name whose third field is that number. */
static const char *line_find(const char *text, const char *name, size_t len, const char **end)
{
	for (const char *line = text; *line; line = **end ? *end + 1 : *end) {
		*end = line + strcspn(line, "\n");
		if ((size_t)(*end - line) > len && memcmp(line, name, len) == 0 && line[len] == ':')
			return line;
	}
	return NULL;
}

/* A small file of the guest, NUL-terminated; NULL: there is none, or it could not be read. */
static char *small_file(struct change_job *job, const char *path)
{
	struct dry_node n;
	struct dry_stat st;
	CLEANUP(free_ptr) char *text = NULL;
	size_t got = 0;

	if (dry_guest_lookup(job->g, path, true, &n, NULL) < 0 || dry_node_stat(job->g, n, &st, NULL) < 0 || st.size > 16 * MiB)
		return NULL;
	text = alloc_zero((size_t)st.size + 1);
	if (!text || dry_node_read(job->g, n, text, (size_t)st.size, 0, &got, NULL) < 0)
		return NULL;
	return take(text);
}

static bool number_parse(const char *s, size_t len, uint32_t *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)s[i]) || (v = v * 10 + (uint64_t)(s[i] - '0')) > UINT32_MAX)
			return false;
	}
	*out = (uint32_t)v;
	return len > 0;
}

static int no_such(const struct change_job *job, const char *what, const char *name, size_t len)
{
	guest_say(job->ref, "the guest has no %s \"%.*s\"", what, (int)len, name);
	return EXIT_FAILED;
}

int change_owner(struct change_job *job, const char *text, uint32_t *uid, uint32_t *gid)
{
	const char *colon = strchr(text, ':'), *group = colon ? colon + 1 : NULL, *line, *end;
	size_t len = colon ? (size_t)(colon - text) : strlen(text);

	if (!*text || strcmp(text, ":") == 0)
		return cmd_usage(job->verb, "an owner is USER, USER:GROUP or :GROUP");
	if (len) {
		CLEANUP(free_ptr) char *passwd = small_file(job, "/etc/passwd");

		line = passwd ? line_find(passwd, text, len, &end) : NULL;
		if (line ? !field_number(line, end, 2, uid) : !number_parse(text, len, uid))
			return no_such(job, "user", text, len);
		if (group && !*group && (!line || !field_number(line, end, 3, gid)))
			return no_such(job, "user with a group", text, len);
	}
	if (group && *group) {
		CLEANUP(free_ptr) char *groups = small_file(job, "/etc/group");

		line = groups ? line_find(groups, group, strlen(group), &end) : NULL;
		if (line ? !field_number(line, end, 2, gid) : !number_parse(group, strlen(group), gid))
			return no_such(job, "group", group, strlen(group));
	}
	return 0;
}

/* ---- the frame ---- */

int change_main(const struct usage *u, const struct opt *opts, struct change_opts *o, int argc, char **argv,
		int (*run)(void *arg, int argc, char **argv), void *arg)
{
	int status = EXIT_USAGE;

	switch (opts_parse(u, opts, &argc, &argv)) {
	case OPTS_DONE:
		status = EXIT_DONE;
		break;
	case OPTS_OK:
		status = cmd_done(run(arg, argc, argv));
		break;
	case OPTS_BAD:
		break;
	}
	change_opts_free(o);
	return status;
}

const char *change_path(const struct change_job *job, size_t item)
{
	const char *path = job->set.items[item].path;

	return path ? path : "/";
}

int change_stat(struct change_job *job, const char *path, bool follow, struct dry_node *node, struct dry_stat *st)
{
	struct dry_error e = { .code = DRY_OK };

	if (dry_guest_lookup(job->g, path, follow, node, &e) < 0)
		return change_fail(job, &e);
	return dry_node_stat(job->g, *node, st, &e) < 0 ? change_fail_path(job, path, &e) : 0;
}
