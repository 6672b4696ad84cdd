/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virt_log.c - the program under the name virt-log: the first of what a guest has of the journal, syslog and messages; of
 * Windows the system's event log.  It prints what the guest wrote as it is, as the peer does.
 */
#include "alloc.h"
#include "guest_file.h"
#include "log_line.h"
#include "virt.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#define JOURNAL "/var/log/journal"

static const struct option options[] = {
	{ "add", 1, NULL, 'a' },
	{ "blocksize", 2, NULL, VIRT_BLOCKSIZE },
	{ "connect", 1, NULL, 'c' },
	{ "domain", 1, NULL, 'd' },
	{ "echo-keys", 0, NULL, VIRT_ECHO_KEYS },
	{ "format", 2, NULL, VIRT_FORMAT },
	{ "help", 0, NULL, VIRT_HELP },
	{ "key", 1, NULL, VIRT_KEY },
	{ "keys-from-stdin", 0, NULL, VIRT_KEYS_FROM_STDIN },
	{ "long-options", 0, NULL, VIRT_LONG_OPTIONS },
	{ "short-options", 0, NULL, VIRT_SHORT_OPTIONS },
	{ "verbose", 0, NULL, 'v' },
	{ "version", 0, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"usage: virt-log [options] -a DISK [-a DISK...]\n\n"
	"Prints the log of a guest.\n\n"
	"  -a, --add DISK            a disk of the guest\n"
	"      --blocksize[=N]       sector size of the disk, 512 or 4096\n"
	"      --format[=FMT]        format of the disks behind it; without FMT it is found\n"
	VIRT_KEYS_HELP
	"  -v, --verbose; -x         tell what is done\n"
	"  -V, --version             print the version\n"
	"      --help                print this help\n";

static const char *field(const struct dry_log_entry *ent, const char *name, size_t *len)
{
	for (size_t i = 0; i < ent->nfields; i++) {
		if (strcmp(ent->fields[i].name, name) == 0) {
			*len = ent->fields[i].len;
			return ent->fields[i].value;
		}
	}
	return NULL;
}

/* "Nov 25 21:50:40 sshd[77] info: words" */
static int journal_line(void *arg, const struct dry_log_entry *ent)
{
	const time_t sec = (time_t)(ent->logged / 1000000);
	const char *text;
	char when[64];
	struct tm tm;
	size_t len;

	(void)arg;
	if (!localtime_r(&sec, &tm) || !strftime(when, sizeof when, "%b %d %H:%M:%S", &tm)) {
		fprintf(stderr, "virt-log: could not format journal entry timestamp\n");
		return 1;
	}
	fputs(when, stdout);
	if (ent->identifier)
		printf(" %s", ent->identifier);
	text = field(ent, "_PID", &len);
	if (text)
		printf("[%s]", text);
	printf(" %s:", log_priorities[ent->priority < 0 ? 6 : ent->priority]);
	if (ent->message_len) {
		putchar(' ');
		fwrite(ent->message, 1, ent->message_len, stdout);
	}
	putchar('\n');
	return 0;
}

static int event_line(void *arg, const struct dry_log_entry *ent)
{
	const char *slash = strrchr(ent->path, '/');
	bool *any = arg;

	/* As the peer, of all event logs this one. */
	if (!ent->xml || !slash || strcasecmp(slash, "/System.evtx") != 0)
		return 0;
	if (!*any)
		puts("<?xml version=\"1.1\" encoding=\"utf-8\" standalone=\"yes\" ?>\n\n<Events>");
	*any = true;
	puts(ent->xml);
	return 0;
}

static int failed(void *arg, const char *path, const struct dry_error *why)
{
	(void)arg;
	fprintf(stderr, "virt-log: %s: %s\n", path, why->msg);
	return 0;
}

static int walk(struct virt *v, enum dry_log_source source, int (*line)(void *arg, const struct dry_log_entry *ent), void *arg)
{
	const struct dry_log_query q = { .sources = 1u << source, .max_priority = -1 };
	const struct dry_log_walk w = { .entry = line, .failed = failed, .arg = arg };
	struct dry_error e = { .code = DRY_OK };

	if (dry_guest_log(v->guest, &q, &w, &e) == 0)
		return EXIT_DONE;
	return e.code == DRY_CANCELED ? EXIT_FAILED : virt_call_failed("journal_next", JOURNAL, &e);
}

static uint32_t type_of(struct virt *v, const char *path)
{
	struct dry_node n;
	struct dry_stat st;

	if (dry_guest_lookup(v->guest, path, true, &n, NULL) < 0 || dry_node_stat(v->guest, n, &st, NULL) < 0)
		return 0;
	return st.mode & S_IFMT;
}

static int show(struct virt *v)
{
	static const char *const files[] = { "/var/log/syslog", "/var/log/messages" };
	struct dry_error e = { .code = DRY_OK };
	struct dry_os os;
	bool any = false;
	int status;

	if (dry_guest_os(v->guest, &os, &e) < 0)
		return virt_call_failed("inspect_get_type", "/", &e);
	if (os.type && strcmp(os.type, "windows") == 0) {
		status = walk(v, DRY_LOG_EVTX, event_line, &any);
		if (any)
			puts("</Events>");
		else if (status == EXIT_DONE)
			fprintf(stderr, "virt-log: Windows Event Log file (%s) not found\n",
				"/Windows/System32/winevt/Logs/System.evtx");
		return any ? status : EXIT_FAILED;
	}
	if (type_of(v, JOURNAL) == S_IFDIR)
		return walk(v, DRY_LOG_JOURNAL, journal_line, NULL);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		CLEANUP(free_ptr) void *buf = NULL;
		int rc;

		if (type_of(v, files[i]) != S_IFREG)
			continue;
		buf = alloc_bytes(GUEST_FILE_CHUNK);
		if (!buf) {
			fprintf(stderr, "virt-log: out of memory\n");
			return EXIT_FAILED;
		}
		rc = guest_file_print(v->guest, files[i], buf, &e);
		if (rc == GUEST_FILE_STDOUT)
			return EXIT_FAILED;
		return rc < 0 ? virt_call_failed("download", files[i], &e) : EXIT_DONE;
	}
	return EXIT_DONE;
}

int virt_log(int argc, char **argv)
{
	CLEANUP(virt_free) struct virt v = { .name = "virt-log", .letters = "a:c:d:vVx", .options = options, .usage = usage };
	int c, rc = VIRT_GO_ON, index;

	while (rc == VIRT_GO_ON && (c = getopt_long(argc, argv, v.letters, options, &index)) != -1)
		rc = virt_option(&v, c, NULL);
	if (rc == VIRT_GO_ON && optind < argc) {
		fprintf(stderr,
			"virt-log: error: extra argument \xe2\x80\x98%s\xe2\x80\x99 on command line.\n"
			"Make sure to specify the argument for --format like '--format=%s'.\n",
			argv[optind], argv[optind]);
		rc = virt_usage(&v);
	}
	if (rc == VIRT_GO_ON)
		rc = virt_options_end(&v);
	if (rc == VIRT_GO_ON && !v.nimages) {
		fprintf(stderr, "virt-log: error: you must specify at least one -a or -d option.\n");
		rc = virt_usage(&v);
	}
	if (rc == VIRT_GO_ON)
		rc = virt_open_asking(&v);
	if (rc == VIRT_GO_ON)
		rc = virt_mount(&v);
	return rc == VIRT_GO_ON ? show(&v) : rc;
}
