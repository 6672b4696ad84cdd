/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * luks2_fuzz.c - a LUKS version 2 header made up by the fuzzer: judged, unlocked if that is cheap, its data read.
 *
 * The fuzzer's bytes are: 16 bits of length and that much JSON; 8 bits of number and that many changes to the first binary
 * header (16 bits of place, 8 bits of value); key material and data, from behind the headers on.  Little-endian.  The
 * checksums are made here: a fuzzer does not find them.
 */
#include "json.h"
#include "luks2.h"
#include "luks_disk.h"
#include "luks_ondisk.h"
#include "memory.h"

enum { HEADER = 16384, BYTES = 2 * HEADER + 16384, COST = 20000, MEMORY = 256, STRIPES = 64 };

static void header(uint8_t *to, bool second, const uint8_t *json, size_t len)
{
	struct luks2_ondisk h = { .reserved = { 0 } };

	memcpy(h.magic, second ? LUKS2_MAGIC_SECOND : LUKS_MAGIC, LUKS_MAGIC_LEN);
	be16_put(&h.version, 2);
	be64_put(&h.size, HEADER);
	be64_put(&h.seqid, 1);
	be64_put(&h.off, second ? HEADER : 0);
	memcpy(h.checksum_alg, "sha256", 6);
	memcpy(h.uuid, "11111111-2222-3333-4444-555555555555", 36);
	memcpy(to, &h, sizeof h);
	memcpy(to + sizeof h, json, len < HEADER - sizeof h - 1 ? len : HEADER - sizeof h - 1);
}

static void checksum(uint8_t *p)
{
	struct luks2_ondisk *h = (struct luks2_ondisk *)p;
	struct hash_work w;
	enum hash_alg alg;

	memset(h->checksum, 0, sizeof h->checksum);
	if (!memchr(h->checksum_alg, 0, sizeof h->checksum_alg) || !hash_find(h->checksum_alg, &alg))
		return;
	hash_start(&w, alg);
	hash_add(&w, p, HEADER);
	hash_end(&w, h->checksum);
}

static struct block *make(const uint8_t *data, size_t len)
{
	struct block *b;
	uint8_t *bytes;
	size_t json, at = 2, n;

	if (len < 3 || block_new_filter(&memory_driver, NULL, &b, NULL) < 0)
		return NULL;
	bytes = calloc(1, BYTES);
	if (!bytes)
		abort();
	((struct memory *)b->state)->bytes = bytes;
	b->size = BYTES;
	json = data[0] | (size_t)data[1] << 8;
	json = json < len - at ? json : len - at;
	header(bytes, false, data + at, json);
	header(bytes + HEADER, true, data + at, json);
	at += json;
	n = at < len ? data[at++] : 0;
	for (; n && at + 3 <= len; n--, at += 3)
		bytes[(data[at] | (size_t)data[at + 1] << 8) % HEADER] = data[at + 2];
	checksum(bytes);
	checksum(bytes + HEADER);
	n = len - at;
	memcpy(bytes + 2 * HEADER, data + at, n < 16384 ? n : 16384);
	return b;
}

static int input_read(void *arg, void *buf, size_t len, uint64_t off, struct err *e)
{
	return block_pread(arg, buf, len, off, e);
}

/* What a passphrase may cost here. */
static bool cheap(struct block *b)
{
	const struct luks_io io = { .read = input_read, .arg = b, .size = block_size(b) };
	struct luks2 *l;
	bool is = true;

	(void)luks2_is_headless(&io, NULL);
	if (luks2_open(&io, &l, NULL) < 0)
		return false;
	for (unsigned i = 0; i < LUKS2_SLOTS; i++) {
		const struct luks2_slot *s = &l->facts.slots[i];

		is &= !s->bound || (s->kdf.memory <= MEMORY && s->stripes <= STRIPES);
	}
	is &= luks2_work(l) <= COST;
	luks2_free(l);
	return is;
}

static void look(struct block *b)
{
	struct strbuf text = STRBUF_INIT;
	struct json j = JSON_INIT(&text, false);
	struct luks_disk *d;
	struct block *shown;
	uint8_t buf[5000];

	if (!cheap(b) || luks_disk_open(b, NULL, &d, NULL) < 0)
		return;
	json_object(&j, NULL);
	if (luks_disk_version(d) == 2)
		luks_disk_info(d, &j);
	json_object_end(&j);
	strbuf_free(&text);
	if (luks_disk_unlock(d, "abc", 3, NULL) < 0 || luks_disk_block(d, &shown, NULL) < 0) {
		luks_disk_free(d);
		return;
	}
	for (uint64_t at = 0; at < block_size(shown); at += sizeof buf)
		(void)block_pread(shown, buf,
				  block_size(shown) - at < sizeof buf ? (size_t)(block_size(shown) - at) : sizeof buf, at, NULL);
	block_unref(shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct block *b = make(data, len);

	if (!b)
		return 0;
	look(b);
	block_unref(b);
	return 0;
}
