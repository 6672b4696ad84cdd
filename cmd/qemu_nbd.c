/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qemu_nbd.c - called as qemu-nbd, the program takes that program's options, prints what version 7.2 of it prints and exits as
 * it exits.
 */
#include "qemu_img.h"
#include "serve_device.h"
#include "serve_list.h"
#include "serve_live.h"
#include "serve_tls.h"

#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

struct peer {
	struct serve_live live;
	struct qi_name name;
	struct serve_objects objects;
	enum dry_cache cache;
	const char *offset, *shared, *snapshot, *export_name, *description, *tls_creds, *tls_authz, *tls_hostname;
	const char *aio, *discard, *detect_zeroes, *cache_word;
	struct opt_list bitmaps;
	bool read_only, temporary, depth, list, disconnect;
	uint64_t off;
	struct dry_opts *snapshot_opts; /* of "snapshot.id=ID,snapshot.name=NAME"; NULL: the text is either */
	struct dry_image *img;
	struct dry_tls *tls;
};

static void peer_free(struct peer *p)
{
	dry_image_close(p->img);
	dry_opts_free(p->snapshot_opts);
	dry_tls_free(p->tls);
	serve_free(&p->live);
	serve_objects_free(&p->objects);
	opt_list_free(&p->bitmaps);
}

__attribute__((format(printf, 1, 2))) static int fail(const char *fmt, ...)
{
	va_list ap;

	fputs("qemu-nbd: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return EXIT_FAILED;
}

/* A library's sentence as the peer would begin it. */
static int fail_error(struct dry_error *e)
{
	e->msg[0] = (char)toupper((unsigned char)e->msg[0]);
	return fail("%s", e->msg);
}

static void print_help(void)
{
	printf("Usage: qemu-nbd [OPTIONS] FILE\n"
	       "  or:  qemu-nbd -L [OPTIONS]\n"
	       "  or:  qemu-nbd -d DEV\n"
	       "Serves the disk image FILE to clients of the NBD protocol.\n"
	       "\n"
	       "  -h, --help                display this help and exit\n"
	       "  -V, --version             output version information and exit\n"
	       "\n"
	       "  -p, --port=PORT           port to listen on (10809)\n"
	       "  -b, --bind=IFACE          address to bind to (0.0.0.0)\n"
	       "  -k, --socket=PATH         path of a unix socket instead\n"
	       "  -e, --shared=NUM          clients at a time (1); 0: any number\n"
	       "  -t, --persistent          stay when the last client has left\n"
	       "  -v, --verbose             tell which clients are sent away, and why\n"
	       "  -x, --export-name=NAME    name of the export (empty)\n"
	       "  -D, --description=TEXT    what it is, for people\n"
	       "\n"
	       "  -c, --connect=DEV         show FILE at this device of the kernel (/dev/nbd0)\n"
	       "  -d, --disconnect          take away what the device named as FILE shows\n"
	       "\n"
	       "  -o, --offset=OFFSET       offset into the image\n"
	       "  -A, --allocation-depth    expose the allocation depth\n"
	       "  -B, --bitmap=NAME         expose a persistent dirty bitmap\n"
	       "\n"
	       "  -L, --list                list the exports of another server\n"
	       "  --object type,id=ID,...   secret, tls-creds-x509, tls-creds-psk or authz-simple\n"
	       "  --tls-creds=ID            encrypt with these credentials\n"
	       "  --tls-hostname=NAME       with -L: whose certificate the server's must be\n"
	       "  --tls-authz=ID            let in only these clients\n"
	       "  --fork                    go to the background when clients can come\n"
	       "  --pid-file=PATH           store the number of the process there\n"
	       "\n"
	       "  -f, --format=FORMAT       format of the image (raw, qcow2, ...)\n"
	       "  -r, --read-only           export read-only\n"
	       "  -s, --snapshot            write to a temporary file, not to FILE\n"
	       "  -l, --load-snapshot=SNAP  export this internal snapshot, read-only:\n"
	       "                            'snapshot.id=[ID],snapshot.name=[NAME]', or '[ID_OR_NAME]'\n"
	       "  -n, --nocache             --cache=none\n"
	       "      --cache=MODE          none, writeback (default), writethrough, directsync or unsafe\n"
	       "      --aio=MODE            native, io_uring or threads\n"
	       "      --discard=MODE        ignore, unmap\n"
	       "      --detect-zeroes=MODE  off, on, unmap\n"
	       "      --image-opts          FILE is a string of options\n"
	       "\n"
	       "See <https://qemu.org/contribute/report-a-bug> for how to report bugs.\n"
	       "More information on the QEMU project at <https://qemu.org>.\n");
}

static void print_version(void)
{
	printf("qemu-nbd 7.2.22 (drydock %s)\n", dry_version());
}

/* ---- options ---- */

enum {
	OPT_CACHE = 256,
	OPT_AIO,
	OPT_DISCARD,
	OPT_DETECT,
	OPT_OBJECT,
	OPT_TLS_CREDS,
	OPT_TLS_HOSTNAME,
	OPT_TLS_AUTHZ,
	OPT_IMAGE_OPTS,
	OPT_FORK,
	OPT_PID_FILE,
	OPT_SELINUX,
};

static const struct option longs[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "bind", required_argument, NULL, 'b' },
	{ "port", required_argument, NULL, 'p' },
	{ "socket", required_argument, NULL, 'k' },
	{ "offset", required_argument, NULL, 'o' },
	{ "read-only", no_argument, NULL, 'r' },
	{ "allocation-depth", no_argument, NULL, 'A' },
	{ "bitmap", required_argument, NULL, 'B' },
	{ "connect", required_argument, NULL, 'c' },
	{ "disconnect", no_argument, NULL, 'd' },
	{ "list", no_argument, NULL, 'L' },
	{ "snapshot", no_argument, NULL, 's' },
	{ "load-snapshot", required_argument, NULL, 'l' },
	{ "nocache", no_argument, NULL, 'n' },
	{ "cache", required_argument, NULL, OPT_CACHE },
	{ "aio", required_argument, NULL, OPT_AIO },
	{ "discard", required_argument, NULL, OPT_DISCARD },
	{ "detect-zeroes", required_argument, NULL, OPT_DETECT },
	{ "shared", required_argument, NULL, 'e' },
	{ "format", required_argument, NULL, 'f' },
	{ "persistent", no_argument, NULL, 't' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "object", required_argument, NULL, OPT_OBJECT },
	{ "export-name", required_argument, NULL, 'x' },
	{ "description", required_argument, NULL, 'D' },
	{ "tls-creds", required_argument, NULL, OPT_TLS_CREDS },
	{ "tls-hostname", required_argument, NULL, OPT_TLS_HOSTNAME },
	{ "tls-authz", required_argument, NULL, OPT_TLS_AUTHZ },
	{ "image-opts", no_argument, NULL, OPT_IMAGE_OPTS },
	{ "fork", no_argument, NULL, OPT_FORK },
	{ "pid-file", required_argument, NULL, OPT_PID_FILE },
	{ "selinux-label", required_argument, NULL, OPT_SELINUX },
	{ "trace", required_argument, NULL, 'T' },
	{ NULL, 0, NULL, 0 },
};

/* A word that may be said once: false when it was. */
static bool once(const char **slot, const char *value, const char *option)
{
	if (*slot)
		fail("%s can only be specified once", option);
	else
		*slot = value;
	return *slot == value;
}

static bool is_one_of(const char *word, const char *list)
{
	CLEANUP(free_ptr) char *padded = alloc_printf(" %s ", word);

	return padded && !strchr(word, ' ') && strstr(list, padded) != NULL;
}

static bool take_cache(struct peer *p, const char *word)
{
	if (!once(&p->cache_word, word, "-n and --cache"))
		return false;
	if (dry_cache_parse(strcmp(word, "off") == 0 ? "none" : word, &p->cache))
		return true;
	fail("Invalid cache mode `%s'", word);
	return false;
}

static bool take_shared(struct peer *p, const char *word)
{
	uint64_t n;

	if (!text_parse_u64(word, &n) || n > INT32_MAX) {
		fail("Invalid shared device number '%s'", word);
		return false;
	}
	p->live.clients = (unsigned)n;
	return true;
}

static bool take_object(struct peer *p, const char *text)
{
	struct dry_error e = { .code = DRY_OK };

	if (serve_objects_add(&p->objects, text, &e) == 0)
		return true;
	fail("%s%s", e.msg, qi_object_hint(&e));
	return false;
}

static bool take_snapshot(struct peer *p, const char *text)
{
	const char *key, *value;
	struct dry_error e;
	bool ok = true;

	p->snapshot = text;
	if (strncmp(text, "snapshot.", 9) != 0)
		return true;
	if (!p->snapshot_opts)
		p->snapshot_opts = dry_opts_new();
	if (!p->snapshot_opts || dry_opts_parse(p->snapshot_opts, text, NULL, &e) < 0)
		ok = false;
	for (size_t i = 0; ok && dry_opts_at(p->snapshot_opts, i, &key, &value); i++) {
		ok = strcmp(key, "snapshot.id") == 0 || strcmp(key, "snapshot.name") == 0;
		if (!ok)
			fail("Invalid parameter '%s'", key);
	}
	if (!ok)
		fail("Failed in parsing snapshot param `%s'", text);
	return ok;
}

/* One option; OPTS_BAD: a sentence was printed. */
static enum opts_answer take_option(struct peer *p, int c)
{
	bool ok = true;

	switch (c) {
	case 'h':
		print_help();
		return OPTS_DONE;
	case 'V':
		print_version();
		return OPTS_DONE;
	case 'b':
		p->live.bind = optarg;
		break;
	case 'p':
		p->live.port = optarg;
		break;
	case 'k':
		p->live.socket = optarg;
		if (*optarg != '/') {
			fail("socket path must be absolute");
			ok = false;
		}
		break;
	case 'o':
		p->offset = optarg;
		break;
	case 'r':
		p->read_only = true;
		break;
	case 'A':
		p->depth = true;
		break;
	case 'B':
		ok = opt_list_add(&p->bitmaps, optarg);
		break;
	case 'c':
		p->live.device = optarg;
		break;
	case 'd':
		p->disconnect = true;
		break;
	case 'L':
		p->list = true;
		break;
	case 's':
		p->temporary = true;
		break;
	case 'l':
		p->read_only = true;
		ok = take_snapshot(p, optarg);
		break;
	case 'n':
		ok = take_cache(p, "none");
		break;
	case OPT_CACHE:
		ok = take_cache(p, optarg);
		break;
	case OPT_AIO:
		ok = once(&p->aio, optarg, "--aio");
		if (ok && !is_one_of(optarg, " threads native io_uring ")) {
			fail("Invalid aio mode '%s'", optarg);
			ok = false;
		}
		break;
	case OPT_DISCARD:
		ok = once(&p->discard, optarg, "--discard");
		if (ok && !is_one_of(optarg, " unmap on ignore off ")) {
			fail("Invalid discard mode `%s'", optarg);
			ok = false;
		}
		break;
	case OPT_DETECT:
		p->detect_zeroes = optarg;
		if (!is_one_of(optarg, " off on unmap ")) {
			fail("Failed to parse detect_zeroes mode: invalid parameter value: %s", optarg);
			ok = false;
		}
		break;
	case 'e':
		p->shared = optarg;
		ok = take_shared(p, optarg);
		break;
	case 'f':
		p->name.format = optarg;
		break;
	case 't':
		p->live.persistent = true;
		break;
	case 'v':
		p->live.verbose = true;
		break;
	case OPT_OBJECT:
		ok = take_object(p, optarg);
		break;
	case 'x':
		p->export_name = optarg;
		break;
	case 'D':
		p->description = optarg;
		break;
	case OPT_TLS_CREDS:
		p->tls_creds = optarg;
		break;
	case OPT_TLS_HOSTNAME:
		p->tls_hostname = optarg;
		break;
	case OPT_TLS_AUTHZ:
		p->tls_authz = optarg;
		break;
	case OPT_IMAGE_OPTS:
		p->name.image_opts = true;
		break;
	case OPT_FORK:
		p->live.background = true;
		break;
	case OPT_PID_FILE:
		p->live.pid_file = optarg;
		break;
	case OPT_SELINUX:
		fail("SELinux labels (--selinux-label) are not available");
		ok = false;
		break;
	case 'T':
		fail("tracing (-T) is not available");
		ok = false;
		break;
	default:
		fprintf(stderr, "qemu-nbd: Try `qemu-nbd --help' for more information.\n");
		ok = false;
		break;
	}
	return ok ? OPTS_OK : OPTS_BAD;
}

/* A number, without a suffix. */
static bool judge_offset(struct peer *p)
{
	uint64_t n;

	if (!p->offset || (text_parse_u64(p->offset, &p->off) && p->off <= INT64_MAX))
		return true;
	if (p->offset[0] == '-' && text_parse_u64(p->offset + 1, &n))
		fail("Parameter 'offset' expects a non-negative number below 2^64\n"
		     "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\nand exabytes, respectively.");
	else
		fail("Invalid offset '%s'", p->offset);
	return false;
}

static bool judge_list(const struct peer *p, int operands)
{
	if (operands)
		fail("List mode is incompatible with a file name");
	else if (p->export_name || p->description || p->offset || p->shared || p->read_only || p->temporary || p->cache_word ||
		 p->aio || p->discard || p->detect_zeroes || p->name.format || p->depth || p->bitmaps.n || p->name.image_opts ||
		 p->live.persistent || p->live.pid_file || p->live.background)
		fail("List mode is incompatible with per-device settings");
	else
		return true;
	return false;
}

/* Whether the words go together, operands too. */
static bool judge(struct peer *p, int operands)
{
	if (p->list && !p->disconnect && !judge_list(p, operands))
		return false;
	if ((!p->list || p->disconnect) && operands != 1) {
		fprintf(stderr, "qemu-nbd: Invalid number of arguments\nTry `qemu-nbd --help' for more information.\n");
		return false;
	}
	if (p->disconnect)
		return true;
	if (p->live.device && (p->list || p->tls_creds)) {
		fail(p->list ? "List mode is incompatible with per-device settings" : "TLS is not supported with a host device");
		return false;
	}
	if (p->detect_zeroes && strcmp(p->detect_zeroes, "unmap") == 0 &&
	    !(p->discard && is_one_of(p->discard, " unmap on "))) {
		fail("setting detect-zeroes to unmap is not allowed without setting discard operation to unmap");
		return false;
	}
	if (p->tls_authz && (!p->tls_creds || p->list)) {
		fail(p->list ? "TLS authorization is incompatible with export list"
			     : "--tls-authz is not permitted without --tls-creds");
		return false;
	}
	if (p->tls_hostname && (!p->tls_creds || !p->list)) {
		fail(p->tls_creds ? "TLS hostname is only required with export list"
				  : "--tls-hostname is not permitted without --tls-creds");
		return false;
	}
	if (p->name.image_opts && p->name.format) {
		fail("--image-opts and -f are mutually exclusive");
		return false;
	}
	return judge_offset(p);
}

/* ---- the image ---- */

/* The snapshot's id, which is the caller's. */
static char *find_snapshot(struct peer *p, struct dry_image *img)
{
	const char *id = p->snapshot_opts ? dry_opts_get(p->snapshot_opts, "snapshot.id") : NULL;
	const char *name = p->snapshot_opts ? dry_opts_get(p->snapshot_opts, "snapshot.name") : NULL;
	const struct dry_snapshot *list;
	char *found = NULL;
	size_t n = 0;

	if (dry_image_snapshots(img, &list, &n, NULL) < 0)
		n = 0;
	for (size_t i = 0; !found && i < n; i++)
		if (!p->snapshot_opts ? strcmp(list[i].id, p->snapshot) == 0
				      : (!id || strcmp(list[i].id, id) == 0) && (!name || strcmp(list[i].name, name) == 0))
			found = alloc_strdup(list[i].id);
	for (size_t i = 0; !p->snapshot_opts && !found && i < n; i++)
		if (strcmp(list[i].name, p->snapshot) == 0)
			found = alloc_strdup(list[i].id);
	if (!found)
		fail("Failed to load snapshot: Can't find snapshot");
	return found;
}

static bool open_with(struct peer *p, const char *snapshot, struct dry_image **out)
{
	struct dry_opts *opts = NULL;
	struct dry_error e = { .code = DRY_OK };
	struct dry_open how = { .format = p->name.format, .cache = p->cache, .secrets = p->objects.secrets,
				.policy.trust = DRY_TRUST_ANY, .snapshot = snapshot };
	const char *name = p->name.name;
	int rc;

	how.flags = p->read_only ? 0 : DRY_OPEN_WRITE | DRY_OPEN_GUESS_WRITE;
	if (p->temporary)
		how.flags |= DRY_OPEN_TEMPORARY;
	opts = dry_opts_new();
	rc = opts ? 0 : -1;
	if (rc == 0 && p->name.image_opts) {
		rc = dry_opts_parse(opts, name, "file", &e);
		name = NULL;
	}
	if (rc == 0)
		rc = dry_opts_set(opts, "discard", p->discard ? p->discard : "ignore", &e);
	if (rc == 0 && p->detect_zeroes)
		rc = dry_opts_set(opts, "detect-zeroes", p->detect_zeroes, &e);
	how.opts = opts;
	if (rc == 0)
		rc = dry_image_open(name, &how, out, &e);
	if (rc < 0) {
		CLEANUP(strbuf_free) struct strbuf why = STRBUF_INIT;
		const char *at = name ? name : p->name.name;

		qi_open_reason(&why, name, &how, &e);
		/* The host's own words are told behind the name of the file; those of a format are not. */
		fail("Failed to blk_new_open '%s': %s", at, why.s);
	}
	dry_opts_free(opts);
	return rc == 0;
}

static bool open_image(struct peer *p)
{
	CLEANUP(free_ptr) char *id = NULL;
	struct dry_info info;

	if (p->aio && strcmp(p->aio, "native") == 0 && p->cache != DRY_CACHE_NONE && p->cache != DRY_CACHE_DIRECTSYNC) {
		fail("Failed to blk_new_open '%s': aio=native was specified, but it requires cache.direct=on, which was not "
		     "specified.", p->name.name);
		return false;
	}
	if (!open_with(p, NULL, &p->img))
		return false;
	if (!p->name.format && !p->name.image_opts && !p->read_only && dry_image_info(p->img, &info, NULL) == 0 && info.guessed)
		fprintf(stderr,
			"WARNING: Image format was not specified for '%s' and probing guessed raw.\n"
			"         Automatically detecting the format is dangerous for raw images, write operations on block 0 will "
			"be restricted.\n"
			"         Specify the 'raw' format explicitly to remove the restrictions.\n",
			p->name.name);
	if (!p->snapshot)
		return true;
	id = find_snapshot(p, p->img);
	if (!id)
		return false;
	dry_image_close(take(p->img));
	return open_with(p, id, &p->img);
}

/* ---- the server ---- */

static int run_server(struct peer *p)
{
	const struct dry_export x = {
		.name = p->export_name ? p->export_name : "",
		.description = p->description,
		.image = p->img,
		.off = p->off,
		.writable = !p->read_only,
		.depth = p->depth,
		.bitmaps = p->bitmaps.items,
		.nbitmaps = p->bitmaps.n,
	};
	const struct dry_server_how how = {
		.exports = &x,
		.nexports = 1,
		.clients = p->live.clients,
		.handshake_seconds = SERVE_HANDSHAKE_SECONDS,
		.tls = p->tls,
		.note = serve_note,
		.arg = &p->live,
	};
	struct dry_server *server;
	struct dry_error e = { .code = DRY_OK };
	int status = EXIT_DONE;

	if (dry_server_new(&how, &server, &e) < 0) {
		const char *name = strchr(e.msg, '"'); /* of the bitmap, in the sentence */

		if (e.code == DRY_NOT_FOUND && name)
			return fail("Bitmap '%.*s' is not found", (int)strcspn(name + 1, "\""), name + 1);
		return fail_error(&e);
	}
	serve_ready(&p->live);
	if (!serve_clients(&p->live, server))
		status = EXIT_FAILED;
	/* The peer does not look back at what its clients were told. */
	(void)dry_server_stop(server, NULL);
	if (!p->read_only && dry_image_finish(p->img, &e) < 0)
		status = fail_error(&e);
	return status;
}

static int serve_disk(struct peer *p, const char *name)
{
	struct dry_error e = { .code = DRY_OK };
	int status;

	p->name.name = name;
	if (serve_fork(&p->live, &status))
		return status;
	if (p->tls_creds && serve_tls_new(&p->objects, p->tls_creds, p->tls_authz, false, &p->tls, &e) < 0)
		return fail_error(&e);
	if (!serve_listen(&p->live) || !open_image(p))
		return EXIT_FAILED;
	if (p->off && p->off >= dry_image_size(p->img))
		return fail("Invalid offset '%s'", p->offset);
	if (!serve_confine(&p->live))
		return EXIT_FAILED;
	return run_server(p);
}

static int list_exports(struct peer *p)
{
	struct dry_error e = { .code = DRY_OK };
	const char *hostname = p->tls_hostname ? p->tls_hostname : p->live.socket ? NULL : p->live.bind;

	if (p->tls_creds && serve_tls_new(&p->objects, p->tls_creds, NULL, true, &p->tls, &e) < 0)
		return fail_error(&e);
	return serve_list(&p->live, p->tls, hostname, false);
}

int cmd_qemu_nbd(int argc, char **argv)
{
	static char self[] = "qemu-nbd"; /* what getopt calls us */
	CLEANUP(peer_free) struct peer p = { .live = SERVE_LIVE_INIT("qemu-nbd"), .cache = DRY_CACHE_WRITEBACK };
	int c;

	argv[0] = self;
	p.live.bind = "0.0.0.0";
	p.live.port = "10809";
	p.live.clients = 1;
	p.live.peer = true;
	while ((c = getopt_long(argc, argv, "hVb:o:p:rsnc:dvk:e:f:tl:x:T:D:AB:L", longs, NULL)) != -1) {
		enum opts_answer a = take_option(&p, c);

		if (a != OPTS_OK)
			return a == OPTS_DONE ? EXIT_DONE : EXIT_FAILED;
	}
	if (!judge(&p, argc - optind))
		return EXIT_FAILED;
	if (p.disconnect)
		return serve_device_disconnect(&p.live, argv[optind]);
	p.live.device_export = p.export_name;
	if (p.live.device && !p.live.verbose)
		p.live.background = true;
	return p.list ? list_exports(&p) : serve_disk(&p, argv[optind]);
}
