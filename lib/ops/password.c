/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* password.c - selectors of passwords, and their hashes by libcrypt. */
#include "password.h"

#include "alloc.h"
#include "limits.h"
#include "secret.h"
#include "text.h"

#include <crypt.h>
#include <strings.h>

/* Of a random password: 16 of 56 letters and digits are 92 bits.  Those that are easily taken for each other are left out. */
#define RANDOM_LETTERS 16

void password_free(struct password *p)
{
	locked_free(&p->text);
}

/* ---- selectors ---- */

static int text_take(struct password *p, const void *text, size_t len, struct err *e)
{
	if (memchr(text, 0, len))
		return err_set(e, ERR_USAGE, "a password holds a NUL");
	if (len > LIMIT_PASSPHRASE)
		return err_set(e, ERR_LIMIT, "a password of %zu bytes", len);
	if (!locked_alloc(&p->text, len + 1))
		return err_nomem(e);
	memcpy(p->text.p, text, len);
	return 0;
}

static int file_take(struct password *p, const char *path, struct err *e)
{
	CLEANUP(locked_free) struct locked all = LOCKED_INIT;
	const uint8_t *end;
	int rc = secret_read_file(path, &all, e);

	if (rc < 0)
		return rc;
	end = all.len ? memchr(all.p, '\n', all.len) : NULL;
	return text_take(p, all.p ? (const void *)all.p : "", end ? (size_t)(end - all.p) : all.len, e);
}

static int random_take(struct password *p, struct err *e)
{
	static const char letters[] = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
	size_t n = 0;

	if (!locked_alloc(&p->text, RANDOM_LETTERS + 1))
		return err_nomem(e);
	/* A byte that would make some letters likelier than others is left out: a quarter is good, the loop ends. */
	while (n < RANDOM_LETTERS) {
		uint8_t b;

		if (!random_bytes(&b, 1))
			return err_set(e, ERR_SYSTEM, "there are no random bytes");
		if (b < 256 / (sizeof letters - 1) * (sizeof letters - 1))
			p->text.p[n++] = (uint8_t)letters[b % (sizeof letters - 1)];
	}
	return 0;
}

int password_parse(const char *selector, struct password *out, struct err *e)
{
	const char *rest = selector;
	int rc = 0;

	*out = (struct password){ .kind = PASSWORD_DISABLED, .text = LOCKED_INIT };
	if (text_starts(rest, "locked", &rest) || text_starts(rest, "lock", &rest)) {
		out->locked = true;
		if (*rest == '\0')
			return 0;
		if (*rest++ != ':')
			return err_set(e, ERR_USAGE, "\"%s\" selects no password", selector);
	}
	if (strcmp(rest, "disabled") == 0 || strcmp(rest, "disable") == 0)
		return 0;
	out->kind = PASSWORD_TEXT;
	if (strcmp(rest, "random") == 0) {
		out->kind = PASSWORD_RANDOM;
		rc = random_take(out, e);
	} else if (text_starts(rest, "password:", &rest)) {
		rc = text_take(out, rest, strlen(rest), e);
	} else if (text_starts(rest, "file:", &rest)) {
		rc = file_take(out, rest, e);
	} else {
		/* Not repeated: who forgot "password:" wrote a password. */
		rc = err_set(e, ERR_USAGE, "a password is selected by file:, password:, random, disabled or locked");
	}
	if (rc < 0)
		password_free(out);
	return rc;
}

/* ---- which hash ---- */

static const struct {
	const char *name, *mark; /* of a hash: how it begins */
	enum password_hash hash;
} hashes[] = {
	{ "md5", "$1$", PASSWORD_HASH_MD5 },	     { "sha256", "$5$", PASSWORD_HASH_SHA256 },
	{ "sha512", "$6$", PASSWORD_HASH_SHA512 },   { "yescrypt", "$y$", PASSWORD_HASH_YESCRYPT },
	{ "bcrypt", "$2b$", PASSWORD_HASH_BCRYPT },  { "blowfish", "$2b$", PASSWORD_HASH_BCRYPT },
	{ "bcrypt", "$2y$", PASSWORD_HASH_BCRYPT },
};

static bool hash_named(const char *name, size_t len, enum password_hash *out)
{
	for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
		if (strlen(hashes[i].name) == len && strncasecmp(hashes[i].name, name, len) == 0) {
			*out = hashes[i].hash;
			return true;
		}
	}
	return false;
}

bool password_hash_parse(const char *name, enum password_hash *out)
{
	return hash_named(name, strlen(name), out);
}

/* The next word of a line; false at its end. */
static bool next_word(const char **p, const char *end, const char **word, size_t *len)
{
	while (*p < end && (**p == ' ' || **p == '\t' || **p == '\r'))
		(*p)++;
	*word = *p;
	while (*p < end && **p != ' ' && **p != '\t' && **p != '\r')
		(*p)++;
	*len = (size_t)(*p - *word);
	return *len > 0;
}

/* A line "password ... pam_unix.so ... yescrypt ..." of PAM's configuration. */
static bool pam_tells(const char *line, const char *end, enum password_hash *out)
{
	const char *word;
	bool is_unix = false;
	size_t len;

	line += line < end && *line == '-';
	if (!next_word(&line, end, &word, &len) || len != 8 || memcmp(word, "password", 8) != 0)
		return false;
	while (next_word(&line, end, &word, &len)) {
		if (len >= 11 && (memcmp(word + len - 11, "pam_unix.so", 11) == 0))
			is_unix = true;
		else if (is_unix && hash_named(word, len, out))
			return true;
	}
	return false;
}

static bool login_defs_tells(const char *line, const char *end, enum password_hash *out)
{
	const char *word;
	size_t len;

	return next_word(&line, end, &word, &len) && len == 14 && memcmp(word, "ENCRYPT_METHOD", 14) == 0 &&
	       next_word(&line, end, &word, &len) && hash_named(word, len, out);
}

static bool shadow_tells(const char *line, const char *end, enum password_hash *out)
{
	const char *field = memchr(line, ':', (size_t)(end - line));

	if (!field)
		return false;
	field++;
	field += strspn(field, "!");
	for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
		if (text_starts(field, hashes[i].mark, NULL)) {
			*out = hashes[i].hash;
			return true;
		}
	}
	return false;
}

int password_hash_of(struct tree *t, enum password_hash *out, struct err *e)
{
	static const struct {
		const char *path;
		bool (*tells)(const char *line, const char *end, enum password_hash *out);
	} places[] = {
		{ "/etc/pam.d/common-password", pam_tells }, { "/etc/pam.d/system-auth", pam_tells },
		{ "/etc/pam.d/base-password", pam_tells },   { "/etc/pam.d/passwd", pam_tells },
		{ "/etc/login.defs", login_defs_tells },     { "/etc/shadow", shadow_tells },
	};

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		CLEANUP(free_ptr) char *text = NULL;
		int rc = tree_text(t, places[i].path, &text, NULL, e);

		if (rc < 0)
			return rc;
		for (const char *p = text ? text : ""; *p;) {
			const char *end = p + strcspn(p, "\n");

			if (places[i].tells(p, end, out))
				return 0;
			p = end + (*end == '\n');
		}
	}
	*out = PASSWORD_HASH_SHA512;
	return 0;
}

/* ---- the hash ---- */

static int hash_text(const struct locked *text, enum password_hash hash, struct strbuf *out, struct err *e)
{
	static const char *const marks[] = { [PASSWORD_HASH_GUEST] = "$6$",	[PASSWORD_HASH_MD5] = "$1$",
					     [PASSWORD_HASH_SHA256] = "$5$",	[PASSWORD_HASH_SHA512] = "$6$",
					     [PASSWORD_HASH_YESCRYPT] = "$y$", [PASSWORD_HASH_BCRYPT] = "$2b$" };
	CLEANUP(locked_free) struct locked work = LOCKED_INIT;
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	const char *hashed;

	if (!locked_alloc(&work, sizeof(struct crypt_data)))
		return err_nomem(e);
	if (!crypt_gensalt_rn(marks[hash], 0, NULL, 0, setting, sizeof setting))
		return err_set(e, ERR_UNSUPPORTED, "this host's libcrypt makes no hashes of the kind %s", marks[hash]);
	hashed = crypt_rn((const char *)text->p, setting, work.p, (int)sizeof(struct crypt_data));
	if (!hashed)
		return err_set(e, ERR_UNSUPPORTED, "this password cannot be hashed");
	strbuf_puts(out, hashed);
	return 0;
}

int password_field(const struct password *p, enum password_hash hash, char **out, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;
	int rc = 0;

	strbuf_puts(&b, p->locked ? "!!" : "");
	if (p->kind == PASSWORD_DISABLED)
		strbuf_putc(&b, '*');
	else
		rc = hash_text(&p->text, hash, &b, e);
	if (rc < 0)
		return rc;
	*out = strbuf_detach(&b);
	return *out ? 0 : err_nomem(e);
}
