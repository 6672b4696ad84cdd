/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* untar_acl.c - texts of acl(5) in the form of system.posix_acl_access: the way back of tar_acl_text(). */
#include "untar.h"

#include "limits.h"
#include "ondisk.h"
#include "text.h"

#include <string.h>

enum { TAG_USER_OBJ = 1, TAG_USER = 2, TAG_GROUP_OBJ = 4, TAG_GROUP = 8, TAG_MASK = 16, TAG_OTHER = 32 };

struct acl_entry {
	le16 tag, permissions;
	le32 id;
};

static bool number_of(const char *p, size_t len, uint32_t *out)
{
	uint64_t n = 0;

	if (!len || len > 10)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(p[i] - '0');
	}
	*out = (uint32_t)n;
	return n < UINT32_MAX;
}

/* "user:1000:rwx", "group::r-x", "user:ann:rw-:1000". */
static bool entry(struct strbuf *out, const char *p, size_t len)
{
	const char *field[4] = { p, NULL, NULL, NULL };
	size_t lens[4] = { 0 }, n = 0;
	uint32_t id = UINT32_MAX;
	uint16_t tag, permissions = 0;
	struct acl_entry e;

	for (size_t i = 0; i < len; i++) {
		if (p[i] != ':') {
			lens[n]++;
			continue;
		}
		if (++n == 4)
			return false;
		field[n] = p + i + 1;
	}
	if (n < 2)
		return false;
	if ((lens[0] == 4 && memcmp(p, "user", 4) == 0) || (lens[0] == 1 && *p == 'u'))
		tag = lens[1] ? TAG_USER : TAG_USER_OBJ;
	else if ((lens[0] == 5 && memcmp(p, "group", 5) == 0) || (lens[0] == 1 && *p == 'g'))
		tag = lens[1] ? TAG_GROUP : TAG_GROUP_OBJ;
	else if ((lens[0] == 4 && memcmp(p, "mask", 4) == 0) || (lens[0] == 1 && *p == 'm'))
		tag = TAG_MASK;
	else if ((lens[0] == 5 && memcmp(p, "other", 5) == 0) || (lens[0] == 1 && *p == 'o'))
		tag = TAG_OTHER;
	else
		return false;
	if ((tag == TAG_USER || tag == TAG_GROUP) && !number_of(field[1], lens[1], &id) &&
	    (n < 3 || !number_of(field[3], lens[3], &id)))
		return false;
	for (size_t i = 0; i < lens[2]; i++) {
		if (field[2][i] == 'r')
			permissions |= 4;
		else if (field[2][i] == 'w')
			permissions |= 2;
		else if (field[2][i] == 'x')
			permissions |= 1;
		else if (field[2][i] != '-')
			return false;
	}
	le16_put(&e.tag, tag);
	le16_put(&e.permissions, permissions);
	le32_put(&e.id, id);
	strbuf_add(out, &e, sizeof e);
	return true;
}

bool tar_acl_parse(struct strbuf *out, const char *text)
{
	const size_t empty = out->len + sizeof(le32);
	le32 version;

	le32_put(&version, 2);
	strbuf_add(out, &version, sizeof version);
	while (*text) {
		const size_t len = strcspn(text, ",\n"), body = strcspn(text, "# \t,\n");

		if (body && !entry(out, text, body))
			return false;
		text += len + (text[len] != '\0');
	}
	return out->len > empty && !out->failed;
}
