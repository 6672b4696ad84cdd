/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vhost_memory.c - the memory of a machine: files that it sent, reached by system calls only (vhost.h tells why). */
#include "vhost.h"

#include "alloc.h"
#include "checked.h"
#include "io.h"
#include "limits.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void vhost_memory_free(struct vhost_memory *m)
{
	for (unsigned i = 0; i < m->n; i++) {
		munmap(m->regions[i].map, m->regions[i].map_len);
		close(m->regions[i].fd);
	}
	m->n = 0;
}

static int judge_region(const struct vhost_memory *m, const struct vhost_region *r, int fd, struct err *e)
{
	uint64_t total = 0, end;
	struct stat st;

	if (m->n == VHOST_REGIONS)
		return err_set(e, ERR_CORRUPT, "more than %d pieces of memory", VHOST_REGIONS);
	if (r->size == 0 || !checked_add(r->guest, r->size, &end) || !checked_add(r->user, r->size, &end) ||
	    !checked_add(r->file_off, r->size, &end) || end > LIMIT_IMAGE_SIZE)
		return err_set(e, ERR_CORRUPT, "a piece of memory of %" PRIu64 " bytes at %#" PRIx64, r->size, r->guest);
	for (unsigned i = 0; i < m->n; i++) {
		if (ranges_overlap(r->guest, r->size, m->regions[i].guest, m->regions[i].size) ||
		    ranges_overlap(r->user, r->size, m->regions[i].user, m->regions[i].size))
			return err_set(e, ERR_CORRUPT, "pieces of memory that overlap at %#" PRIx64, r->guest);
		total += m->regions[i].size;
	}
	if (r->size > LIMIT_VHOST_MEMORY - total)
		return err_set(e, ERR_LIMIT, "more than %" PRIu64 " GiB of memory", (uint64_t)(LIMIT_VHOST_MEMORY / GiB));
	if (io_fstat(fd, &st) < 0)
		return err_sys(e, errno, "the file of the memory");
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_CORRUPT, "memory that is no file");
	if (end > (uint64_t)st.st_size)
		return err_set(e, ERR_CORRUPT, "memory that goes past the end of its file");
	return 0;
}

int vhost_memory_add(struct vhost_memory *m, const struct vhost_region *r, int fd, struct err *e)
{
	CLEANUP(close_fd) int own = fd;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), slack = r->file_off & (page - 1);
	struct vhost_region *n;
	void *map;
	int rc = judge_region(m, r, fd, e);

	if (rc < 0)
		return rc;
	map = mmap(NULL, r->size + slack, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
		   (off_t)(r->file_off - slack));
	if (map == MAP_FAILED)
		return err_sys(e, errno, "the memory cannot be mapped");
	n = &m->regions[m->n++];
	*n = *r;
	n->map = map;
	n->map_len = r->size + slack;
	n->at = (uint8_t *)map + slack;
	n->fd = own;
	own = -1;
	return 0;
}

static const struct vhost_region *find_region(const struct vhost_memory *m, uint64_t guest, uint64_t len)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct vhost_region *r = &m->regions[i];

		if (guest >= r->guest && range_in(guest - r->guest, len, r->size))
			return r;
	}
	return NULL;
}

int vhost_piece_at(const struct vhost_memory *m, uint64_t guest, uint64_t len, struct vhost_piece *out, struct err *e)
{
	const struct vhost_region *r = find_region(m, guest, len);

	if (!r)
		return err_set(e, ERR_CORRUPT, "%" PRIu64 " bytes at %#" PRIx64 " lie outside the machine's memory", len,
			       guest);
	*out = (struct vhost_piece){ { r->at + (guest - r->guest), len }, r->fd, r->file_off + (guest - r->guest) };
	return 0;
}

int vhost_piece_get(const struct vhost_piece *p, uint64_t skip, void *buf, size_t len, struct err *e)
{
	size_t got;
	int why = io_pread(p->fd, buf, len, p->off + skip, &got);

	if (why)
		return err_sys(e, why, "the machine's memory");
	return got < len ? err_set(e, ERR_CORRUPT, "the machine's memory was cut off") : 0;
}

int vhost_piece_put(const struct vhost_piece *p, uint64_t skip, const void *buf, size_t len, struct err *e)
{
	int why = io_pwrite(p->fd, buf, len, p->off + skip);

	return why ? err_sys(e, why, "the machine's memory") : 0;
}

int vhost_get(const struct vhost_memory *m, uint64_t guest, void *buf, size_t len, struct err *e)
{
	struct vhost_piece p;
	int rc = vhost_piece_at(m, guest, len, &p, e);

	return rc < 0 ? rc : vhost_piece_get(&p, 0, buf, len, e);
}

int vhost_put(const struct vhost_memory *m, uint64_t guest, const void *buf, size_t len, struct err *e)
{
	struct vhost_piece p;
	int rc = vhost_piece_at(m, guest, len, &p, e);

	return rc < 0 ? rc : vhost_piece_put(&p, 0, buf, len, e);
}

int vhost_user_to_guest(const struct vhost_memory *m, uint64_t user, uint64_t len, uint64_t *guest, struct err *e)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct vhost_region *r = &m->regions[i];

		if (user >= r->user && range_in(user - r->user, len, r->size)) {
			*guest = r->guest + (user - r->user);
			return 0;
		}
	}
	return err_set(e, ERR_CORRUPT, "a queue at %#" PRIx64 " lies outside the machine's memory", user);
}
