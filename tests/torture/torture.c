/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "torture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* ---- random numbers ---- */

/* splitmix64: every seed is good, and the sequence is the same everywhere. */
uint64_t rng_next(struct rng *r)
{
	uint64_t z = (r->state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
	return rng_next(r) % n;
}

bool rng_one_in(struct rng *r, unsigned n)
{
	return rng_below(r, n) == 0;
}

void rng_fill(struct rng *r, void *buf, size_t len)
{
	uint8_t *p = buf;

	/* Half of the fills are easy to compress, and all tell where they came from. */
	if (rng_one_in(r, 2)) {
		memset(p, (int)(1 + rng_below(r, 255)), len);
		return;
	}
	for (size_t i = 0; i < len; i += 8) {
		uint64_t v = rng_next(r);

		memcpy(p + i, &v, MIN_OF((size_t)8, len - i));
	}
}

void rng_range(struct rng *r, uint64_t size, uint64_t *off, uint64_t *len)
{
	static const uint64_t grain[] = { 1, 512, 4096, 65536 };
	uint64_t g = grain[rng_below(r, ARRAY_LEN(grain))];

	*off = round_down(rng_below(r, size), g);
	*len = 1 + rng_below(r, rng_one_in(r, 8) ? size : MIN_OF(size, 6 * g));
	if (g > 1)
		*len = round_up(*len, g);
	*len = MIN_OF(*len, size - *off);
}

/* ---- TAP ---- */

static unsigned ntests, nbad;

void tap_result(const char *name, const char *why)
{
	ntests++;
	printf("%sok %u - %s\n", why ? "not " : "", ntests, name);
	if (why) {
		nbad++;
		printf("# %s\n", why);
	}
	fflush(stdout);
}

void tap_skip(const char *name, const char *why)
{
	printf("ok %u - %s # SKIP %s\n", ++ntests, name, why);
}

int tap_done(void)
{
	printf("1..%u\n", ntests);
	return nbad ? 1 : 0;
}

uint64_t env_number(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s && *s ? strtoull(s, NULL, 0) : otherwise;
}

/* ---- a folder and the peer ---- */

static char folder[256];

const char *torture_folder(void)
{
	const char *tmp = getenv("TMPDIR");

	if (!folder[0]) {
		snprintf(folder, sizeof folder, "%.200s/drydock-torture.XXXXXX", tmp ? tmp : "/var/tmp");
		if (!mkdtemp(folder)) {
			printf("Bail out! %s: %s\n", folder, strerror(errno));
			exit(1);
		}
	}
	return folder;
}

static int run(const char *const *argv, const char *output)
{
	posix_spawn_file_actions_t fa;
	int status = -1;
	pid_t pid;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_adddup2(&fa, 1, 2);
	if (posix_spawnp(&pid, argv[0], &fa, NULL, (char *const *)argv, environ) != 0)
		status = 127 << 8;
	else
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	posix_spawn_file_actions_destroy(&fa);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

void torture_folder_remove(void)
{
	const char *argv[] = { "rm", "-rf", folder, NULL };

	if (folder[0])
		run(argv, "/dev/null");
	folder[0] = 0;
}

char *torture_path(const char *name)
{
	return alloc_printf("%s/%s", torture_folder(), name);
}

int read_file(const char *path, uint8_t **bytes, size_t *len)
{
	FILE *f = fopen(path, "rb");
	long n = f && fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
	bool ok;

	*bytes = n > 0 ? malloc((size_t)n) : NULL;
	ok = *bytes && fseek(f, 0, SEEK_SET) == 0 && fread(*bytes, 1, (size_t)n, f) == (size_t)n;
	if (f)
		fclose(f);
	*len = ok ? (size_t)n : 0;
	return ok ? 0 : -1;
}

bool have_qemu_img(void)
{
	static int have = -1;
	const char *argv[] = { "qemu-img", "--version", NULL };

	if (have < 0)
		have = run(argv, "/dev/null") == 0;
	return have;
}

int qemu_img(const char *first, ...)
{
	const char *argv[32] = { "qemu-img", first };
	char *output = torture_path("qemu-img.out");
	char line[300];
	va_list ap;
	FILE *f;
	int rc;

	va_start(ap, first);
	for (int i = 2; i < 31 && (argv[i] = va_arg(ap, const char *)); i++)
		;
	va_end(ap);
	rc = run(argv, output);
	/* check tells by its status what it found: the caller asks. */
	f = rc && strcmp(first, "check") != 0 ? fopen(output, "r") : NULL;
	for (int i = 0; f && i < 20 && fgets(line, sizeof line, f); i++)
		printf("# qemu-img %s: %s", first, line);
	if (f)
		fclose(f);
	free(output);
	return rc;
}

void qemu_img_output(char *buf, size_t size)
{
	CLEANUP(free_ptr) char *output = torture_path("qemu-img.out");
	FILE *f = fopen(output, "r");
	size_t n;

	/* Findings come first, the report last. */
	if (f && fseek(f, -(long)(size - 1), SEEK_END) < 0)
		rewind(f);
	n = f ? fread(buf, 1, size - 1, f) : 0;
	buf[n] = 0;
	if (f)
		fclose(f);
}

/* ---- images ---- */

int memory_file(const void *bytes, size_t len, struct block **out, struct err *e)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	if (fd < 0)
		return err_sys(e, errno, "memfd");
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(fd, (const uint8_t *)bytes + done, len - done, (off_t)done);

		if (n <= 0) {
			close(fd);
			return err_sys(e, errno, "memfd");
		}
		done += (size_t)n;
	}
	return block_host_fd_open(fd, "memory", BLOCK_WRITE | BLOCK_RESIZE | BLOCK_NO_LOCK, out, e);
}

int qcow2_over(struct block *file, unsigned flags, const struct dict *extra, struct block **out, struct err *e)
{
	static const struct block_policy nowhere = { .allow_none = true };
	struct block_env env = { .flags = flags | BLOCK_NO_BACKING, .policy = &nowhere };
	CLEANUP(dict_free) struct dict opts = DICT_INIT;
	CLEANUP(block_unrefp) struct block *b = NULL;
	int rc = block_new_filter(&block_qcow2, file, &b, e);

	*out = NULL;
	if (rc < 0)
		return rc;
	b->flags = env.flags;
	if (extra && (rc = dict_merge(&opts, extra, e)) < 0)
		return rc;
	rc = block_qcow2.open(b, &opts, &env, e);
	if (rc == 0 && opts.n)
		rc = err_set(e, ERR_USAGE, "option \"%s\" was not taken", dict_first_key(&opts));
	if (rc == 0)
		*out = take(b);
	return rc;
}

void qcow2_random_options(struct rng *r, bool v2, struct dict *opts)
{
	static const char *const overlap[] = { "none", "constant", "cached", "all" };

	if (rng_one_in(r, 2)) {
		dict_set(opts, "l2-cache-size", "2k", NULL);
		dict_set(opts, "refcount-cache-size", "2k", NULL);
	}
	if (rng_one_in(r, 2))
		dict_set(opts, "l2-cache-entry-size", "512", NULL);
	dict_set(opts, "overlap-check", overlap[rng_below(r, ARRAY_LEN(overlap))], NULL);
	if (rng_one_in(r, 3))
		dict_set(opts, "pass-discard-other", "on", NULL);
	if (rng_one_in(r, 3))
		dict_set(opts, "pass-discard-request", "off", NULL);
	if (!v2 && rng_one_in(r, 4))
		dict_set(opts, "discard-no-unref", "on", NULL);
}

struct first_finding {
	char text[400];
};

static void keep_first(void *arg, bool fixed, const char *text)
{
	struct first_finding *f = arg;

	/* A leak says so in its first word: what is worse is worth more. */
	if (!fixed && (!f->text[0] || strncmp(f->text, "leaked", 6) == 0))
		snprintf(f->text, sizeof f->text, "%s", text);
}

int check_image(struct block *b, unsigned fix, struct err *e)
{
	struct first_finding first = { "" };
	struct check_report r = { .finding = keep_first, .arg = &first };
	int rc = block_check(b, fix, &r, e);

	if (rc < 0)
		return err_in(e, rc, "check");
	if (r.corruptions || r.check_errors)
		return err_set(e, ERR_CORRUPT, "check: %" PRIu64 " corruptions, %" PRIu64 " errors: %s", r.corruptions,
			       r.check_errors, first.text);
	if (r.leaks)
		err_set(e, ERR_NONE, "check: %" PRIu64 " leaks: %s", r.leaks, first.text);
	return r.leaks ? 1 : 0;
}

/* The number behind a key in the peer's JSON; a key that is left out is 0. */
static uint64_t peer_number(const char *json, const char *key)
{
	const char *at = strstr(json, key);

	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

int compare_checks(const char *path, struct check_report *report, struct err *e)
{
	struct block_open how = { .format = "qcow2", .flags = BLOCK_CHECK | BLOCK_NO_BACKING };
	CLEANUP(block_unrefp) struct block *b = NULL;
	struct check_report r = { .finding = NULL };
	char json[4000];
	int rc = block_open(path, &how, &b, e);

	if (rc == 0)
		rc = block_check(b, 0, &r, e);
	block_unrefp(&b);
	if (report)
		*report = r;
	if (rc < 0 || !have_qemu_img())
		return rc;
	qemu_img("check", "--output=json", "-f", "qcow2", path, NULL);
	qemu_img_output(json, sizeof json);
	const struct {
		const char *key;
		uint64_t ours;
	} numbers[] = {
		{ "\"leaks\": ", r.leaks },
		{ "\"corruptions\": ", r.corruptions },
		{ "\"check-errors\": ", r.check_errors },
		{ "\"image-end-offset\": ", r.image_end_offset },
		{ "\"total-clusters\": ", r.total_clusters },
		{ "\"allocated-clusters\": ", r.allocated_clusters },
		{ "\"fragmented-clusters\": ", r.fragmented_clusters },
		{ "\"compressed-clusters\": ", r.compressed_clusters },
	};
	if (!strstr(json, "total-clusters"))
		return err_set(e, ERR_CORRUPT, "the peer's check does not work: %.200s", json);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (peer_number(json, numbers[i].key) != numbers[i].ours)
			return err_set(e, ERR_CORRUPT, "%s%" PRIu64 " by the peer's check, %" PRIu64 " by ours",
				       numbers[i].key, peer_number(json, numbers[i].key), numbers[i].ours);
	return 0;
}

/* ---- the model ---- */

int model_resize(struct model *m, uint64_t size)
{
	uint8_t *p = realloc(m->bytes, size ? size : 1);

	if (!p)
		return -1;
	m->bytes = p;
	if (size > m->size)
		memset(p + m->size, 0, size - m->size);
	m->size = size;
	return 0;
}

int model_compare(const struct model *m, struct block *b, uint64_t off, uint64_t len, struct err *e)
{
	uint8_t *buf = malloc(len ? len : 1);
	int rc = buf ? block_pread(b, buf, len, off, e) : err_nomem(e);

	for (uint64_t i = 0; rc == 0 && i < len; i++)
		if (buf[i] != m->bytes[off + i])
			rc = err_set(e, ERR_CORRUPT, "byte %" PRIu64 " reads as %02x, not %02x (in a read of %" PRIu64
				     " at %" PRIu64 ")", off + i, buf[i], m->bytes[off + i], len, off);
	free(buf);
	return rc;
}
