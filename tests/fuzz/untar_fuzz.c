/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * untar_fuzz.c - a tar archive that is not compressed (others are unstream.h's to read): runs of sparse files are in order and
 * inside, and nothing else goes wrong.
 */
#include "untar.h"

#include "alloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t size, at;
};

static int next_bytes(void *arg, void *buf, size_t len, size_t *got, struct err *e)
{
	struct input *in = arg;

	(void)e;
	*got = MIN_OF(len, in->size - in->at);
	memcpy(buf, in->data + in->at, *got);
	in->at += *got;
	return 0;
}

static void require(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size, 0 };
	struct untar *u = NULL;
	struct untar_member m;
	uint64_t total = 0;
	enum unpack_alg alg;

	if (unstream_detect(data, size, &alg) || untar_new(next_bytes, &in, &u, NULL) < 0)
		return 0;
	while (untar_next(u, &m, NULL) == 1) {
		CLEANUP(strbuf_free) struct strbuf acl = STRBUF_INIT;
		uint8_t buf[4096];
		size_t got;

		for (size_t i = 0; i < m.nruns; i++) {
			const uint64_t before = i ? m.runs[i - 1].off + m.runs[i - 1].len : 0;

			require(m.runs[i].off >= before && m.runs[i].off + m.runs[i].len <= m.size);
		}
		if (m.acl)
			tar_acl_parse(&acl, m.acl);
		while (untar_read(u, buf, sizeof buf, &got, NULL) == 0 && got)
			total += got;
		require(total <= size);
	}
	untar_free(u);
	return 0;
}
