/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "serve_tls.h"

#include "alloc.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

__attribute__((format(printf, 2, 3))) static int fail(struct dry_error *e, const char *fmt, ...)
{
	va_list ap;

	*e = (struct dry_error){ .code = DRY_USAGE };
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	return -(int)DRY_USAGE;
}

void serve_objects_free(struct serve_objects *o)
{
	for (size_t i = 0; i < o->n; i++)
		dry_opts_free(o->items[i]);
	free(o->items);
	dry_secrets_free(o->secrets);
	*o = (struct serve_objects){ NULL, 0, NULL };
}

/* Is every key one of these?  The list ends at NULL. */
static int judge_keys(const struct dry_opts *opts, const char *type, const char *const *known, struct dry_error *e)
{
	const char *key, *value;

	for (size_t i = 0; dry_opts_at(opts, i, &key, &value); i++) {
		bool found = strcmp(key, "qom-type") == 0 || strcmp(key, "id") == 0;

		for (size_t k = 0; known[k] && !found; k++)
			found = strcmp(key, known[k]) == 0;
		if (!found)
			return fail(e, "Object of the type '%s': '%s' is not available", type, key);
	}
	return dry_opts_get(opts, "id") ? 0 : fail(e, "Parameter 'id' is missing");
}

static int judge(const struct dry_opts *opts, struct dry_error *e)
{
	static const struct {
		const char *type;
		const char *keys[6];
	} types[] = {
		{ "tls-creds-x509", { "dir", "endpoint", "verify-peer", "passwordid", NULL } },
		{ "tls-creds-psk", { "dir", "endpoint", "username", NULL } },
		{ "authz-simple", { "identity", NULL } },
	};
	const char *type = dry_opts_get(opts, "qom-type");

	for (size_t i = 0; type && i < ARRAY_LEN(types); i++)
		if (strcmp(type, types[i].type) == 0)
			return judge_keys(opts, type, types[i].keys, e);
	return fail(e, "Parameter 'qom-type' does not accept value '%s'", type ? type : "");
}

static int add_secret(struct serve_objects *o, const char *text, struct dry_error *e)
{
	int rc;

	if (!o->secrets)
		o->secrets = dry_secrets_new();
	if (!o->secrets)
		return fail(e, "out of memory");
	rc = dry_secrets_add(o->secrets, text, e);
	e->msg[0] = (char)toupper((unsigned char)e->msg[0]);
	return rc;
}

int serve_objects_add(struct serve_objects *o, const char *text, struct dry_error *e)
{
	struct dry_opts *opts, **items;
	int rc;

	if (strncmp(text, "secret,", 7) == 0 || *text == '{')
		return add_secret(o, text, e);
	opts = dry_opts_new();
	rc = opts ? dry_opts_parse(opts, text, "qom-type", e) : fail(e, "out of memory");
	if (rc == 0)
		rc = judge(opts, e);
	items = rc == 0 ? alloc_resize(o->items, o->n + 1, sizeof *items) : NULL;
	if (rc == 0 && !items)
		rc = fail(e, "out of memory");
	if (rc < 0) {
		dry_opts_free(opts);
		return rc;
	}
	o->items = items;
	o->items[o->n++] = opts;
	return 0;
}

static const struct dry_opts *find(const struct serve_objects *o, const char *id)
{
	for (size_t i = 0; i < o->n; i++)
		if (strcmp(dry_opts_get(o->items[i], "id"), id) == 0)
			return o->items[i];
	return NULL;
}

static bool is_of(const struct dry_opts *opts, const char *type)
{
	return strcmp(dry_opts_get(opts, "qom-type"), type) == 0;
}

/* Who may come: the names of authz, if given. */
static int find_identity(const struct serve_objects *o, const char *authz, const char **out, struct dry_error *e)
{
	const struct dry_opts *a = find(o, authz);

	if (!a || !is_of(a, "authz-simple"))
		return fail(e, "there is no object \"%s\" that tells who is let in (authz-simple)", authz);
	*out = dry_opts_get(a, "identity");
	return *out ? 0 : fail(e, "Parameter 'identity' is missing");
}

/* The one file without which nothing goes: its absence is told in the peer's words. */
static int look_for(const char *dir, bool psk, struct dry_error *e)
{
	CLEANUP(free_ptr) char *path = alloc_printf("%s/%s", dir, psk ? "keys.psk" : "ca-cert.pem");

	if (!path)
		return fail(e, "out of memory");
	return access(path, R_OK) == 0 ? 0 : fail(e, "Unable to access credentials %s: %s", path, strerror(errno));
}

static bool is_off(const char *word)
{
	return word && (strcmp(word, "off") == 0 || strcmp(word, "no") == 0 || strcmp(word, "false") == 0);
}

int serve_tls_new(const struct serve_objects *o, const char *creds, const char *authz, bool client, struct dry_tls **out,
		  struct dry_error *e)
{
	const struct dry_opts *c = find(o, creds);
	const char *endpoint, *identity;
	struct dry_tls_how how = { .client = client, .secrets = o->secrets };
	int rc;

	if (!c && dry_secrets_have(o->secrets, creds))
		return fail(e, "Failed to get TLS creds: Object with id '%s' is not TLS credentials", creds);
	if (!c)
		return fail(e, "Failed to get TLS creds: No TLS credentials with id '%s'", creds);
	how.psk = is_of(c, "tls-creds-psk");
	if (!how.psk && !is_of(c, "tls-creds-x509"))
		return fail(e, "Failed to get TLS creds: Object with id '%s' is not TLS credentials", creds);
	how.dir = dry_opts_get(c, "dir");
	if (!how.dir)
		return fail(e, "Missing 'dir' property value");
	rc = look_for(how.dir, how.psk, e);
	if (rc < 0)
		return rc;
	endpoint = dry_opts_get(c, "endpoint");
	/* The peer's are those of a client where nothing is said. */
	if (!endpoint)
		endpoint = "client";
	if (strcmp(endpoint, client ? "client" : "server") != 0)
		return fail(e, "Failed to get TLS creds: Expected TLS credentials for a %s endpoint", client ? "client" : "server");
	how.username = dry_opts_get(c, "username");
	how.passphrase = dry_opts_get(c, "passwordid");
	how.any_client = is_off(dry_opts_get(c, "verify-peer"));
	if (authz) {
		rc = find_identity(o, authz, &identity, e);
		if (rc < 0)
			return rc;
		/* Who is not asked for a name has none to be let in by. */
		if (how.psk || how.any_client)
			return fail(e, "who is let in is told by certificates (tls-creds-x509 with verify-peer=on)");
		how.allowed = &identity;
		how.nallowed = 1;
	}
	return dry_tls_new(&how, out, e);
}
