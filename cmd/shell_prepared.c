/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell_prepared.c - disks that are made when the session begins: -N. */
#include "shell.h"

#include "alloc.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

enum prepared_type { PREPARED_DISK, PREPARED_PART, PREPARED_FS, PREPARED_BOOTROOT };
struct prepared {
	enum prepared_type type;
	size_t disk; /* its place among the images */
	uint64_t size, bootsize;
	char words[2][32]; /* filesystems: of it, or of boot and root */
	char parttype[16];
};

static const struct {
	const char *name, *help;
	enum prepared_type type;
} types[] = {
	{ "disk", "disk[:SIZE]  an empty disk; 1G", PREPARED_DISK },
	{ "part", "part[:SIZE[:TABLE]]  a disk with one partition; 1G, mbr", PREPARED_PART },
	{ "fs", "fs[:FILESYSTEM[:SIZE[:TABLE]]]  a disk with a filesystem in a partition; ext2, 1G, mbr", PREPARED_FS },
	{ "bootroot",
	  "bootroot[:BOOTFS[:ROOTFS[:SIZE[:BOOTSIZE[:TABLE]]]]]  a disk with two filesystems; ext2, ext2, 1G, 128M, "
	  "mbr",
	  PREPARED_BOOTROOT },
};

void shell_prepare_help(void)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		printf("%s\n", types[i].help);
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

static int parse(struct shell *s, const char *text, struct prepared *p)
{
	CLEANUP(free_ptr) char *copy = alloc_strdup(text);
	char *rest = copy, *words[6] = { (char *)"", (char *)"", (char *)"", (char *)"", (char *)"", (char *)"" };
	size_t n = 0, type = 0;
	bool good = true;

	if (!copy)
		return shell_nomem(s);
	*p = (struct prepared){ .size = (uint64_t)1 << 30,
				.bootsize = (uint64_t)128 << 20,
				.words = { "ext2", "ext2" },
				.parttype = "mbr" };
	while (rest && n < ARRAY_LEN(words))
		words[n++] = strsep(&rest, ":");
	while (type < ARRAY_LEN(types) && strcmp(types[type].name, words[0]) != 0)
		type++;
	if (type == ARRAY_LEN(types))
		return shell_error(
			s, "-N %s: a prepared disk of this type is not here yet; -N help lists those that are", text);
	p->type = types[type].type;
	good = !rest;
	switch (p->type) {
	case PREPARED_DISK:
		good = good && n <= 2 && take_size(words[1], &p->size);
		break;
	case PREPARED_PART:
		good = good && n <= 3 && take_size(words[1], &p->size);
		take_text(words[2], p->parttype, sizeof p->parttype);
		break;
	case PREPARED_FS:
		good = good && n <= 4 && take_size(words[2], &p->size);
		take_text(words[1], p->words[0], sizeof p->words[0]);
		take_text(words[3], p->parttype, sizeof p->parttype);
		break;
	case PREPARED_BOOTROOT:
		good = good && take_size(words[3], &p->size) && take_size(words[4], &p->bootsize);
		take_text(words[1], p->words[0], sizeof p->words[0]);
		take_text(words[2], p->words[1], sizeof p->words[1]);
		take_text(words[5], p->parttype, sizeof p->parttype);
		break;
	}
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

static int prepare_one(struct shell *s, const struct prepared *p)
{
	struct dry_disk d;
	char part[2][80], start[32], end[32];
	const uint64_t sector = 512, boot_end = 2048 + p->bootsize / sector - 1;
	const bool gpt = strcmp(p->parttype, "gpt") == 0;
	int rc;

	if (p->type == PREPARED_DISK)
		return 0;
	if (!dry_guest_disk(s->g, p->disk, &d))
		return shell_error(s, "the prepared disk has gone");
	for (unsigned i = 0; i < 2; i++)
		snprintf(part[i], sizeof part[i], "%.64s%u", d.device, i + 1);
	if (p->type != PREPARED_BOOTROOT) {
		rc = RUN(s, "part-disk", d.device, p->parttype);
		return rc || p->type == PREPARED_PART ? rc : RUN(s, "mkfs", p->words[0], part[0]);
	}
	snprintf(end, sizeof end, "%" PRIu64, boot_end);
	snprintf(start, sizeof start, "%" PRIu64, boot_end + 1);
	rc = RUN(s, "part-init", d.device, p->parttype);
	if (rc == 0)
		rc = RUN(s, "part-add", d.device, gpt ? "boot" : "p", "2048", end);
	if (rc == 0)
		rc = RUN(s, "part-add", d.device, gpt ? "root" : "p", start, gpt ? "-128" : "-1");
	if (rc == 0)
		rc = RUN(s, "mkfs", p->words[0], part[0]);
	return rc ? rc : RUN(s, "mkfs", p->words[1], part[1]);
}

int shell_prepare_content(struct shell *s)
{
	int rc = 0;

	for (size_t i = 0; i < s->nprepared && rc == 0; i++)
		rc = prepare_one(s, &s->prepared[i]);
	return rc;
}
