/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io.c - the exerciser's options and its command loop; called qemu-io it takes that program's options. */
#include "io_session.h"
#include "image.h"
#include "qemu_img.h"

#include "alloc.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MAX_WORDS = 256 };

static const struct io_command *const tables[] = {
	io_aio_commands, io_data_commands, io_debug_commands, io_file_commands, io_help_commands,
};

/* ---- messages ---- */

enum io_answer io_error(const struct io_session *s, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "%s: ", s->self);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return IO_FAILED;
}

/* Under the name that the user knows it by. */
static void print_oneline(const struct io_command *c, const char *name)
{
	printf("%s", name);
	if (c->args)
		printf(" %s", c->args);
	printf(" -- %s\n", c->oneline);
}

enum io_answer io_usage(const struct io_command *c)
{
	print_oneline(c, c->name);
	return IO_FAILED;
}

/* ---- help and quit ---- */

static const struct io_command *find_command(const char *name)
{
	for (size_t t = 0; t < ARRAY_LEN(tables); t++)
		for (const struct io_command *c = tables[t]; c->name; c++)
			if (strcmp(c->name, name) == 0 || (c->alias && strcmp(c->alias, name) == 0))
				return c;
	return NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct io_command *const *)a)->name, (*(const struct io_command *const *)b)->name);
}

static void print_all_commands(void)
{
	const struct io_command *all[64];
	size_t n = 0;

	for (size_t t = 0; t < ARRAY_LEN(tables); t++)
		for (const struct io_command *c = tables[t]; c->name && n < ARRAY_LEN(all); c++)
			all[n++] = c;
	qsort(all, n, sizeof *all, by_name);
	for (size_t i = 0; i < n; i++)
		print_oneline(all[i], all[i]->name);
	printf("\nUse 'help commandname' for extended help.\n");
}

static enum io_answer run_help(struct io_session *s, int argc, char **argv)
{
	const struct io_command *c;

	(void)s;
	if (argc == 1) {
		print_all_commands();
		return IO_OK;
	}
	c = find_command(argv[1]);
	if (!c) {
		printf("command %s not found\n", argv[1]);
		return IO_FAILED;
	}
	print_oneline(c, argv[1]);
	if (c->help)
		puts(c->help);
	return IO_OK;
}

static enum io_answer run_quit(struct io_session *s, int argc, char **argv)
{
	(void)s;
	(void)argc;
	(void)argv;
	return IO_QUIT;
}

const struct io_command io_help_commands[] = {
	{ "help", "?", run_help, 0, 1, true, false, "[command]", "help for one or all commands", NULL },
	{ "quit", "q", run_quit, 0, 0, true, false, NULL, "exit the program", NULL },
	{ NULL, NULL, NULL, 0, 0, false, false, NULL, NULL, NULL },
};

/* ---- one command ---- */

static enum io_answer check_count(const struct io_command *c, int nargs)
{
	if (nargs >= c->argmin && (c->argmax < 0 || nargs <= c->argmax))
		return IO_OK;
	fflush(stdout);
	if (c->argmax < 0)
		fprintf(stderr, "bad argument count %d to %s, expected at least %d arguments\n", nargs, c->name, c->argmin);
	else if (c->argmin == c->argmax)
		fprintf(stderr, "bad argument count %d to %s, expected %d arguments\n", nargs, c->name, c->argmin);
	else
		fprintf(stderr, "bad argument count %d to %s, expected between %d and %d arguments\n", nargs, c->name, c->argmin,
			c->argmax);
	return IO_FAILED;
}

static enum io_answer run_words(struct io_session *s, int argc, char **argv)
{
	const struct io_command *c = find_command(argv[0]);
	enum io_answer a;

	if (!c) {
		fflush(stdout);
		fprintf(stderr, "command \"%s\" not found\n", argv[0]);
		return IO_FAILED;
	}
	if (!c->without_image && !s->img) {
		fflush(stdout);
		fprintf(stderr, "no file open, try 'help open'\n");
		return IO_FAILED;
	}
	a = check_count(c, argc - 1);
	if (a != IO_OK)
		return a;
	if (c->writes && s->img && s->how.read_only)
		return io_error(s, "Block node is read-only");
	/* What getopt says of a wrong letter comes in order with what we print. */
	fflush(stdout);
	return c->run(s, argc, argv);
}

/* Splits at blanks and runs; a failure marks the session. */
static enum io_answer run_line(struct io_session *s, const char *line)
{
	CLEANUP(free_ptr) char *copy = alloc_strdup(line);
	char *words[MAX_WORDS + 1];
	char *rest = NULL;
	int n = 0;
	enum io_answer a;

	if (!copy)
		return io_error(s, "out of memory");
	for (char *w = strtok_r(copy, " ", &rest); w && n < MAX_WORDS; w = strtok_r(NULL, " ", &rest))
		words[n++] = w;
	words[n] = NULL;
	if (!n)
		return IO_OK;
	a = run_words(s, n, words);
	if (a == IO_FAILED)
		s->failed = true;
	return a;
}

static void run_stdin(struct io_session *s)
{
	CLEANUP(free_ptr) char *line = NULL;
	size_t cap = 0;

	for (;;) {
		ssize_t n;

		printf("%s> ", s->self);
		fflush(stdout);
		n = getline(&line, &cap, stdin);
		if (n < 0)
			break;
		if (n && line[n - 1] == '\n')
			line[n - 1] = '\0';
		if (run_line(s, line) == IO_QUIT)
			break;
	}
}

/* ---- the session ---- */

static int run_session(struct io_session *s, const struct opt_list *commands, const char *name)
{
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->idle, NULL);
	if (name && io_open(s, name, NULL) != IO_OK)
		s->failed = true;
	if (!s->failed && commands->n) {
		for (size_t i = 0; i < commands->n; i++)
			if (run_line(s, commands->items[i]) == IO_QUIT)
				break;
	} else if (!s->failed) {
		run_stdin(s);
	}
	io_drain(s);
	if (io_close(s) != IO_OK)
		s->failed = true;
	dry_opts_free(s->opts);
	free(s->name);
	pthread_cond_destroy(&s->idle);
	pthread_mutex_destroy(&s->lock);
	return s->failed ? EXIT_FAILED : EXIT_DONE;
}

static void session_secrets_free(struct io_session *s)
{
	dry_secrets_free(s->secrets);
}

/* Adds a secret as the text describes it. */
static bool io_object(struct io_session *s, const char *text)
{
	size_t len = strcspn(text, ",=");
	struct dry_error e = { 0 };

	if (text[len] != '=' && *text != '{' && (len != 6 || memcmp(text, "secret", 6) != 0)) {
		io_error(s, "Parameter 'qom-type' does not accept value '%.*s'", (int)len, text);
		return false;
	}
	if (!s->secrets)
		s->secrets = dry_secrets_new();
	if (s->secrets && dry_secrets_add(s->secrets, text, &e) == 0)
		return true;
	e.msg[0] = (char)toupper((unsigned char)e.msg[0]);
	io_error(s, "%s%s", s->secrets ? e.msg : "out of memory", qi_object_hint(&e));
	return false;
}

int cmd_io(int argc, char **argv)
{
	const struct usage u = { "io", "[options] [IMAGE]",
				 "Reads and writes an image by hand or by script, to try what it does." };
	CLEANUP(opt_list_free) struct opt_list commands = { NULL, 0 };
	CLEANUP(session_secrets_free) struct io_session s = { .self = "drydock io", .how = { .cache = DRY_CACHE_WRITETHROUGH } };
	CLEANUP(image_how_free) struct image_how keys = { .format = NULL };
	const char *cache = NULL;
	int status;
	const struct opt opts[] = {
		OPT_LIST('c', "cmd", "COMMAND", &commands, "run this command instead of those on standard input"),
		OPT_STRING('f', "format", "FMT", &s.how.format, "format of the image (guessed if not given)"),
		OPT_FLAG('r', "read-only", &s.how.read_only, "open read-only"),
		OPT_FLAG('s', "snapshot", &s.how.temporary, "write to a temporary file, leave the image as it is"),
		OPT_FLAG('C', "copy-on-read", &s.how.copy_on_read, "write what is read from a backing file into the image"),
		OPT_FLAG('m', "misalign", &s.misalign, "use buffers at odd addresses"),
		OPT_STRING('t', "cache", "MODE", &cache, "none, writeback, writethrough, directsync or unsafe"),
		OPT_FLAG('U', "force-share", &s.how.force_share, "read although another process is writing to it"),
		OPT_FLAG(0, "image-opts", &s.how.options_given, "IMAGE is a string of options (driver=qcow2,file.filename=...)"),
		IMAGE_OPT_NEW_SECRETS(&keys),
		OPT_END,
	};

	switch (opts_parse(&u, opts, &argc, &argv)) {
	case OPTS_DONE:
		return EXIT_DONE;
	case OPTS_BAD:
		return EXIT_USAGE;
	case OPTS_OK:
		break;
	}
	if (argc > 1)
		return cmd_usage("io", "one image at a time");
	if (cache && !dry_cache_parse(cache, &s.how.cache))
		return cmd_usage("io", "--cache: \"%s\" is no cache mode", cache);
	if (s.how.options_given && s.how.format)
		return cmd_usage("io", "--format and --image-opts exclude each other");
	status = image_secrets_of(&keys, &s.secrets);
	return status != EXIT_DONE ? status : run_session(&s, &commands, argc ? argv[0] : NULL);
}

/* ---- under the peer's name ---- */

static void print_peer_usage(void)
{
	printf("Usage: qemu-io [OPTIONS]... [-c STRING]... [file]\n"
	       "QEMU Disk exerciser\n"
	       "\n"
	       "  --object OBJECTDEF   define an object such as 'secret' for\n"
	       "                       passwords and/or encryption keys\n"
	       "  --image-opts         treat file as option string\n"
	       "  -c, --cmd STRING     execute command with its arguments\n"
	       "                       from the given string\n"
	       "  -f, --format FMT     specifies the block driver to use\n"
	       "  -r, --read-only      export read-only\n"
	       "  -s, --snapshot       use snapshot file\n"
	       "  -n, --nocache        disable host cache, short for -t none\n"
	       "  -C, --copy-on-read   enable copy-on-read\n"
	       "  -m, --misalign       misalign allocations for O_DIRECT\n"
	       "  -k, --native-aio     use kernel AIO implementation\n"
	       "                       (Linux only, prefer use of -i)\n"
	       "  -i, --aio=MODE       use AIO mode (threads, native or io_uring)\n"
	       "  -t, --cache=MODE     use the given cache mode for the image\n"
	       "  -d, --discard=MODE   use the given discard mode for the image\n"
	       "  -T, --trace [[enable=]<pattern>][,events=<file>][,file=<file>]\n"
	       "                       specify tracing options\n"
	       "                       see qemu-img(1) man page for full description\n"
	       "  -U, --force-share    force shared permissions\n"
	       "  -h, --help           display this help and exit\n"
	       "  -V, --version        output version information and exit\n"
	       "\n"
	       "See 'qemu-io -c help' for information on available commands.\n"
	       "\n"
	       "See <https://qemu.org/contribute/report-a-bug> for how to report bugs.\n"
	       "More information on the QEMU project at <https://qemu.org>.\n");
}

enum { OPT_OBJECT = 256, OPT_IMAGE_OPTS };

int cmd_qemu_io(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ "cmd", required_argument, NULL, 'c' },
		{ "format", required_argument, NULL, 'f' },
		{ "read-only", no_argument, NULL, 'r' },
		{ "snapshot", no_argument, NULL, 's' },
		{ "nocache", no_argument, NULL, 'n' },
		{ "copy-on-read", no_argument, NULL, 'C' },
		{ "misalign", no_argument, NULL, 'm' },
		{ "native-aio", no_argument, NULL, 'k' },
		{ "aio", required_argument, NULL, 'i' },
		{ "discard", required_argument, NULL, 'd' },
		{ "cache", required_argument, NULL, 't' },
		{ "trace", required_argument, NULL, 'T' },
		{ "force-share", no_argument, NULL, 'U' },
		{ "object", required_argument, NULL, OPT_OBJECT },
		{ "image-opts", no_argument, NULL, OPT_IMAGE_OPTS },
		{ NULL, 0, NULL, 0 },
	};
	CLEANUP(opt_list_free) struct opt_list commands = { NULL, 0 };
	CLEANUP(session_secrets_free) struct io_session s = { .self = "qemu-io", .how = { .cache = DRY_CACHE_WRITETHROUGH } };
	static char self[] = "qemu-io"; /* what getopt calls us */
	int c;

	argv[0] = self;
	while ((c = getopt_long(argc, argv, "hVc:d:f:rsnCmki:t:T:U", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			s.how.temporary = true;
			break;
		case 'n':
			s.how.cache = DRY_CACHE_NONE;
			break;
		case 'C':
			s.how.copy_on_read = true;
			break;
		case 'd':
			if (!io_discard_mode(&s, optarg, &s.how.ignore_discard))
				return EXIT_FAILED;
			break;
		case 'f':
			s.how.format = optarg;
			break;
		case 'c':
			if (!opt_list_add(&commands, optarg))
				return EXIT_FAILED;
			break;
		case 'r':
			s.how.read_only = true;
			break;
		case 'm':
			s.misalign = true;
			break;
		case 'k':
			s.how.native_aio = true;
			break;
		case 'i':
			if (!io_aio_mode(&s, optarg, &s.how.native_aio))
				return EXIT_FAILED;
			break;
		case 't':
			if (!io_cache_mode(&s, optarg, &s.how.cache))
				return EXIT_FAILED;
			break;
		case 'T':
			io_error(&s, "tracing (-T) is not available");
			return EXIT_FAILED;
		case 'U':
			s.how.force_share = true;
			break;
		case 'V':
			printf("qemu-io version 7.2.22 (drydock %s)\n", dry_version());
			return EXIT_DONE;
		case 'h':
			print_peer_usage();
			return EXIT_DONE;
		case OPT_OBJECT:
			if (!io_object(&s, optarg))
				return EXIT_FAILED;
			break;
		case OPT_IMAGE_OPTS:
			s.how.options_given = true;
			break;
		default:
			print_peer_usage();
			return EXIT_FAILED;
		}
	}
	if (argc - optind > 1) {
		print_peer_usage();
		return EXIT_FAILED;
	}
	if (s.how.options_given && s.how.format) {
		io_error(&s, "--image-opts and -f are mutually exclusive");
		return EXIT_FAILED;
	}
	return run_session(&s, &commands, argc > optind ? argv[optind] : NULL);
}
