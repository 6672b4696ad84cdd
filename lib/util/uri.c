/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "uri.h"

#include "alloc.h"
#include "locked.h"
#include "text.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

enum { PORT_MAX = 65535 };

void uri_free(struct uri *u)
{
	free(u->scheme);
	free(u->user);
	wipe_str(u->password);
	free(u->host);
	free(u->path);
	free(u->plain);
	dict_free(&u->query);
	*u = (struct uri)URI_INIT;
}

size_t uri_scheme(const char *name)
{
	size_t n = 0;

	while (isalnum((unsigned char)name[n]) || (n && name[n] && strchr("+.-", name[n])))
		n++;
	return n && strncmp(name + n, "://", 3) == 0 ? n : 0;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A part with its %XX decoded.  No NUL comes of it, and no half of one. */
static int decode(const char *s, size_t len, char **out, struct err *e)
{
	char *to = *out = alloc_strndup(s, len);

	if (!to)
		return err_nomem(e);
	for (size_t i = 0; i < len; i++) {
		int high, low;

		if (s[i] != '%') {
			*to++ = s[i];
			continue;
		}
		high = len - i > 2 ? hex_digit(s[i + 1]) : -1;
		low = high >= 0 ? hex_digit(s[i + 2]) : -1;
		if (low < 0 || high * 16 + low == 0)
			return err_set(e, ERR_USAGE, "a \"%%\" in an address stands before two hexadecimal digits");
		*to++ = (char)(high * 16 + low);
		i += 2;
	}
	*to = '\0';
	return 0;
}

static int parse_user(const char *s, size_t len, struct uri *u, struct err *e)
{
	const char *colon = memchr(s, ':', len);
	int rc = decode(s, colon ? (size_t)(colon - s) : len, &u->user, e);

	return rc < 0 || !colon ? rc : decode(colon + 1, len - (size_t)(colon + 1 - s), &u->password, e);
}

static int parse_port(const char *s, size_t len, unsigned *out, struct err *e)
{
	*out = 0;
	if (!len)
		return 0; /* "host:" */
	for (size_t i = 0; i < len && *out <= PORT_MAX; i++) {
		if (!isdigit((unsigned char)s[i]))
			return err_set(e, ERR_USAGE, "a port is a number");
		*out = *out * 10 + (unsigned)(s[i] - '0');
	}
	return *out && *out <= PORT_MAX ? 0 : err_set(e, ERR_USAGE, "a port is a number from 1 to %d", PORT_MAX);
}

static int parse_host(const char *s, size_t len, struct uri *u, struct err *e)
{
	const char *end = s + len, *colon;
	int rc;

	if (len && *s == '[') {
		const char *close = memchr(s, ']', len);

		if (!close || (close + 1 < end && close[1] != ':'))
			return err_set(e, ERR_USAGE, "an address of IPv6 is written in brackets");
		u->host = alloc_strndup(s + 1, (size_t)(close - s - 1));
		if (!u->host)
			return err_nomem(e);
		return close + 1 < end ? parse_port(close + 2, (size_t)(end - close - 2), &u->port, e) : 0;
	}
	colon = memchr(s, ':', len);
	rc = decode(s, colon ? (size_t)(colon - s) : len, &u->host, e);
	if (rc == 0 && !*u->host)
		free(take(u->host));
	return rc < 0 || !colon ? rc : parse_port(colon + 1, (size_t)(end - colon - 1), &u->port, e);
}

/* "a=1&b=2"; a name without "=" has an empty value. */
static int parse_query(const char *s, struct dict *out, struct err *e)
{
	/* Ends: s goes on with each. */
	while (*s) {
		size_t len = strcspn(s, "&"), name = strcspn(s, "&=");
		CLEANUP(free_ptr) char *key = NULL, *value = NULL;
		int rc = decode(s, name, &key, e);

		if (rc == 0 && name < len)
			rc = decode(s + name + 1, len - name - 1, &value, e);
		if (rc == 0 && *key)
			rc = dict_set(out, key, value ? value : "", e);
		if (rc < 0)
			return rc;
		s += len + (s[len] == '&');
	}
	return 0;
}

int uri_parse(const char *text, struct uri *u, struct err *e)
{
	size_t scheme = uri_scheme(text), len;
	const char *host = text + scheme + 3, *at = NULL, *path, *query;
	int rc = 0;

	*u = (struct uri)URI_INIT;
	if (!scheme)
		return err_set(e, ERR_USAGE, "an address begins with a protocol and \"://\"");
	if (strpbrk(text, " \t\r\n#"))
		return err_set(e, ERR_USAGE, "an address has no spaces and no \"#\": they are written as %%20 and %%23");
	len = strcspn(host, "/?");
	for (size_t i = 0; i < len; i++)
		if (host[i] == '@')
			at = host + i;
	u->scheme = alloc_strndup(text, scheme);
	u->plain = at ? alloc_printf("%.*s://%s", (int)scheme, text, at + 1) : alloc_strdup(text);
	if (!u->scheme || !u->plain)
		return err_nomem(e);
	for (char *c = u->scheme; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (at)
		rc = parse_user(host, (size_t)(at - host), u, e);
	path = host + len;
	if (rc == 0)
		rc = at ? parse_host(at + 1, (size_t)(path - at - 1), u, e) : parse_host(host, len, u, e);
	query = strchr(path, '?');
	if (rc == 0)
		rc = decode(path, query ? (size_t)(query - path) : strlen(path), &u->path, e);
	return rc < 0 || !query ? rc : parse_query(query + 1, &u->query, e);
}

/* ---- names of neighbours ---- */

/* Where the path of an address begins, and where it ends. */
static const char *path_of(const char *address, size_t *len)
{
	const char *path = address + uri_scheme(address) + 3;

	path += strcspn(path, "/?#");
	*len = strcspn(path, "?#");
	return path;
}

char *uri_sibling(const char *base, const char *name)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	size_t len;
	const char *path = path_of(base, &len);

	while (len && path[len - 1] != '/')
		len--;
	strbuf_add(&out, base, (size_t)(path - base) + len);
	if (!len)
		strbuf_putc(&out, '/');
	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;

		if (c <= ' ' || c == 0x7f || strchr("%?#\\", c))
			strbuf_printf(&out, "%%%02X", c);
		else
			strbuf_putc(&out, (char)c);
	}
	return strbuf_detach(&out);
}

/* ".." as a part of a path; "%2e" is a dot, and "%2f", "%5c" and "\" may be slashes to a server. */
static bool goes_up(const char *s)
{
	size_t dots = 0;
	bool only_dots = true;

	for (;; s++) {
		char c = *s;

		if (c == '%' && strncasecmp(s, "%2e", 3) == 0) {
			c = '.';
			s += 2;
		} else if (c == '%' && (strncasecmp(s, "%2f", 3) == 0 || strncasecmp(s, "%5c", 3) == 0)) {
			c = '/';
			s += 2;
		} else if (c == '%' && strncasecmp(s, "%25", 3) == 0) {
			return true; /* what it stands for depends on how often it is decoded */
		}
		if (c == '.' && only_dots) {
			dots++;
			continue;
		}
		if (!c || strchr("/\\?#;", c)) {
			if (only_dots && dots >= 2)
				return true;
			if (!c || c == '?' || c == '#')
				return false;
			dots = 0;
			only_dots = true;
			continue;
		}
		only_dots = false;
	}
}

bool uri_is_beneath(const char *address, const char *top)
{
	size_t len = strlen(top);

	if (!uri_scheme(top) || strncmp(address, top, len) != 0)
		return false;
	/* "http://host" is not above "http://host.elsewhere", nor above "http://host@elsewhere". */
	return (top[len - 1] == '/' || !address[len] || address[len] == '/') && !goes_up(address + len);
}

void uri_escape(struct strbuf *out, const char *name)
{
	for (const char *s = name; *s; s++) {
		if (isalnum((unsigned char)*s) || strchr("-._~/", *s))
			strbuf_putc(out, *s);
		else
			strbuf_printf(out, "%%%02X", (unsigned char)*s);
	}
}
