/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "secret.h"

#include "alloc.h"
#include "base64.h"
#include "io.h"
#include "limits.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>

enum { SECRET_KEY_BYTES = 32, SECRET_IV_BYTES = 16 };

void secrets_free(struct secrets *s)
{
	for (size_t i = 0; i < s->n; i++) {
		locked_free(&s->items[i].data);
		free(s->items[i].id);
	}
	free(s->items);
	*s = (struct secrets)SECRETS_INIT;
}

int secrets_find(const struct secrets *s, const char *id, const struct locked **out, struct err *e)
{
	for (size_t i = 0; s && i < s->n; i++)
		if (strcmp(s->items[i].id, id) == 0) {
			*out = &s->items[i].data;
			return 0;
		}
	return err_set(e, ERR_NOT_FOUND, "no secret with id '%s'", id);
}

int secrets_find_text(const struct secrets *s, const char *id, const struct locked **out, struct err *e)
{
	int rc = secrets_find(s, id, out, e);

	if (rc < 0)
		return rc;
	if (text_utf8_valid((*out)->p, (*out)->len) != (*out)->len || memchr((*out)->p, 0, (*out)->len))
		return err_set(e, ERR_USAGE, "data from secret %s is not valid UTF-8", id);
	return 0;
}

/* ---- where the bytes come from ---- */

int secret_read_file(const char *path, struct locked *out, struct err *e)
{
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	CLEANUP(locked_free) struct locked all = LOCKED_INIT;
	size_t room = 4 * KiB, have = 0;

	if (fd < 0)
		return err_sys(e, errno, "unable to read %s", path);
	if (!locked_alloc(&all, room))
		return err_nomem(e);
	for (;;) {
		CLEANUP(locked_free) struct locked more = LOCKED_INIT;
		size_t got;
		int rc = io_read(fd, all.p + have, room - have, &got);

		if (rc)
			return err_sys(e, rc, "unable to read %s", path);
		have += got;
		if (have < room)
			break;
		if (room >= LIMIT_SECRET)
			return err_set(e, ERR_LIMIT, "%s: a secret of more than %llu bytes", path, LIMIT_SECRET - 1);
		room *= 2;
		if (!locked_alloc(&more, room))
			return err_nomem(e);
		memcpy(more.p, all.p, have);
		locked_free(&all);
		all = locked_take(&more);
	}
	all.len = have;
	*out = locked_take(&all);
	return 0;
}

/* ---- secrets under another secret ---- */

static int aes_decrypt(const struct locked *key, const uint8_t *iv, const struct locked *in, struct locked *out,
		       struct err *e)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0, last = 0;
	bool good;

	if (!ctx || !locked_alloc(out, in->len + 2 * SECRET_IV_BYTES)) {
		EVP_CIPHER_CTX_free(ctx);
		return err_nomem(e);
	}
	good = EVP_DecryptInit_ex(ctx, EVP_aes_256_cbc(), NULL, key->p, iv) == 1 &&
	       EVP_DecryptUpdate(ctx, out->p, &n, in->p, (int)in->len) == 1 &&
	       EVP_DecryptFinal_ex(ctx, out->p + n, &last) == 1;
	EVP_CIPHER_CTX_free(ctx);
	if (!good) {
		locked_free(out);
		return err_set(e, ERR_USAGE,
			       "the secret does not decrypt: its key, its iv or its data is not the right one");
	}
	out->len = (size_t)n + (size_t)last;
	return 0;
}

static int decrypt(const struct secrets *s, const char *keyid, const char *iv_text, struct locked *data, struct err *e)
{
	CLEANUP(locked_free) struct locked iv = LOCKED_INIT;
	struct locked plain = LOCKED_INIT;
	const struct locked *key;
	int rc;

	if ((rc = secrets_find(s, keyid, &key, e)) < 0)
		return rc;
	if (key->len != SECRET_KEY_BYTES)
		return err_set(e, ERR_USAGE, "key should be %d bytes in length", SECRET_KEY_BYTES);
	if (!iv_text)
		return err_set(e, ERR_USAGE, "IV is required to decrypt secret");
	if ((rc = base64_decode(iv_text, strlen(iv_text), "the iv", &iv, e)) < 0)
		return rc;
	if (iv.len != SECRET_IV_BYTES)
		return err_set(e, ERR_USAGE, "IV should be %d bytes in length instead of %zu", SECRET_IV_BYTES, iv.len);
	rc = aes_decrypt(key, iv.p, data, &plain, e);
	if (rc == 0) {
		locked_free(data);
		*data = plain;
	}
	return rc;
}

/* ---- one option string ---- */

struct secret_opts {
	char *id, *data, *file, *format, *keyid, *iv;
};

static void secret_opts_free(struct secret_opts *o)
{
	free(o->id);
	wipe_str(o->data);
	free(o->file);
	free(o->format);
	free(o->keyid);
	free(o->iv);
}

static int secret_load(const struct secrets *s, const struct secret_opts *o, struct locked *out, struct err *e)
{
	CLEANUP(locked_free) struct locked data = LOCKED_INIT;
	bool base64 = o->format && strcmp(o->format, "base64") == 0;
	int rc = 0;

	if (o->format && !base64 && strcmp(o->format, "raw") != 0)
		return err_set(e, ERR_USAGE, "parameter 'format' does not accept value '%s'", o->format);
	if (o->data && o->file)
		return err_set(e, ERR_USAGE, "'file' and 'data' are mutually exclusive");
	if (!o->data && !o->file)
		return err_set(e, ERR_USAGE, "either 'file' or 'data' must be provided");
	if (o->file)
		rc = secret_read_file(o->file, &data, e);
	else if (!locked_copy(&data, o->data, strlen(o->data)))
		rc = err_nomem(e);
	if (rc == 0 && base64) {
		struct locked bytes = LOCKED_INIT;
		rc = base64_decode(data.p, data.len, "the secret", &bytes, e);
		locked_free(&data);
		data = bytes;
	}
	if (rc == 0 && o->keyid)
		rc = decrypt(s, o->keyid, o->iv, &data, e);
	if (rc == 0)
		*out = locked_take(&data);
	return rc;
}

int secrets_add(struct secrets *s, struct dict *opts, struct err *e)
{
	CLEANUP(secret_opts_free) struct secret_opts o = {
		.id = dict_take(opts, "id"),
		.data = dict_take(opts, "data"),
		.file = dict_take(opts, "file"),
		.format = dict_take(opts, "format"),
		.keyid = dict_take(opts, "keyid"),
		.iv = dict_take(opts, "iv"),
	};
	const struct locked *same;
	struct locked data;
	void *grown;
	int rc;

	if (dict_first_key(opts))
		return err_set(e, ERR_USAGE, "parameter '%s' is unexpected", dict_first_key(opts));
	if (!o.id)
		return err_set(e, ERR_USAGE, "parameter 'id' is missing");
	if (!text_is_identifier(o.id))
		return err_set(e, ERR_USAGE, "parameter 'id' expects an identifier");
	if (secrets_find(s, o.id, &same, NULL) == 0)
		return err_set(e, ERR_USAGE, "attempt to add duplicate property '%s' to object", o.id);
	grown = alloc_resize(s->items, s->n + 1, sizeof *s->items);
	if (!grown)
		return err_nomem(e);
	s->items = grown;
	if ((rc = secret_load(s, &o, &data, e)) < 0)
		return rc;
	s->items[s->n].id = take(o.id);
	s->items[s->n].data = data;
	s->n++;
	return 0;
}

/* The values were copied into the dict: they go as wiped as they came. */
static void dict_wipe(struct dict *d)
{
	for (size_t i = 0; i < d->n; i++)
		explicit_bzero(d->items[i].value, strlen(d->items[i].value));
	dict_free(d);
}

int secrets_add_object(struct secrets *s, const char *text, struct err *e)
{
	CLEANUP(dict_wipe) struct dict opts = DICT_INIT;
	CLEANUP(free_ptr) char *type = NULL;
	int rc;

	if (*text == '{')
		rc = dict_from_json(&opts, text, e);
	else
		rc = dict_parse(&opts, text, "qom-type", e);
	if (rc < 0)
		return rc;
	type = dict_take(&opts, "qom-type");
	if (!type)
		return err_set(e, ERR_USAGE, "parameter 'qom-type' is missing");
	if (strcmp(type, "secret") != 0)
		return err_set(e, ERR_UNSUPPORTED, "objects of type '%s' (secret is the one there is)", type);
	return secrets_add(s, &opts, e);
}
