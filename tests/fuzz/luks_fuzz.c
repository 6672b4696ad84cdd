/* SPDX-License-Identifier: GPL-2.0-or-later */
/* luks_fuzz.c - a LUKS header made up by the fuzzer: judged, told about, unlocked if that is cheap, and amended. */
#include "json.h"
#include "luks.h"

#include <string.h>

/* What a passphrase may cost here, all slots together. */
enum { ITERATIONS = 2000, STRIPES = 64 };

struct input {
	const uint8_t *p;
	size_t len;
};

static int input_read(void *arg, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct input *in = arg;

	if (off > in->len || len > in->len - off)
		return err_set(e, ERR_SYSTEM, "end of input");
	memcpy(buf, in->p + off, len);
	return 0;
}

static int no_write(void *arg, const void *buf, size_t len, uint64_t off, struct err *e)
{
	(void)arg;
	(void)buf;
	(void)len;
	(void)off;
	return err_set(e, ERR_SYSTEM, "no writing");
}

static int no_sync(void *arg, struct err *e)
{
	(void)arg;
	return err_set(e, ERR_SYSTEM, "no writing");
}

static bool cheap(const struct luks_facts *f)
{
	uint64_t iterations = f->digest_iterations, stripes = 0;

	for (unsigned i = 0; i < LUKS_SLOTS; i++)
		if (f->slots[i].active) {
			iterations += f->slots[i].iterations;
			stripes += f->slots[i].stripes;
		}
	return iterations <= ITERATIONS && stripes <= STRIPES;
}

static void look(const struct luks_io *io)
{
	struct strbuf text = STRBUF_INIT;
	struct json j = JSON_INIT(&text, false);
	uint8_t sectors[1024] = { 0 };
	bool match[LUKS_SLOTS];
	struct luks *l;
	struct err e;

	if (luks_open(io, &l, &e) < 0)
		return;
	json_object(&j, NULL);
	luks_info(l, io->embedded, &j);
	json_object_end(&j);
	strbuf_free(&text);
	if (cheap(&l->facts)) {
		if (luks_unlock(l, "abc", 3, &e) == 0)
			(void)crypt_sectors(l->crypt, false, sectors, sectors, sizeof sectors, 0, &e);
		(void)luks_match(l, "abc", 3, match, &e);
		(void)luks_slot_erase(l, 7, &e);
	}
	luks_free(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = { data, len };
	struct luks_io io = { .read = input_read, .write = no_write, .sync = no_sync, .arg = &in, .size = len };

	look(&io);
	io.embedded = true;
	look(&io);
	return 0;
}
