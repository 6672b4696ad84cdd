/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "locked.h"

#include "alloc.h"
#include "checked.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

bool locked_alloc(struct locked *m, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t room;

	*m = (struct locked){ .p = NULL };
	if (!checked_round_up(len ? len : 1, page, &room) || room > SIZE_MAX)
		return false;
	m->p = alloc_aligned(page, (size_t)room);
	if (!m->p)
		return false;
	m->room = (size_t)room;
	m->len = len;
	(void)mlock(m->p, m->room);
	(void)madvise(m->p, m->room, MADV_DONTDUMP);
	memset(m->p, 0, m->room);
	return true;
}

bool locked_copy(struct locked *m, const void *bytes, size_t len)
{
	if (!locked_alloc(m, len))
		return false;
	if (len)
		memcpy(m->p, bytes, len);
	return true;
}

void locked_free(struct locked *m)
{
	int saved = errno;

	if (m->p) {
		explicit_bzero(m->p, m->room);
		/* The pages go back to everybody's memory as they came. */
		(void)madvise(m->p, m->room, MADV_DODUMP);
		(void)munlock(m->p, m->room);
		free(m->p);
	}
	*m = (struct locked){ .p = NULL };
	errno = saved;
}

struct locked locked_take(struct locked *m)
{
	struct locked taken = *m;

	*m = (struct locked){ .p = NULL };
	return taken;
}

void wipe_str(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

bool random_bytes(void *buf, size_t len)
{
	uint8_t *at = buf;

	while (len) {
		ssize_t n = getrandom(at, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}
