/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve.c - drydock serve: disks, parts of them, and volumes of a guest, as exports of an NBD server. */
#include "guest_keys.h"
#include "image.h"
#include "serve_device.h"
#include "serve_list.h"
#include "serve_live.h"
#include "serve_tls.h"

#include "alloc.h"
#include "limits.h"
#include "uri.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

extern const char *const confine_words[]; /* guest_opts.c */

/* In the order of their tables. */
static const char *const discard_words[] = { "unmap", "on", "ignore", "off", NULL };
static const char *const aio_words[] = { "threads", "native", "io_uring", NULL };
static const char *const detect_words[] = { "off", "on", "unmap", NULL };

struct serve {
	struct serve_live live;
	struct image_how image;
	struct guest_keys keys;
	struct serve_objects objects;
	struct opt_list volumes, bitmaps;
	const char *export_name, *description, *tls_creds, *tls_authz, *tls_hostname;
	bool writable, read_only, temporary, all_volumes, depth, list, json, disconnect;
	uint64_t offset, partition, shared, fd;
	int discard, aio, detect;
	/* What is open. */
	struct dry_image **images;
	size_t nimages;
	struct dry_guest *guest;
	struct dry_tls *tls;
	struct dry_export *exports;
	size_t nexports;
	char **names; /* made for exports, one each */
};

static void serve_end(struct serve *s)
{
	for (size_t i = 0; i < s->nimages; i++)
		dry_image_close(s->images[i]);
	free(s->images);
	dry_guest_close(s->guest);
	dry_tls_free(s->tls);
	for (size_t i = 0; i < s->nexports; i++)
		free(s->names[i]);
	free(s->names);
	free(s->exports);
	serve_free(&s->live);
	serve_objects_free(&s->objects);
	image_how_free(&s->image);
	guest_keys_free(&s->keys);
	opt_list_free(&s->volumes);
	opt_list_free(&s->bitmaps);
}

static int out_of_memory(void)
{
	cmd_warn("out of memory");
	return EXIT_FAILED;
}

/* ---- exports ---- */

/* One more; the name is copied. */
static int add_export(struct serve *s, const char *name, const struct dry_export *x)
{
	struct dry_export *exports = alloc_resize(s->exports, s->nexports + 1, sizeof *exports);
	char **names;

	if (!exports)
		return out_of_memory();
	s->exports = exports;
	names = alloc_resize(s->names, s->nexports + 1, sizeof *names);
	if (!names)
		return out_of_memory();
	s->names = names;
	s->names[s->nexports] = alloc_strdup(name);
	if (!s->names[s->nexports])
		return out_of_memory();
	s->exports[s->nexports] = *x;
	s->exports[s->nexports].name = s->names[s->nexports];
	s->exports[s->nexports].description = s->description;
	s->nexports++;
	return EXIT_DONE;
}

/* "NAME=IMAGE" where there are several; a lone image is what a client gets that asks for no name. */
static const char *image_of(const struct serve *s, const char *operand)
{
	const char *equals = strchr(operand, '=');
	const char *slash = strchr(operand, '/');

	return equals && equals != operand && (!slash || equals < slash) && strncmp(operand, "json:", 5) != 0 &&
			       !s->volumes.n && !s->all_volumes
		       ? equals + 1
		       : operand;
}

static char *name_of(const struct serve *s, const char *operand, bool alone)
{
	const char *image = image_of(s, operand), *slash = strrchr(image, '/');

	if (image != operand && !s->live.device)
		return alloc_strndup(operand, (size_t)(image - 1 - operand));
	if (alone)
		return alloc_strdup(s->export_name ? s->export_name : "");
	return alloc_strdup(slash ? slash + 1 : image);
}

static unsigned open_flags(const struct serve *s)
{
	return (s->writable ? DRY_OPEN_WRITE : 0) | (s->temporary ? DRY_OPEN_TEMPORARY : 0);
}

static int add_words(const struct serve *s, struct dry_opts *opts)
{
	struct dry_error e;
	int rc = 0;

	if (s->discard >= 2)
		rc = dry_opts_set(opts, "discard", discard_words[s->discard], &e);
	if (rc == 0 && s->detect)
		rc = dry_opts_set(opts, "detect-zeroes", detect_words[s->detect], &e);
	if (rc == 0 && s->aio == 1)
		rc = dry_opts_set(opts, "file.aio", aio_words[s->aio], &e);
	return rc < 0 ? cmd_fail(&e) : EXIT_DONE;
}

static int open_image(struct serve *s, const char *name, struct dry_image **out)
{
	CLEANUP(image_secretsp) struct dry_secrets *secrets = NULL;
	CLEANUP(image_optsp) struct dry_opts *opts = NULL;
	struct dry_error e;
	struct dry_open open;
	int status = image_how_to_open(&s->image, open_flags(s), &open, &opts, &secrets);

	if (status)
		return status;
	if (s->objects.secrets)
		open.secrets = s->objects.secrets;
	if (!opts)
		opts = dry_opts_new();
	if (!opts)
		return out_of_memory();
	status = add_words(s, opts);
	if (status)
		return status;
	open.opts = opts;
	return dry_image_open(name, &open, out, &e) == 0 ? EXIT_DONE : cmd_fail(&e);
}

static int open_images(struct serve *s, int n, char **operands)
{
	int status = EXIT_DONE;

	s->images = alloc_array((size_t)n, sizeof(struct dry_image *));
	if (!s->images)
		return out_of_memory();
	for (int i = 0; !status && i < n; i++) {
		CLEANUP(free_ptr) char *name = name_of(s, operands[i], n == 1);
		struct dry_export x = { .off = s->offset, .writable = s->writable, .depth = s->depth,
					.bitmaps = s->bitmaps.items, .nbitmaps = s->bitmaps.n };

		status = name ? open_image(s, image_of(s, operands[i]), &s->images[i]) : out_of_memory();
		if (status)
			break;
		s->nimages++;
		x.image = s->images[i];
		status = add_export(s, name, &x);
	}
	return status;
}

/* ---- volumes of a guest ---- */

static int open_guest(struct serve *s, int n, char **operands)
{
	struct dry_guest_image *images = alloc_array((size_t)n, sizeof *images);
	struct dry_guest_open how = { .nimages = (size_t)n, .policy = image_policy_of(&s->image), .engine = DRY_ENGINE_DIRECT };
	struct dry_error e;
	int rc;

	if (!images)
		return out_of_memory();
	how.flags = open_flags(s) | (s->image.force_share ? DRY_OPEN_FORCE_SHARE : 0);
	for (int i = 0; i < n; i++)
		images[i] = (struct dry_guest_image){ .name = operands[i], .format = s->image.format,
						      .snapshot = s->image.snapshot };
	how.images = images;
	s->keys.ask = !s->live.background;
	rc = guest_keys_load(&s->keys, &e);
	how.keys = s->keys.keys;
	how.ask = guest_keys_ask(&s->keys);
	if (rc == 0)
		rc = dry_guest_open(&how, &s->guest, &e);
	free(images);
	return rc < 0 ? cmd_fail(&e) : EXIT_DONE;
}

/* "sda1" and "vg/root": as clients name them. */
static const char *volume_label(const struct dry_volume *v)
{
	return strncmp(v->name, "/dev/", 5) == 0 ? v->name + 5 : v->name;
}

static bool is_called(const struct dry_volume *v, const char *name)
{
	if (strcmp(v->name, name) == 0 || strcmp(volume_label(v), name) == 0)
		return true;
	for (size_t i = 0; i < v->naliases; i++)
		if (strcmp(v->aliases[i], name) == 0)
			return true;
	return false;
}

static int add_volume(struct serve *s, size_t number, const struct dry_volume *v, const char *name)
{
	const struct dry_export x = { .guest = s->guest, .volume = number, .off = s->offset,
				      .writable = s->writable && v->writable };

	return add_export(s, name, &x);
}

/* Of those that are asked for by name. */
static int judge_writable(const struct serve *s, const struct dry_volume *v)
{
	if (!s->writable || v->writable)
		return EXIT_DONE;
	cmd_warn("%s: a volume that is made of others can only be read", v->name);
	return EXIT_FAILED;
}

static int add_named_volume(struct serve *s, const struct dry_volume *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		const char *label = s->live.device ? "" : volume_label(&list[i]);
		const char *own = s->volumes.n == 1 && s->export_name ? s->export_name : label;

		if (is_called(&list[i], name))
			return judge_writable(s, &list[i]) ? EXIT_FAILED : add_volume(s, i, &list[i], own);
	}
	cmd_warn("there is no volume \"%s\"", name);
	return EXIT_FAILED;
}

static int add_partition(struct serve *s, const struct dry_volume *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].number == s->partition && list[i].disk == 0)
			return add_volume(s, i, &list[i], s->export_name ? s->export_name : "");
	cmd_warn("there is no partition %" PRIu64, s->partition);
	return EXIT_FAILED;
}

/* Looks at the guest: the process is confined. */
static int add_volumes(struct serve *s)
{
	const struct dry_volume *list;
	struct dry_error e;
	size_t n;
	int status = EXIT_DONE;

	if (dry_guest_volumes(s->guest, &list, &n, &e) < 0)
		return cmd_fail(&e);
	if (s->partition)
		return add_partition(s, list, n);
	for (size_t i = 0; !status && i < s->volumes.n; i++)
		status = add_named_volume(s, list, n, s->volumes.items[i]);
	for (size_t i = 0; !status && s->all_volumes && i < n; i++)
		if (!list[i].locked && !list[i].extended)
			status = add_volume(s, i, &list[i], volume_label(&list[i]));
	if (!status && s->nexports == 0) {
		cmd_warn("there is no volume in it");
		status = EXIT_FAILED;
	}
	for (size_t i = 0; s->live.verbose && dry_guest_note(s->guest, i); i++)
		cmd_warn("%s", dry_guest_note(s->guest, i));
	return status;
}

/* ---- telling where ---- */

/* The URI of each export: who starts a server on any port learns which, and that it serves. */
static void tell_uris(const struct serve *s)
{
	if (!s->live.socket && !s->live.bound)
		return;
	for (size_t i = 0; i < s->nexports; i++) {
		CLEANUP(strbuf_free) struct strbuf uri = STRBUF_INIT;

		strbuf_puts(&uri, s->tls ? "nbds" : "nbd");
		if (s->live.socket)
			strbuf_puts(&uri, "+unix:///");
		else
			strbuf_printf(&uri, strchr(s->live.bind, ':') ? "://[%s]:%u/" : "://%s:%u/", s->live.bind,
				      (unsigned)s->live.bound);
		uri_escape(&uri, s->names[i]);
		if (s->live.socket) {
			strbuf_puts(&uri, "?socket=");
			uri_escape(&uri, s->live.socket);
		}
		puts(uri.failed ? "" : uri.s);
	}
	fflush(stdout);
}

/* ---- the command ---- */

static int finish(struct serve *s)
{
	struct dry_error e;
	int status = EXIT_DONE;

	for (size_t i = 0; s->writable && !s->temporary && i < s->nimages; i++)
		if (dry_image_finish(s->images[i], &e) < 0)
			status = cmd_fail(&e);
	if (s->writable && !s->temporary && s->guest && dry_guest_finish(s->guest, &e) < 0)
		status = cmd_fail(&e);
	return status;
}

static int run_server(struct serve *s)
{
	const struct dry_server_how how = {
		.exports = s->exports,
		.nexports = s->nexports,
		.clients = s->live.clients,
		.handshake_seconds = SERVE_HANDSHAKE_SECONDS,
		.tls = s->tls,
		.note = serve_note,
		.arg = &s->live,
	};
	struct dry_server *server;
	struct dry_error e;
	int status = EXIT_DONE;

	if (dry_server_new(&how, &server, &e) < 0)
		return cmd_fail(&e);
	tell_uris(s);
	serve_ready(&s->live);
	if (!serve_clients(&s->live, server))
		status = EXIT_FAILED;
	/* Its clients were told; whoever runs the server is told as well. */
	if (dry_server_stop(server, &e) < 0)
		status = cmd_fail(&e);
	return finish(s) ? EXIT_FAILED : status;
}

static int serve_disks(struct serve *s, int n, char **operands)
{
	const bool guest = s->volumes.n || s->all_volumes || s->partition;
	struct dry_error e;
	int status;

	if (serve_fork(&s->live, &status))
		return status;
	if (!serve_listen(&s->live))
		return EXIT_FAILED;
	if (s->tls_creds && serve_tls_new(&s->objects, s->tls_creds, s->tls_authz, false, &s->tls, &e) < 0)
		return cmd_fail(&e);
	status = guest ? open_guest(s, n, operands) : open_images(s, n, operands);
	if (!status && !serve_confine(&s->live))
		status = EXIT_FAILED;
	if (!status && guest)
		status = add_volumes(s);
	return status ? status : run_server(s);
}

static int list_exports(struct serve *s)
{
	struct dry_error e;

	if (s->tls_creds && serve_tls_new(&s->objects, s->tls_creds, NULL, true, &s->tls, &e) < 0)
		return cmd_fail(&e);
	return serve_list(&s->live, s->tls, s->tls_hostname ? s->tls_hostname : s->live.socket ? NULL : s->live.bind, s->json);
}

/* EXIT_DONE, or a sentence was printed. */
static int judge(struct serve *s, int n)
{
	const bool guest = s->volumes.n || s->all_volumes || s->partition;

	if (s->disconnect && (s->list || s->live.device || n != 1))
		return cmd_usage("serve", "--disconnect takes one device, and no image");
	if (s->live.device && (s->list || s->live.fd >= 0))
		return cmd_usage("serve", "--connect excludes --fd and --list");
	if (s->live.device && (s->all_volumes || s->volumes.n > 1 || (!guest && n > 1)))
		return cmd_usage("serve", "a device shows one export");
	if (s->live.device && s->tls_creds)
		return cmd_usage("serve", "nothing is encrypted on the way to a device of this host's kernel (--tls-creds)");
	if (s->list && n)
		return cmd_usage("serve", "--list takes no image");
	if (!s->list && n == 0)
		return cmd_usage("serve", "which image?");
	if (s->json && !s->list)
		return cmd_usage("serve", "--json belongs to --list");
	if (s->writable && s->read_only)
		return cmd_usage("serve", "--writable and --read-only exclude each other");
	if (s->temporary && (s->writable || s->read_only))
		return cmd_usage("serve", "--temporary excludes --writable and --read-only");
	if (s->writable && s->image.snapshot)
		return cmd_usage("serve", "a snapshot inside an image can only be read");
	if (s->writable && s->image.force_share)
		return cmd_usage("serve", "--force-share is for reading");
	if (s->export_name && !guest && n > 1)
		return cmd_usage("serve", "--export-name names one export; several are named NAME=IMAGE");
	if (s->export_name && guest && !s->partition && (s->all_volumes || s->volumes.n != 1))
		return cmd_usage("serve", "--export-name names one export");
	if (guest && (s->bitmaps.n || s->depth))
		return cmd_usage("serve", "--bitmap and --allocation-depth are of images, not of volumes");
	if (guest && (s->image.cache || s->discard >= 2 || s->detect || s->aio == 1))
		return cmd_usage("serve", "--cache, --aio, --discard and --detect-zeroes are of images, not of volumes");
	if (s->live.fd >= 0 && s->live.socket)
		return cmd_usage("serve", "--fd and --socket exclude each other");
	if (s->tls_authz && !s->tls_creds)
		return cmd_usage("serve", "--tls-authz needs --tls-creds");
	if (s->tls_hostname && (!s->tls_creds || !s->list))
		return cmd_usage("serve", "--tls-hostname belongs to --list with --tls-creds");
	return EXIT_DONE;
}

int cmd_serve(int argc, char **argv)
{
	const struct usage u = { "serve", "[options] [NAME=]IMAGE...",
				 "Serves disks to clients of the NBD protocol, for reading unless told otherwise." };
	CLEANUP(serve_end) struct serve s = { .live = SERVE_LIVE_INIT("drydock"), .shared = UINT64_MAX, .fd = UINT64_MAX };
	int status;
	const struct opt opts[] = {
		OPT_STRING('k', "socket", "PATH", &s.live.socket, "listen at this socket in the file system"),
		OPT_STRING('b', "bind", "ADDRESS", &s.live.bind, "listen at (or connect to) this address (localhost)"),
		OPT_STRING('p', "port", "PORT", &s.live.port, "and this port (10809); 0: any that is free"),
		OPT_STRING('c', "connect", "DEVICE", &s.live.device, "show the disk at this device of the kernel (/dev/nbd0)"),
		OPT_FLAG('d', "disconnect", &s.disconnect, "take away the disk from the device that is named instead of an image"),
		OPT_U64(0, "fd", "N", &s.fd, "the socket that is open as descriptor N: it listens, or is a client"),
		IMAGE_OPT_FORMAT(&s.image),
		OPT_FLAG('w', "writable", &s.writable, "clients may write"),
		OPT_FLAG('r', "read-only", &s.read_only, "they may not, as if nothing was said"),
		OPT_FLAG('s', "temporary", &s.temporary, "they may write, to a temporary file that goes away"),
		OPT_STRING('x', "export-name", "NAME", &s.export_name, "name of the export (none)"),
		OPT_STRING('D', "description", "TEXT", &s.description, "what it is, for --list"),
		OPT_U64('e', "shared", "N", &s.shared, "at most so many clients at a time (256)"),
		OPT_FLAG('t', "persistent", &s.live.persistent, "stay when the last client has left"),
		OPT_FLAG(0, "fork", &s.live.background, "go to the background when clients can come"),
		OPT_STRING(0, "pid-file", "FILE", &s.live.pid_file, "write the number of the process there"),
		OPT_SIZE('o', "offset", "BYTES", &s.offset, "leave out so much at the beginning"),
		OPT_U64(0, "partition", "N", &s.partition, "only this partition"),
		OPT_FLAG(0, "volumes", &s.all_volumes, "each partition and volume of the guest whose disks these are, by its name"),
		OPT_LIST(0, "volume", "NAME", &s.volumes, "only this one of them (sda1, vg/root)"),
		GUEST_KEYS_OPTS(&s.keys),
		IMAGE_OPT_SNAPSHOT(&s.image),
		OPT_LIST('B', "bitmap", "NAME", &s.bitmaps, "tell what this dirty bitmap of the image has marked"),
		OPT_FLAG('A', "allocation-depth", &s.depth, "tell which image of the backing chain has the data"),
		OPT_STRING(0, "cache", "MODE", &s.image.cache, "writeback, none, writethrough, directsync or unsafe"),
		OPT_CHOICE(0, "aio", "threads|native|io_uring", &s.aio, aio_words, "as the peer's: native needs --cache=none"),
		OPT_CHOICE(0, "discard", "unmap|ignore", &s.discard, discard_words, "whether discards free space (unmap)"),
		OPT_CHOICE(0, "detect-zeroes", "off|on|unmap", &s.detect, detect_words, "zeros that are written need no space"),
		IMAGE_OPT_ALLOW(&s.image),
		IMAGE_OPT_SHARE(&s.image),
		OPT_LIST(0, "open", "K=V,...", &s.image.open, "further options of opening the image (encrypt.key-secret=ID)"),
		OPT_LIST(0, "object", "TEXT", &s.image.objects, "a tls-creds-x509, tls-creds-psk, authz-simple or secret"),
		OPT_STRING(0, "tls-creds", "ID", &s.tls_creds, "all that is said is encrypted with these credentials"),
		OPT_STRING(0, "tls-authz", "ID", &s.tls_authz, "only these clients are let in"),
		OPT_STRING(0, "tls-hostname", "NAME", &s.tls_hostname, "with --list: whose certificate the server's must be"),
		OPT_FLAG('L', "list", &s.list, "print the exports of the server that is there"),
		OPT_FLAG(0, "json", &s.json, "as JSON"),
		OPT_CHOICE(0, "confine", "best|required|off", &s.live.confine, confine_words, "give up rights before serving"),
		OPT_FLAG('v', "verbose", &s.live.verbose, "tell which clients are sent away, and why"),
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
	if (s.fd != UINT64_MAX && s.fd > INT32_MAX)
		return cmd_usage("serve", "--fd: %" PRIu64 " is no descriptor", s.fd);
	if (s.shared != UINT64_MAX && (s.shared < 1 || s.shared > 65536))
		return cmd_usage("serve", "--shared: at least 1, at most 65536");
	if (s.fd != UINT64_MAX)
		s.live.fd = (int)s.fd;
	if (!s.live.bind)
		s.live.bind = "localhost";
	if (!s.live.port)
		s.live.port = "10809";
	s.live.clients = s.shared == UINT64_MAX ? LIMIT_NBD_CLIENTS : (unsigned)s.shared;
	status = judge(&s, argc);
	if (status)
		return status;
	for (size_t i = 0; i < s.image.objects.n; i++) {
		struct dry_error e;

		if (serve_objects_add(&s.objects, s.image.objects.items[i], &e) < 0)
			return cmd_usage("serve", "--object: %s", e.msg);
	}
	/* They are known by now, and not all of them are secrets. */
	opt_list_free(&s.image.objects);
	if (s.temporary)
		s.writable = true;
	s.live.device_export = s.export_name;
	if (s.disconnect)
		return serve_device_disconnect(&s.live, argv[0]);
	return s.list ? list_exports(&s) : serve_disks(&s, argc, argv);
}
