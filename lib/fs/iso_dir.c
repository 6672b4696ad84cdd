/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* iso_dir.c - directories: records of an extent, and which name of each is shown. */
#include "iso.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

int iso_dir_get(struct iso *s, uint64_t node, struct iso_record *out, struct err *e)
{
	int rc = iso_record_get(s, node, out, e);

	if (rc < 0)
		return rc;
	if (rc == 0 || !(out->flags & ISO_FLAG_DIR))
		return err_sys(e, ENOTDIR, "the record at %" PRIu64, node);
	/* Its first record is itself; where another stands, the node was not one of ours. */
	if (out->name_len != 1 || out->name[0] != 0 || out->off != node)
		return err_set(e, ERR_CORRUPT, "the directory at %" PRIu64 " does not begin with itself", node);
	if (out->size > LIMIT_ISO_DIR_SIZE)
		return err_set(e, ERR_LIMIT, "a directory of %" PRIu32 " bytes", out->size);
	return 0;
}

/* Without extensions a name is shown as Linux shows it: in lower case, without the version and an empty extension. */
static void plain_name(struct strbuf *out, const uint8_t *name, size_t len)
{
	const uint8_t *version = memchr(name, ';', len);

	if (version)
		len = (size_t)(version - name);
	if (len > 1 && name[len - 1] == '.')
		len--;
	for (size_t i = 0; i < len; i++) {
		char c = (char)name[i];

		strbuf_putc(out, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
	}
}

/* UCS-2 in big-endian order, perhaps with a version. */
static void joliet_name(struct strbuf *out, const uint8_t *name, size_t len)
{
	uint8_t units[256];
	size_t n = 0;

	for (; n + 1 < len && !(name[n] == 0 && name[n + 1] == ';'); n += 2) {
		units[n] = name[n + 1];
		units[n + 1] = name[n];
	}
	text_utf16le(out, units, n / 2);
}

/* The name, and the node for which the record stands: *hidden when it stands for none. */
static int entry_get(struct iso *s, const struct iso_record *rec, struct fs_dirent *d, bool *hidden, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;
	CLEANUP(iso_rock_free) struct iso_rock rock = { .name = STRBUF_INIT, .target = STRBUF_INIT };
	int rc = s->names == ISO_NAMES_ROCK ? iso_rock_read(s, rec, &rock, e) : 0;

	if (rc < 0)
		return rc;
	*hidden = (rec->flags & ISO_FLAG_ASSOCIATED) || rock.relocated;
	if (*hidden)
		return 0;
	if (rock.has_name)
		strbuf_add(&name, rock.name.s, rock.name.len);
	else if (s->names == ISO_NAMES_JOLIET)
		joliet_name(&name, rec->name, rec->name_len);
	else
		plain_name(&name, rec->name, rec->name_len);
	if (name.failed)
		return err_nomem(e);
	if (name.len == 0 || name.len > FS_NAME_MAX || memchr(name.s, '/', name.len) || memchr(name.s, 0, name.len) ||
	    strcmp(name.s, ".") == 0 || strcmp(name.s, "..") == 0)
		return err_set(e, ERR_CORRUPT, "the record at %" PRIu64 " has a name that no file can have", rec->at);
	memcpy(d->name, name.s, name.len + 1);
	if (rock.child) {
		d->ino = rock.child;
		d->type = S_IFDIR;
	} else if (rec->flags & ISO_FLAG_DIR) {
		d->ino = rec->off;
		d->type = S_IFDIR;
	} else {
		d->ino = rec->at;
		d->type = rock.has_px ? rock.mode & S_IFMT : S_IFREG;
	}
	return 0;
}

/* It ends: the place of each record is behind that of the one before it, and a directory's size is limited. */
int iso_readdir(struct iso *s, uint64_t node, int (*fn)(void *arg, const struct fs_dirent *d, struct err *e), void *arg,
		struct err *e)
{
	struct iso_record self, rec;
	bool goes_on = false;
	uint64_t end, at;
	int rc = iso_dir_get(s, node, &self, e);

	if (rc < 0)
		return rc;
	end = MIN_OF(self.off + self.size, s->size);
	for (at = self.off + self.len; at < end;) {
		struct fs_dirent d;
		bool more = goes_on, hidden;

		rc = iso_record_get(s, at, &rec, e);
		if (rc < 0)
			return rc;
		if (rc == 0) {
			at = round_down(at, ISO_SECTOR) + ISO_SECTOR;
			continue;
		}
		at += rec.len;
		goes_on = rec.flags & ISO_FLAG_MORE;
		/* "..", and the further extents of a file that was shown. */
		if (more || (rec.name_len == 1 && rec.name[0] <= 1))
			continue;
		rc = entry_get(s, &rec, &d, &hidden, e);
		if (rc == 0 && !hidden)
			rc = fn(arg, &d, e);
		if (rc != 0)
			return rc;
	}
	return 0;
}

struct search {
	const char *name;
	uint64_t node;
};

static int search_entry(void *arg, const struct fs_dirent *d, struct err *e)
{
	struct search *s = arg;

	(void)e;
	if (strcmp(d->name, s->name) != 0)
		return 0;
	s->node = d->ino;
	return 1;
}

int iso_lookup(struct iso *s, uint64_t node, const char *name, uint64_t *out, struct err *e)
{
	struct search search = { .name = name };
	int rc = iso_readdir(s, node, search_entry, &search, e);

	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(e, ERR_NOT_FOUND, "no such file or directory");
	*out = search.node;
	return 0;
}
