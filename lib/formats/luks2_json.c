/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * luks2_json.c - the JSON of a LUKS version 2 header, from text to judged facts.
 *
 *	keyslots	by number: how a passphrase becomes the key of its area, and where that is
 *	segments	by number: where the data lies, and how it is encrypted
 *	digests		which slots hold the key of which segments, and how that key is recognised
 *	config		sizes, and what a reader must know of ("requirements")
 *	tokens		how slots may be opened by other means than a passphrase: not ours
 *
 * The text is a stranger's: how many values it has and how deep they go is counted before a parser sees it.  64-bit numbers are
 * strings of decimal digits, others are JSON's own.
 */
#include "luks2.h"

#include "alloc.h"
#include "base64.h"
#include "checked.h"
#include "limits.h"
#include "luks_ondisk.h"
#include "text.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

/* No key that we use is longer than CRYPT_KEY_MAX; 4096 bits are the format's most. */
enum { KEY_BYTES_MAX = 512 };
/* The number of a sector, times its 512 bytes, is a byte's number of 64 bits. */
#define IV_TWEAK_MAX (1ULL << 54)

/* ---- the text as such ---- */

/* Every value but the first follows one of these outside strings; so they are never fewer than the values. */
static int judge_amount(const char *text, size_t len, struct err *e)
{
	unsigned depth = 0, n = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
			continue;
		}
		in_string = c == '"';
		if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && depth)
			depth--;
		n += c == '{' || c == '[' || c == ',' || c == ':';
		if (n > LIMIT_LUKS2_JSON_VALUES)
			return err_set(e, ERR_LIMIT, "the JSON of the LUKS header has more than %d values",
				       LIMIT_LUKS2_JSON_VALUES);
		if (depth > LIMIT_LUKS2_JSON_DEPTH)
			return err_set(e, ERR_LIMIT, "the JSON of the LUKS header is more than %d deep",
				       LIMIT_LUKS2_JSON_DEPTH);
	}
	return 0;
}

static void json_freep(json_t **j)
{
	json_decref(*j);
}

static int parse(const char *text, size_t len, json_t **out, struct err *e)
{
	json_error_t je;
	uint32_t seed;
	int rc = judge_amount(text, len, e);

	if (rc < 0)
		return rc;
	/* Of its own jansson would read a file for it, which a confined process cannot. */
	if (random_bytes(&seed, sizeof seed))
		json_object_seed(seed | 1);
	*out = json_loadb(text, len, JSON_REJECT_DUPLICATES, &je);
	if (!*out && json_error_code(&je) == json_error_out_of_memory)
		return err_nomem(e);
	if (!*out)
		return err_set(e, ERR_CORRUPT, "the JSON of the LUKS header is not valid at byte %d", je.position);
	return 0;
}

/* ---- members ---- */

static const json_t *member(const json_t *o, const char *key, json_type type, struct err *e)
{
	const json_t *v = json_object_get(o, key);

	if (v && json_typeof(v) == type)
		return v;
	err_set(e, ERR_CORRUPT, "\"%s\" %s in the JSON of the LUKS header", key, v ? "is of another kind" : "is missing");
	return NULL;
}

static int get_text(const json_t *o, const char *key, const char **out, struct err *e)
{
	const json_t *v = member(o, key, JSON_STRING, e);

	if (!v)
		return -ERR_CORRUPT;
	*out = json_string_value(v);
	return 0;
}

static int get_u32(const json_t *o, const char *key, uint32_t *out, struct err *e)
{
	const json_t *v = member(o, key, JSON_INTEGER, e);
	json_int_t n;

	if (!v)
		return -ERR_CORRUPT;
	n = json_integer_value(v);
	if (n < 0 || n > UINT32_MAX)
		return err_set(e, ERR_CORRUPT, "\"%s\" is %" JSON_INTEGER_FORMAT " in the JSON of the LUKS header", key, n);
	*out = (uint32_t)n;
	return 0;
}

static int get_u64(const json_t *o, const char *key, uint64_t *out, struct err *e)
{
	const char *s;
	int rc = get_text(o, key, &s, e);

	if (rc < 0)
		return rc;
	if (strspn(s, "0123456789") != strlen(s) || !text_parse_u64(s, out))
		return err_set(e, ERR_CORRUPT, "\"%s\" is no number of 64 bits in the JSON of the LUKS header", key);
	return 0;
}

static int get_bytes(const json_t *o, const char *key, uint8_t *out, size_t room, size_t *len, struct err *e)
{
	CLEANUP(locked_free) struct locked bytes = LOCKED_INIT;
	const char *s;
	int rc = get_text(o, key, &s, e);

	if (rc == 0)
		rc = base64_decode(s, strlen(s), key, &bytes, e);
	if (rc < 0)
		return rc == -ERR_USAGE ? err_set(e, ERR_CORRUPT, "\"%s\" is not valid base64", key) : rc;
	if (bytes.len > room || !bytes.len)
		return err_set(e, ERR_CORRUPT, "\"%s\" has %zu bytes", key, bytes.len);
	memcpy(out, bytes.p, bytes.len);
	*len = bytes.len;
	return 0;
}

/* A stranger's word in an error. */
static int refuse(struct err *e, const char *what, const char *word)
{
	CLEANUP(strbuf_free) struct strbuf shown = STRBUF_INIT;

	text_quote(&shown, word, strnlen(word, 60));
	return err_set(e, ERR_UNSUPPORTED, "%s \"%s\"", what, shown.s ? shown.s : "");
}

static int get_hash(const json_t *o, const char *key, enum hash_alg *out, struct err *e)
{
	const char *s;
	int rc = get_text(o, key, &s, e);

	if (rc < 0)
		return rc;
	return hash_find(s, out) ? 0 : refuse(e, "the hash", s);
}

/* "aes-xts-plain64" */
static int get_cipher(const json_t *o, const char *key, size_t key_bytes, struct crypt_spec *out, struct err *e)
{
	char cipher[32];
	const char *s, *dash;
	int rc = get_text(o, key, &s, e);

	if (rc < 0)
		return rc;
	dash = strchr(s, '-');
	if (!dash || dash == s || (size_t)(dash - s) >= sizeof cipher || strlen(dash + 1) >= sizeof cipher)
		return refuse(e, "encryption with", s);
	memcpy(cipher, s, (size_t)(dash - s));
	cipher[dash - s] = '\0';
	return crypt_spec_from_luks(cipher, dash + 1, key_bytes, out, e);
}

/* The key of a slot, segment or digest: its number. */
static int get_number(const char *key, unsigned *out, struct err *e)
{
	uint64_t n;

	if (strspn(key, "0123456789") != strlen(key) || !text_parse_u64(key, &n) || n >= LUKS2_SLOTS)
		return err_set(e, ERR_CORRUPT, "the JSON of the LUKS header names a part by something else than 0 to %d",
			       LUKS2_SLOTS - 1);
	*out = (unsigned)n;
	return 0;
}

/* An array of such numbers, as bits. */
static int get_numbers(const json_t *o, const char *key, uint32_t *out, struct err *e)
{
	const json_t *a = member(o, key, JSON_ARRAY, e);

	*out = 0;
	if (!a)
		return -ERR_CORRUPT;
	for (size_t i = 0; i < json_array_size(a); i++) {
		const char *s = json_string_value(json_array_get(a, i));
		unsigned n;
		int rc = get_number(s ? s : "", &n, e);

		if (rc < 0)
			return rc;
		*out |= 1u << n;
	}
	return 0;
}

/* ---- requirements ---- */

static int reencrypting(struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, "a reencryption is under way (cryptsetup reencrypt --resume-only finishes it)");
}

static int judge_config(const json_t *root, uint64_t *slots_bytes, struct err *e)
{
	const json_t *config = member(root, "config", JSON_OBJECT, e), *must;
	int rc = config ? get_u64(config, "keyslots_size", slots_bytes, e) : -ERR_CORRUPT;

	if (rc < 0)
		return rc;
	must = json_object_get(json_object_get(config, "requirements"), "mandatory");
	for (size_t i = 0; i < json_array_size(must); i++) {
		const char *s = json_string_value(json_array_get(must, i));

		if (s && strstr(s, "reencrypt"))
			return reencrypting(e);
		return refuse(e, "what opens it must know", s ? s : "?");
	}
	return 0;
}

/* ---- key slots ---- */

static int judge_kdf(const json_t *slot, struct kdf *k, struct err *e)
{
	const json_t *o = member(slot, "kdf", JSON_OBJECT, e);
	const char *type;
	int rc = o ? get_text(o, "type", &type, e) : -ERR_CORRUPT;

	if (rc < 0)
		return rc;
	if (strcmp(type, "pbkdf2") == 0) {
		k->alg = KDF_PBKDF2;
		if ((rc = get_u32(o, "iterations", &k->cost, e)) < 0 || (rc = get_hash(o, "hash", &k->hash, e)) < 0)
			return rc;
	} else if (strcmp(type, "argon2i") == 0 || strcmp(type, "argon2id") == 0) {
		k->alg = type[7] ? KDF_ARGON2ID : KDF_ARGON2I;
		if ((rc = get_u32(o, "time", &k->cost, e)) < 0 || (rc = get_u32(o, "memory", &k->memory, e)) < 0 ||
		    (rc = get_u32(o, "cpus", &k->lanes, e)) < 0)
			return rc;
	} else {
		return refuse(e, "a key from a passphrase by", type);
	}
	rc = get_bytes(o, "salt", k->salt, sizeof k->salt, &k->salt_len, e);
	return rc < 0 ? rc : kdf_judge(k, e);
}

static int judge_af(const json_t *slot, struct luks2_slot *s, struct err *e)
{
	const json_t *o = member(slot, "af", JSON_OBJECT, e);
	const char *type;
	int rc = o ? get_text(o, "type", &type, e) : -ERR_CORRUPT;

	if (rc < 0)
		return rc;
	if (strcmp(type, "luks1") != 0)
		return refuse(e, "a key split by", type);
	if ((rc = get_u32(o, "stripes", &s->stripes, e)) < 0 || (rc = get_hash(o, "hash", &s->af_hash, e)) < 0)
		return rc;
	if (s->stripes == 0)
		return err_set(e, ERR_CORRUPT, "no stripes");
	if (s->stripes > LIMIT_LUKS_STRIPES)
		return err_set(e, ERR_LIMIT, "%" PRIu32 " stripes", s->stripes);
	return 0;
}

/* Where key material may lie: behind both headers. */
struct slots_area {
	uint64_t start, end;
};

static int judge_area(const json_t *slot, const struct slots_area *in, struct luks2_slot *s, struct err *e)
{
	const json_t *o = member(slot, "area", JSON_OBJECT, e);
	uint64_t size, need = luks_material_bytes(s->key_bytes, s->stripes);
	uint32_t key_bytes;
	const char *type;
	int rc = o ? get_text(o, "type", &type, e) : -ERR_CORRUPT;

	if (rc < 0)
		return rc;
	if (strcmp(type, "raw") != 0)
		return refuse(e, "key material kept as", type);
	if ((rc = get_u64(o, "offset", &s->off, e)) < 0 || (rc = get_u64(o, "size", &size, e)) < 0 ||
	    (rc = get_u32(o, "key_size", &key_bytes, e)) < 0)
		return rc;
	if (s->off < in->start || !range_in(s->off, size, in->end))
		return err_set(e, ERR_CORRUPT,
			       "its key material (%" PRIu64 " bytes at %" PRIu64 ") lies outside of %" PRIu64 " to %" PRIu64
			       ", where it has to be",
			       size, s->off, in->start, in->end);
	if (size < need)
		return err_set(e, ERR_CORRUPT, "its key material of %" PRIu64 " bytes lies in %" PRIu64, need, size);
	return get_cipher(o, "encryption", key_bytes, &s->spec, e);
}

static int judge_slot_parts(const json_t *slot, const struct slots_area *in, struct luks2_slot *s, struct err *e)
{
	const char *type;
	int rc = get_text(slot, "type", &type, e);

	if (rc < 0)
		return rc;
	if (strcmp(type, "luks2") != 0)
		return refuse(e, "a key slot of the kind", type);
	if ((rc = get_u32(slot, "key_size", &s->key_bytes, e)) < 0)
		return rc;
	if (s->key_bytes == 0 || s->key_bytes > KEY_BYTES_MAX)
		return err_set(e, ERR_CORRUPT, "a key of %" PRIu32 " bytes", s->key_bytes);
	if ((rc = judge_kdf(slot, &s->kdf, e)) < 0 || (rc = judge_af(slot, s, e)) < 0)
		return rc;
	return judge_area(slot, in, s, e);
}

/* What we do not know of one slot is no reason not to try others. */
static int judge_slot(const json_t *slot, const struct slots_area *in, struct luks2_slot *s, struct err *e)
{
	uint32_t priority;
	struct err why = ERR_INIT;
	int rc = judge_slot_parts(slot, in, s, &why);

	if (rc == -ERR_UNSUPPORTED || rc == -ERR_LIMIT) {
		snprintf(s->why, sizeof s->why, "%.*s", (int)sizeof s->why - 1, why.msg);
	} else if (rc < 0) {
		if (e)
			*e = why;
		return rc;
	}
	s->bound = true;
	s->priority = 1;
	if (!json_object_get(slot, "priority"))
		return 0;
	if ((rc = get_u32(slot, "priority", &priority, e)) < 0)
		return rc;
	if (priority > 2)
		return err_set(e, ERR_CORRUPT, "a priority of %" PRIu32, priority);
	s->priority = priority;
	return 0;
}

static int judge_overlaps(const struct luks2_facts *f, struct err *e)
{
	for (unsigned i = 0; i < LUKS2_SLOTS; i++) {
		for (unsigned k = 0; k < i; k++) {
			const struct luks2_slot *a = &f->slots[k], *b = &f->slots[i];

			if (a->bound && b->bound && !*a->why && !*b->why &&
			    ranges_overlap(a->off, luks_material_bytes(a->key_bytes, a->stripes), b->off,
					   luks_material_bytes(b->key_bytes, b->stripes)))
				return err_set(e, ERR_CORRUPT, "the key material of slots %u and %u overlaps", k, i);
		}
	}
	return 0;
}

static int no_key_slot(const struct luks2_facts *f, struct err *e)
{
	for (unsigned i = 0; i < LUKS2_SLOTS; i++)
		if (f->slots[i].bound)
			return err_set(e, ERR_UNSUPPORTED, "key slot %u: %s", i, f->slots[i].why);
	return err_set(e, ERR_UNSUPPORTED, "it has no key slot left, so that no passphrase opens it");
}

static int judge_slots(const json_t *root, uint32_t bound, const struct slots_area *in, struct luks2_facts *f, struct err *e)
{
	const json_t *slots = member(root, "keyslots", JSON_OBJECT, e);
	const char *key;
	json_t *slot;
	int rc;

	if (!slots)
		return -ERR_CORRUPT;
	json_object_foreach ((json_t *)slots, key, slot) {
		const char *type = json_string_value(json_object_get(slot, "type"));
		unsigned i;

		if ((rc = get_number(key, &i, e)) < 0)
			return rc;
		if (type && strcmp(type, "reencrypt") == 0)
			return reencrypting(e);
		if (bound & 1u << i && (rc = judge_slot(slot, in, &f->slots[i], e)) < 0)
			return err_in(e, rc, "key slot %u", i);
		/* All slots of a digest hold the same key. */
		if (f->slots[i].bound && !f->key_bytes)
			f->key_bytes = f->slots[i].key_bytes;
	}
	return f->key_bytes ? judge_overlaps(f, e) : no_key_slot(f, e);
}

/* ---- segments ---- */

/* 1: it is shown, 0: it is a note of how things were before a reencryption. */
static int judge_segment_flags(const json_t *segment, struct err *e)
{
	const json_t *flags = json_object_get(segment, "flags");

	for (size_t i = 0; i < json_array_size(flags); i++) {
		const char *s = json_string_value(json_array_get(flags, i));

		if (s && text_starts(s, "backup-", NULL))
			return 0;
		if (s && strcmp(s, "in-reencryption") == 0)
			return reencrypting(e);
		return refuse(e, "a part of the data with the flag", s ? s : "?");
	}
	return 1;
}

static int judge_segment(const json_t *segment, uint32_t key_bytes, struct luks2_segment *s, struct err *e)
{
	const json_t *integrity = json_object_get(segment, "integrity");
	const char *type, *size;
	int rc;

	if ((rc = get_text(segment, "type", &type, e)) < 0 || (rc = get_u64(segment, "offset", &s->off, e)) < 0 ||
	    (rc = get_text(segment, "size", &size, e)) < 0)
		return rc;
	if (text_starts(type, "hw-opal", NULL))
		return err_set(e, ERR_UNSUPPORTED, "the disk itself encrypts it (OPAL)");
	s->encrypted = strcmp(type, "crypt") == 0;
	if (!s->encrypted && strcmp(type, "linear") != 0)
		return refuse(e, "data kept as", type);
	s->size = UINT64_MAX;
	if (strcmp(size, "dynamic") != 0 && (rc = get_u64(segment, "size", &s->size, e)) < 0)
		return rc;
	if (!s->encrypted)
		return 0;
	if (integrity) {
		const char *kind = json_string_value(json_object_get(integrity, "type"));

		return refuse(e, "authenticated encryption (dm-integrity)", kind ? kind : "?");
	}
	if ((rc = get_u64(segment, "iv_tweak", &s->iv_tweak, e)) < 0 ||
	    (rc = get_cipher(segment, "encryption", key_bytes, &s->spec, e)) < 0 ||
	    (rc = get_u32(segment, "sector_size", &s->spec.sector, e)) < 0)
		return rc;
	if (!s->spec.sector)
		return err_set(e, ERR_CORRUPT, "sectors of no bytes");
	if (s->iv_tweak >= IV_TWEAK_MAX)
		return err_set(e, ERR_LIMIT, "sectors are numbered from %" PRIu64, s->iv_tweak);
	if (s->size != UINT64_MAX && s->size % s->spec.sector)
		return err_set(e, ERR_CORRUPT, "%" PRIu64 " bytes are no whole sectors", s->size);
	return crypt_judge(&s->spec, e);
}

/* In the order of their numbers; a bit of *encrypted for each that is. */
static int judge_segments(const json_t *root, struct luks2_facts *f, struct err *e)
{
	const json_t *segments = json_object_get(root, "segments");

	for (unsigned i = 0; i < LUKS2_SEGMENTS; i++) {
		struct luks2_segment *s = &f->segments[f->nsegments];
		const json_t *segment;
		char key[12];
		int rc;

		snprintf(key, sizeof key, "%u", i);
		segment = json_object_get(segments, key);
		if (!segment)
			continue;
		rc = judge_segment_flags(segment, e);
		if (rc == 0)
			continue;
		if (rc > 0)
			rc = judge_segment(segment, f->key_bytes, s, e);
		if (rc == 0 && f->nsegments && s[-1].size == UINT64_MAX)
			rc = err_set(e, ERR_CORRUPT, "it begins behind one that goes on to the end");
		if (rc < 0)
			return err_in(e, rc, "segment %u", i);
		f->nsegments++;
	}
	return 0;
}

/* ---- digests ---- */

/* Which segments are encrypted and shown, by their numbers. */
static int segments_wanted(const json_t *root, uint32_t *out, struct err *e)
{
	const json_t *segments = member(root, "segments", JSON_OBJECT, e);
	const char *key;
	json_t *segment;

	*out = 0;
	if (!segments)
		return -ERR_CORRUPT;
	json_object_foreach ((json_t *)segments, key, segment) {
		const char *type = json_string_value(json_object_get(segment, "type"));
		unsigned i;
		int rc = get_number(key, &i, e);

		if (rc == 0)
			rc = judge_segment_flags(segment, e);
		if (rc < 0)
			return rc;
		if (rc > 0 && type && strcmp(type, "linear") != 0)
			*out |= 1u << i;
	}
	return *out ? 0 : err_set(e, ERR_UNSUPPORTED, "nothing of its data is encrypted");
}

static int judge_digest(const json_t *digest, struct luks2_facts *f, uint32_t *slots, struct err *e)
{
	const char *type;
	int rc;

	if ((rc = get_numbers(digest, "keyslots", slots, e)) < 0 || (rc = get_text(digest, "type", &type, e)) < 0)
		return rc;
	if (strcmp(type, "pbkdf2") != 0)
		return refuse(e, "a key that is recognised by", type);
	f->digest_kdf.alg = KDF_PBKDF2;
	if ((rc = get_hash(digest, "hash", &f->digest_kdf.hash, e)) < 0 ||
	    (rc = get_u32(digest, "iterations", &f->digest_kdf.cost, e)) < 0 ||
	    (rc = get_bytes(digest, "salt", f->digest_kdf.salt, sizeof f->digest_kdf.salt, &f->digest_kdf.salt_len, e)) < 0 ||
	    (rc = get_bytes(digest, "digest", f->digest, sizeof f->digest, &f->digest_len, e)) < 0)
		return rc;
	return kdf_judge(&f->digest_kdf, e);
}

/* The one digest of all that is encrypted, and the slots that are bound to it. */
static int judge_digests(const json_t *root, uint32_t wanted, struct luks2_facts *f, uint32_t *slots, struct err *e)
{
	const json_t *digests = member(root, "digests", JSON_OBJECT, e);
	const char *key;
	json_t *digest;

	if (!digests)
		return -ERR_CORRUPT;
	json_object_foreach ((json_t *)digests, key, digest) {
		uint32_t segments;
		unsigned i;
		int rc;

		if ((rc = get_number(key, &i, e)) < 0 || (rc = get_numbers(digest, "segments", &segments, e)) < 0)
			return rc;
		if (!(segments & wanted))
			continue;
		if ((segments & wanted) != wanted)
			return err_set(e, ERR_UNSUPPORTED, "its data lies under several keys");
		rc = judge_digest(digest, f, slots, e);
		return rc < 0 ? err_in(e, rc, "digest %u", i) : 0;
	}
	return err_set(e, ERR_CORRUPT, "there is no digest for the key of its data");
}

/* The requirements first: who does not know them must not judge the rest. */
int luks2_judge(const char *text, size_t len, uint64_t end, struct luks2_facts *f, struct err *e)
{
	CLEANUP(json_freep) json_t *root = NULL;
	struct slots_area area = { .start = 2 * f->header_bytes };
	uint64_t slots_bytes;
	uint32_t wanted, slots;
	int rc = parse(text, len, &root, e);

	if (rc < 0)
		return rc;
	if (!json_is_object(root))
		return err_set(e, ERR_CORRUPT, "the JSON of the LUKS header is no object");
	if ((rc = judge_config(root, &slots_bytes, e)) < 0)
		return rc;
	if (!checked_add(area.start, slots_bytes, &area.end) || area.end > end)
		area.end = end;
	if ((rc = segments_wanted(root, &wanted, e)) < 0 || (rc = judge_digests(root, wanted, f, &slots, e)) < 0 ||
	    (rc = judge_slots(root, slots, &area, f, e)) < 0)
		return rc;
	return judge_segments(root, f, e);
}
