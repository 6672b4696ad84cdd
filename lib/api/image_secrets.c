/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image_secrets.c - passphrases and keys by name. */
#include "image.h"

struct dry_secrets *dry_secrets_new(void)
{
	return alloc_zero(sizeof(struct dry_secrets));
}

void dry_secrets_free(struct dry_secrets *s)
{
	if (s)
		secrets_free(&s->list);
	free(s);
}

int dry_secrets_add(struct dry_secrets *s, const char *text, struct dry_error *error)
{
	API_ERR(e, error);

	return secrets_add_object(&s->list, text, e);
}

int dry_secrets_add_file(struct dry_secrets *s, const char *id, const char *path, struct dry_error *error)
{
	API_ERR(e, error);
	CLEANUP(dict_free) struct dict opts = DICT_INIT;
	int rc = dict_set(&opts, "id", id, e);

	if (rc == 0)
		rc = dict_set(&opts, "file", path, e);
	return rc < 0 ? rc : secrets_add(&s->list, &opts, e);
}

bool dry_secrets_have(const struct dry_secrets *s, const char *id)
{
	const struct locked *data;

	return s && secrets_find(&s->list, id, &data, NULL) == 0;
}
