/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell_prepared.c - disks that are made when the session begins: -N. */
#include "shell.h"

#include "alloc.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

enum prepared_type {
	PREPARED_DISK,
	PREPARED_PART,
	PREPARED_FS,
	PREPARED_LV,
	PREPARED_LVFS,
	PREPARED_BOOTROOT,
	PREPARED_BOOTROOTLV
};
struct prepared {
	enum prepared_type type;
	size_t disk; /* its place among the images */
	uint64_t size, bootsize;
	char words[2][32]; /* filesystems: of it, or of boot and root */
	char parttype[16];
	char group[128], volume[128]; /* of LVM */
};

static const struct {
	const char *name, *help;
	enum prepared_type type;
} types[] = {
	{ "disk", "disk[:SIZE]  an empty disk; 1G", PREPARED_DISK },
	{ "part", "part[:SIZE[:TABLE]]  a disk with one partition; 1G, mbr", PREPARED_PART },
	{ "fs", "fs[:FILESYSTEM[:SIZE[:TABLE]]]  a disk with a filesystem in a partition; ext2, 1G, mbr", PREPARED_FS },
	{ "lv", "lv[:NAME[:SIZE[:TABLE]]]  a disk with a logical volume in a partition; /dev/VG/LV, 1G, mbr", PREPARED_LV },
	{ "lvfs",
	  "lvfs[:NAME[:FILESYSTEM[:SIZE[:TABLE]]]]  a disk with a filesystem in a logical volume; /dev/VG/LV, ext2, 1G, mbr",
	  PREPARED_LVFS },
	{ "bootroot",
	  "bootroot[:BOOTFS[:ROOTFS[:SIZE[:BOOTSIZE[:TABLE]]]]]  a disk with two filesystems; ext2, ext2, 1G, 128M, "
	  "mbr",
	  PREPARED_BOOTROOT },
	{ "bootrootlv",
	  "bootrootlv[:NAME[:BOOTFS[:ROOTFS[:SIZE[:BOOTSIZE[:TABLE]]]]]]  the same, with root in a logical volume; "
	  "/dev/VG/LV, ext2, ext2, 1G, 128M, mbr",
	  PREPARED_BOOTROOTLV },
};

void shell_prepare_help(void)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		printf("%s\n", types[i].help);
}

static bool has_boot(const struct prepared *p)
{
	return p->type == PREPARED_BOOTROOT || p->type == PREPARED_BOOTROOTLV;
}

static bool take_size(const char *word, uint64_t *out)
{
	return !*word || (text_parse_size(word, out) && *out);
}

static void take_text(const char *word, char *out, size_t size)
{
	if (*word)
		snprintf(out, size, "%s", word);
}

/* "/dev/GROUP/VOLUME", or without "/dev/": LVM judges the names themselves. */
static bool take_name(const char *word, struct prepared *p)
{
	const char *slash;

	if (!*word)
		return true;
	text_starts(word, "/dev/", &word);
	slash = strchr(word, '/');
	if (!slash || slash == word || !slash[1] || strchr(slash + 1, '/') || strlen(word) >= sizeof p->group)
		return false;
	snprintf(p->group, sizeof p->group, "%.*s", (int)(slash - word), word);
	snprintf(p->volume, sizeof p->volume, "%s", slash + 1);
	return true;
}

static int parse(struct shell *s, const char *text, struct prepared *p)
{
	CLEANUP(free_ptr) char *copy = alloc_strdup(text);
	char *rest = copy, *words[7];
	char **word;
	size_t n = 0, type = 0;
	bool good = true;

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		words[i] = (char *)"";
	if (!copy)
		return shell_nomem(s);
	*p = (struct prepared){ .size = (uint64_t)1 << 30,
				.bootsize = (uint64_t)128 << 20,
				.words = { "ext2", "ext2" },
				.parttype = "mbr",
				.group = "VG",
				.volume = "LV" };
	while (rest && n < ARRAY_LEN(words))
		words[n++] = strsep(&rest, ":");
	while (type < ARRAY_LEN(types) && strcmp(types[type].name, words[0]) != 0)
		type++;
	if (type == ARRAY_LEN(types))
		return shell_error(
			s, "-N %s: a prepared disk of this type is not here yet; -N help lists those that are", text);
	p->type = types[type].type;
	word = words + 1;
	if (p->type == PREPARED_LV || p->type == PREPARED_LVFS || p->type == PREPARED_BOOTROOTLV)
		good = take_name(*word++, p);
	if (p->type != PREPARED_DISK && p->type != PREPARED_PART && p->type != PREPARED_LV)
		take_text(*word++, p->words[0], sizeof p->words[0]);
	if (has_boot(p))
		take_text(*word++, p->words[1], sizeof p->words[1]);
	good = good && take_size(*word++, &p->size);
	if (has_boot(p))
		good = good && take_size(*word++, &p->bootsize);
	if (p->type != PREPARED_DISK)
		take_text(*word++, p->parttype, sizeof p->parttype);
	good = good && !rest && n <= (size_t)(word - words);
	return good ? 0 : shell_error(s, "-N %s: %s", text, types[type].help);
}

int shell_prepare(struct shell *s, const char *text)
{
	const char *equals = strchr(text, '=');
	CLEANUP(free_ptr)
	char *file =
		equals ? alloc_strndup(text, (size_t)(equals - text)) : alloc_printf("test%zu.img", s->nprepared + 1);
	struct prepared *more = alloc_resize(s->prepared, s->nprepared + 1, sizeof *more);
	struct prepared *p;
	int fd, err = 0;

	if (more)
		s->prepared = more;
	if (!more || !file)
		return shell_nomem(s);
	p = &s->prepared[s->nprepared];
	if (parse(s, equals ? equals + 1 : text, p))
		return -1;
	p->disk = s->nimages;
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_CLOEXEC, 0666);
	if (fd < 0 || ftruncate(fd, (off_t)p->size) < 0)
		err = errno;
	if (fd >= 0)
		close(fd);
	if (err)
		return shell_error(s, "%s: %s", file, strerror(err));
	s->nprepared++;
	return shell_add_image(s, file, "raw");
}

/* A command with words of our own. */
static int run(struct shell *s, const char *const *words)
{
	char *copy[8];
	size_t n = 0;
	int rc = 0;

	for (; n < ARRAY_LEN(copy) && words[n]; n++) {
		copy[n] = alloc_strdup(words[n]);
		if (!copy[n])
			rc = shell_nomem(s);
	}
	if (rc == 0)
		rc = shell_run_words(s, copy, n, NULL);
	while (n)
		free(copy[--n]);
	return rc;
}
#define RUN(s, ...) run(s, (const char *const[]){ __VA_ARGS__, NULL })

/* A partition becomes a volume group with one logical volume, whose name goes to `device`. */
static int prepare_volume(struct shell *s, const struct prepared *p, const char *part, char *device, size_t size)
{
	int rc = RUN(s, "pvcreate", part);

	snprintf(device, size, "/dev/%s/%s", p->group, p->volume);
	if (rc == 0)
		rc = RUN(s, "vgcreate", p->group, part);
	return rc ? rc : RUN(s, "lvcreate-free", p->volume, p->group, "100");
}

static int prepare_boot(struct shell *s, const struct prepared *p, const char *disk)
{
	char start[32], end[32];
	const uint64_t sector = 512, boot_end = 2048 + p->bootsize / sector - 1;
	const bool gpt = strcmp(p->parttype, "gpt") == 0;
	int rc = RUN(s, "part-init", disk, p->parttype);

	snprintf(end, sizeof end, "%" PRIu64, boot_end);
	snprintf(start, sizeof start, "%" PRIu64, boot_end + 1);
	if (rc == 0)
		rc = RUN(s, "part-add", disk, gpt ? "boot" : "p", "2048", end);
	return rc ? rc : RUN(s, "part-add", disk, gpt ? "root" : "p", start, gpt ? "-128" : "-1");
}

static int prepare_one(struct shell *s, const struct prepared *p)
{
	struct dry_disk d;
	char boot[80], last[300];
	int rc;

	if (p->type == PREPARED_DISK)
		return 0;
	if (!dry_guest_disk(s->g, p->disk, &d))
		return shell_error(s, "the prepared disk has gone");
	snprintf(boot, sizeof boot, "%.64s1", d.device);
	snprintf(last, sizeof last, "%.64s%d", d.device, has_boot(p) ? 2 : 1);
	rc = has_boot(p) ? prepare_boot(s, p, d.device) : RUN(s, "part-disk", d.device, p->parttype);
	if (rc == 0 && has_boot(p))
		rc = RUN(s, "mkfs", p->words[0], boot);
	if (rc == 0 && (p->type == PREPARED_LV || p->type == PREPARED_LVFS || p->type == PREPARED_BOOTROOTLV)) {
		CLEANUP(free_ptr) char *part = alloc_strdup(last);

		rc = part ? prepare_volume(s, p, part, last, sizeof last) : shell_nomem(s);
	}
	if (rc || p->type == PREPARED_PART || p->type == PREPARED_LV)
		return rc;
	return RUN(s, "mkfs", p->words[has_boot(p)], last);
}

int shell_prepare_content(struct shell *s)
{
	int rc = 0;

	for (size_t i = 0; i < s->nprepared && rc == 0; i++)
		rc = prepare_one(s, &s->prepared[i]);
	return rc;
}
