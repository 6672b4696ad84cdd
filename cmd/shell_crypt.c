/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell_crypt.c - commands of the shell about encrypted volumes: made, opened under a name, and their keys. */
#include "shell.h"

#include "alloc.h"
#include "limits.h"
#include "locked.h"
#include "tty.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

/* ---- keys ---- */

/* One from standard input, of which the shell itself may be a reader as well. */
static int key_from_stdin(struct shell *s, struct strbuf *out)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len = getline(&line, &size, stdin);

	if (len > 0 && line[len - 1] == '\n')
		line[--len] = '\0';
	if (len >= 0)
		strbuf_add(out, line, (size_t)len);
	wipe_str(line);
	if (len < 0)
		return shell_error(s, "standard input has no more keys");
	return out->failed ? shell_nomem(s) : 0;
}

int shell_key(struct shell *s, const char *what, struct strbuf *out)
{
	const struct guest_keys *k = &s->opts->keys;
	CLEANUP(free_ptr) char *prompt = alloc_printf("Enter key or passphrase (\"%s\"): ", what);
	char buf[512];
	size_t len = 0;
	bool got;

	if (s->keys_from_stdin || (s->peer && !k->has_tty))
		return key_from_stdin(s, out);
	if (!k->has_tty)
		return shell_error(s, "there is no terminal to ask for the key at: use --keys-from-stdin");
	if (!prompt)
		return shell_nomem(s);
	fflush(stdout);
	got = tty_ask(k->tty, prompt, k->echo, buf, sizeof buf, &len);
	strbuf_add(out, buf, got ? len : 0);
	explicit_bzero(buf, sizeof buf);
	return got ? 0 : shell_error(s, "no key was typed");
}

static void wipe(struct strbuf *key)
{
	if (key->len)
		explicit_bzero(key->s, key->len);
	strbuf_free(key);
}

/* ---- headers ---- */

/* cryptsetup with words for a device, a key on its standard input. */
static int cryptsetup(struct shell *s, const char *device, const char *const *words, const char *input)
{
	CLEANUP(free_ptr) char *path = shell_device(s, device);
	CLEANUP(strbuf_free) struct strbuf said = STRBUF_INIT;
	const char *argv[16] = { "cryptsetup", "-q" };
	size_t n = 2;

	if (!path)
		return -1;
	for (; *words && n + 1 < ARRAY_LEN(argv); words++)
		argv[n++] = strcmp(*words, "@") == 0 ? path : *words; /* "@": the device */
	argv[n] = NULL;
	return shell_tool(s, argv, input, &said);
}
#define CRYPTSETUP(s, device, input, ...) cryptsetup(s, device, (const char *const[]){ __VA_ARGS__, NULL }, input)

static bool slot_word(struct shell *s, int64_t slot, char *buf, size_t size)
{
	if (slot < 0 || slot > 31)
		return shell_error(s, "%" PRId64 ": no key slot", slot) == 0;
	snprintf(buf, size, "%" PRId64, slot);
	return true;
}

/* luks-format, luks-format-cipher */
static int luks_format(struct shell *s, struct call *c)
{
	CLEANUP(wipe) struct strbuf key = STRBUF_INIT;
	char slot[8];
	int rc;

	if (!slot_word(s, c->num[1], slot, sizeof slot) || shell_key(s, "key", &key))
		return -1;
	if (c->n > 2)
		rc = CRYPTSETUP(s, c->arg[0], key.s, "luksFormat", "--cipher", c->arg[2], "--key-file", "-",
				"--key-slot", slot, "@");
	else
		rc = CRYPTSETUP(s, c->arg[0], key.s, "luksFormat", "--key-file", "-", "--key-slot", slot, "@");
	return rc ? rc : shell_rescan(s);
}

static int luks_add_key(struct shell *s, struct call *c)
{
	static const char script[] =
		"IFS= read -r old; IFS= read -r new; f=$(mktemp) && printf %s \"$new\" >\"$f\" || exit 1; "
		"printf %s \"$old\" | cryptsetup -q luksAddKey --key-file - --key-slot \"$2\" \"$1\" \"$f\"; "
		"status=$?; rm -f \"$f\"; exit $status";
	CLEANUP(wipe) struct strbuf old = STRBUF_INIT, new = STRBUF_INIT, said = STRBUF_INIT;
	CLEANUP(free_ptr) char *path = NULL;
	const char *argv[] = { "bash", "-c", script, "sh", NULL, NULL, NULL };
	char slot[8];

	if (!slot_word(s, c->num[1], slot, sizeof slot) || shell_key(s, "key", &old) || shell_key(s, "newkey", &new))
		return -1;
	path = shell_device(s, c->arg[0]);
	if (!path)
		return -1;
	strbuf_printf(&old, "\n%s\n", new.s);
	argv[4] = path;
	argv[5] = slot;
	return old.failed ? shell_nomem(s) : shell_tool(s, argv, old.s, &said);
}

static int luks_kill_slot(struct shell *s, struct call *c)
{
	CLEANUP(wipe) struct strbuf key = STRBUF_INIT;
	char slot[8];

	if (!slot_word(s, c->num[1], slot, sizeof slot) || shell_key(s, "key", &key))
		return -1;
	return CRYPTSETUP(s, c->arg[0], key.s, "luksKillSlot", "--key-file", "-", "@", slot);
}

static int luks_uuid(struct shell *s, struct call *c)
{
	const struct dry_volume *v = shell_volume(s, c->arg[0]);

	if (!v)
		return -1;
	if (!v->fs_type || strcmp(v->fs_type, "crypto_LUKS") != 0)
		return shell_error(s, "%s: it is not encrypted by LUKS", c->arg[0]);
	shell_line(s, v->fs_uuid ? v->fs_uuid : "");
	return 0;
}

/* ---- opened under a name ---- */

static struct shell_mapping *mapping_named(const struct shell *s, const char *name)
{
	static const char folder[] = "/dev/mapper/";

	if (strncmp(name, folder, sizeof folder - 1) == 0)
		name += sizeof folder - 1;
	for (size_t i = 0; i < s->nmappings; i++)
		if (strcmp(s->mappings[i].name, name) == 0)
			return &s->mappings[i];
	return NULL;
}

const char *shell_real_name(const struct shell *s, const char *name)
{
	const struct shell_mapping *m = *name == '/' ? mapping_named(s, name) : NULL;

	return m ? m->volume : name;
}

const char *shell_shown_name(const struct shell *s, const char *name)
{
	for (size_t i = 0; i < s->nmappings; i++)
		if (strcmp(s->mappings[i].volume, name) == 0)
			return s->mappings[i].shown;
	return name;
}

/* The volume that was made of another one; NULL: none. */
static const struct dry_volume *inside(struct shell *s, const char *name)
{
	const struct dry_volume *v, *outer = shell_volume(s, name);
	size_t n;

	if (!outer || dry_guest_volumes(s->g, &v, &n, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < v[i].nparts; k++)
			if (&v[v[i].parts[k]] == outer && strcmp(v[i].scheme, "luks") == 0)
				return &v[i];
	return NULL;
}

/* Gives the volume inside a device its name. */
static int map(struct shell *s, const char *device, const char *name)
{
	struct shell_mapping *more = alloc_resize(s->mappings, s->nmappings + 1, sizeof *more), *m;
	const struct dry_volume *v = inside(s, device);

	if (!more)
		return shell_nomem(s);
	s->mappings = more;
	if (!v)
		return shell_error(s, "%s: no key slot opens with that key", device);
	m = &more[s->nmappings];
	*m = (struct shell_mapping){ alloc_strdup(name), alloc_strdup(v->name), alloc_printf("/dev/mapper/%s", name),
				     alloc_strdup(shell_real_name(s, device)) };
	if (m->name && m->volume && m->shown && m->box) {
		s->nmappings++;
		return 0;
	}
	free(m->name);
	free(m->volume);
	free(m->shown);
	free(m->box);
	return shell_nomem(s);
}

/* cryptsetup-open and its older names: the machine opens it by the key, and so do our own readers, who look at it then.
 */
static int crypt_open(struct shell *s, struct call *c)
{
	const bool cryptsetup_words = strcmp(s->cmd->name, "cryptsetup-open") == 0;
	const char *type = cryptsetup_words ? shell_opt(s, c, "crypttype") : NULL;
	CLEANUP(wipe) struct strbuf key = STRBUF_INIT;
	const struct dry_volume *v = shell_volume(s, c->arg[0]);
	struct dry_error e = { .code = DRY_OK };
	struct dry_mount m;
	bool readonly = false;

	if (!v || (cryptsetup_words && shell_opt_truth(s, c, "readonly", &readonly)))
		return -1;
	if (type && strncmp(type, "luks", 4) != 0)
		return shell_error(s, "crypttype:%s: only volumes of LUKS are opened here", type);
	if (!v->fs_type || strcmp(v->fs_type, "crypto_LUKS") != 0)
		return shell_error(s, "%s: it is not encrypted by LUKS", c->arg[0]);
	if (strchr(c->arg[1], '/') || !*c->arg[1] || mapping_named(s, c->arg[1]))
		return shell_error(s, "%s: this name is taken, or none of a volume", c->arg[1]);
	if (dry_guest_mount_at(s->g, 0, &m))
		return shell_error(s, "what is mounted must be unmounted before an encrypted volume is opened");
	if (shell_key(s, "key", &key))
		return -1;
	if (dry_change_unlock(s->c, v->name, key.s, key.len, readonly, &e) < 0)
		return shell_fail(s, NULL, &e);
	if (dry_keys_add_bytes(s->opts->keys.keys, v->name, key.s, key.len, &e) < 0)
		return shell_fail(s, NULL, &e);
	return shell_rescan(s) ? -1 : map(s, c->arg[0], c->arg[1]);
}

/* Our own readers go on knowing it by its UUID. */
static int crypt_close(struct shell *s, struct call *c)
{
	struct shell_mapping *m = mapping_named(s, c->arg[0]);
	struct dry_error e = { .code = DRY_OK };
	struct dry_mount mounted;

	if (!m)
		return shell_error(s, "%s: %s", c->arg[0], strerror(ENOENT));
	for (size_t i = 0; dry_guest_mount_at(s->g, i, &mounted); i++)
		if (strcmp(mounted.volume, m->volume) == 0)
			return shell_error(s, "%s: %s", c->arg[0], strerror(EBUSY));
	if (dry_change_lock(s->c, m->box, &e) < 0)
		return shell_fail(s, NULL, &e);
	free(m->name);
	free(m->volume);
	free(m->shown);
	free(m->box);
	*m = s->mappings[--s->nmappings];
	return 0;
}

static int list_mapped(struct shell *s, struct call *c)
{
	(void)c;
	for (size_t i = 0; i < s->nmappings; i++)
		shell_line(s, s->mappings[i].shown);
	return 0;
}

#define W SHELL_WRITES
#define M SHELL_MACHINE
static const struct shell_command commands[] = {
	{ "luks-format", NULL, "=device #keyslot", "make an encrypted volume; the key is asked for", luks_format, W,
	  NULL },
	{ "luks-format-cipher", NULL, "=device #keyslot cipher", "make a volume encrypted by this cipher", luks_format,
	  W, NULL },
	{ "luks-add-key", NULL, "=device #keyslot", "add a key to an encrypted volume; an old one and it are asked for",
	  luks_add_key, W, NULL },
	{ "luks-kill-slot", NULL, "=device #keyslot", "remove a key of an encrypted volume; another one is asked for",
	  luks_kill_slot, W, NULL },
	{ "luks-uuid", NULL, "=device", "the UUID of an encrypted volume", luks_uuid, 0, NULL },
	{ "cryptsetup-open", NULL, "=device mapname [?readonly] [crypttype]",
	  "open an encrypted volume as /dev/mapper/MAPNAME", crypt_open, M, NULL },
	{ "luks-open", "luks-open-ro", "=device mapname", "open an encrypted volume as /dev/mapper/MAPNAME", crypt_open,
	  M, NULL },
	{ "cryptsetup-close", "luks-close", "=device", "forget a volume that was opened so", crypt_close, M, NULL },
	{ "list-dm-devices", NULL, NULL, "the encrypted volumes that were opened so", list_mapped, 0, NULL },
};
const struct shell_group shell_crypt_group = SHELL_GROUP("encrypted volumes", commands);
