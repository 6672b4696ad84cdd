/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest_opts.h"

#include "alloc.h"
#include "domain.h"
#include "guest_run.h"
#include "limits.h"
#include "text.h"
#include "uri.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/*
 * More than any honest job takes: caches are some tens of MiB, each thread's stack and arena reserve 72 MiB of address
 * space.  A runaway ends here and not in the host's swap.
 */
#define GUEST_MEMORY (4 * GiB)

const char *const confine_words[] = { "best", "required", "off", NULL };
const char *const engine_words[] = { "auto", "direct", "appliance", NULL };
const char *const backend_words[] = { "auto", "kvm", "uml", "tcg", NULL };

void guest_opts_free(struct guest_opts *o)
{
	opt_list_free(&o->images);
	opt_list_free(&o->mounts);
	opt_list_free(&o->domains);
	image_how_free(&o->image);
	guest_keys_free(&o->keys);
}

void guest_set_free(struct guest_set *s)
{
	for (size_t i = 0; i < s->nguests; i++) {
		guest_close(&s->guests[i]);
		free(s->guests[i].images);
		free(s->guests[i].formats);
	}
	for (size_t i = 0; i < s->ntexts; i++)
		free(s->texts[i]);
	free(s->guests);
	free(s->items);
	free(s->texts);
	dry_machines_stop(s->machines);
	*s = (struct guest_set){ .guests = NULL };
}

static int nomem(void)
{
	cmd_warn("out of memory");
	return EXIT_FAILED;
}

/* Owned by the set; NULL when memory is out. */
static const char *set_text(struct guest_set *s, const char *text, size_t len)
{
	char **texts = alloc_resize(s->texts, s->ntexts + 1, sizeof *texts);
	char *copy;

	if (!texts)
		return NULL;
	s->texts = texts;
	copy = alloc_strndup(text, len);
	if (copy)
		s->texts[s->ntexts++] = copy;
	return copy;
}

static struct guest_ref *set_add_guest(struct guest_set *s, const char *const *images, size_t nimages)
{
	struct guest_ref *guests = alloc_resize(s->guests, s->nguests + 1, sizeof *guests), *g;

	if (!guests)
		return NULL;
	s->guests = guests;
	g = &s->guests[s->nguests];
	*g = (struct guest_ref){ .images = alloc_array(nimages, sizeof *g->images), .nimages = nimages };
	if (!g->images)
		return NULL;
	memcpy(g->images, images, nimages * sizeof *images);
	g->label = images[0];
	s->nguests++;
	return g;
}

int guest_set_add(struct guest_set *s, const char *const *images, const char *const *formats, size_t n)
{
	struct guest_ref *g = set_add_guest(s, images, n);

	if (!g)
		return nomem();
	g->formats = alloc_array(n, sizeof *g->formats);
	if (!g->formats)
		return nomem();
	memcpy(g->formats, formats, n * sizeof *formats);
	return 0;
}

/* The guest whose one image is named so; several operands about one image are one guest. */
static bool set_find_guest(struct guest_set *s, const char *image, size_t len, size_t *out)
{
	for (size_t i = 0; i < s->nguests; i++) {
		if (strncmp(s->guests[i].label, image, len) == 0 && !s->guests[i].label[len]) {
			*out = i;
			return true;
		}
	}
	return false;
}

static int set_add_item(struct guest_set *s, size_t guest, const char *path)
{
	struct guest_item *items = alloc_resize(s->items, s->nitems + 1, sizeof *items);

	if (!items)
		return nomem();
	s->items = items;
	s->items[s->nitems++] = (struct guest_item){ guest, path };
	return 0;
}

size_t guest_split(const char *operand)
{
	const size_t scheme = uri_scheme(operand);
	const char *colon = strstr(operand + (scheme ? scheme + strlen("://") : 0), ":/");

	/* "http://host/image:/path" is split behind its host; "nbd:unix:/socket" is one name to its end. */
	if (scheme)
		return colon ? (size_t)(colon - operand) : 0;
	if (text_starts(operand, "nbd:", NULL))
		return 0;
	/* What is there under that very name is an image; and "json:..." is one name to its end. */
	if (text_starts(operand, "json:", NULL) || access(operand, F_OK) == 0)
		return 0;
	if (!colon) {
		/* As in scp: a colon behind a slash is part of a file's name. */
		colon = strchr(operand, ':');
		if (colon && memchr(operand, '/', (size_t)(colon - operand)))
			colon = NULL;
	}
	return colon ? (size_t)(colon - operand) : 0;
}

static int set_of_add(const struct guest_opts *o, struct guest_set *s)
{
	return set_add_guest(s, o->images.items, o->images.n) ? 0 : nomem();
}

int guest_set_domain(struct guest_set *s, const struct domain *d)
{
	CLEANUP(free_ptr) const char **images = alloc_array(d->ndisks + 1, sizeof *images);
	CLEANUP(free_ptr) const char **formats = alloc_array(d->ndisks + 1, sizeof *formats);

	if (!images || !formats)
		return nomem();
	if (!d->ndisks) {
		cmd_warn("%s: the domain has no disk that can be read", d->name);
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < d->ndisks; i++) {
		images[i] = set_text(s, d->disks[i].path, strlen(d->disks[i].path));
		formats[i] = d->disks[i].format ? set_text(s, d->disks[i].format, strlen(d->disks[i].format)) : NULL;
		if (!images[i] || (d->disks[i].format && !formats[i]))
			return nomem();
	}
	if (guest_set_add(s, images, formats, d->ndisks))
		return EXIT_FAILED;
	s->guests[s->nguests - 1].label = set_text(s, d->name, strlen(d->name));
	return s->guests[s->nguests - 1].label ? 0 : nomem();
}

static int set_of_domains(const char *verb, const struct guest_opts *o, struct guest_set *s)
{
	int rc = 0;

	if (o->images.n)
		return cmd_usage(verb, "a guest is given with -a or with --domain, not with both");
	for (size_t i = 0; i < o->domains.n && !rc; i++) {
		struct domain d;
		struct dry_error e = { .code = DRY_OK };

		rc = domain_load(o->domains.items[i], o->uri, &d, &e) < 0 ? cmd_fail(&e) : guest_set_domain(s, &d);
		domain_free(&d);
	}
	return rc;
}

int guest_set_images(const char *verb, const struct guest_opts *o, int argc, char **argv, struct guest_set *s)
{
	if (o->domains.n)
		return argc ? cmd_usage(verb, "with --domain there is no operand \"%s\"", argv[0]) : set_of_domains(verb, o, s);
	if (o->images.n) {
		if (argc)
			return cmd_usage(verb, "with -a there is no operand \"%s\"", argv[0]);
		return set_of_add(o, s);
	}
	if (!argc)
		return cmd_usage(verb, "name an image");
	for (int i = 0; i < argc; i++) {
		const char *const image = argv[i];

		if (!set_add_guest(s, &image, 1))
			return nomem();
	}
	return 0;
}

static int set_add_operand(const char *operand, struct guest_set *s)
{
	size_t len = guest_split(operand), guest;
	const char *path = len ? operand + len + 1 : NULL;

	if (!len)
		len = strlen(operand);
	if (!set_find_guest(s, operand, len, &guest)) {
		const char *image = set_text(s, operand, len);

		if (!image || !set_add_guest(s, &image, 1))
			return nomem();
		guest = s->nguests - 1;
	}
	return set_add_item(s, guest, path && !*path ? "/" : path);
}

int guest_set_paths(const char *verb, const struct guest_opts *o, int argc, char **argv, struct guest_set *s)
{
	int rc = o->domains.n ? set_of_domains(verb, o, s) : o->images.n ? set_of_add(o, s) : 0;

	if (o->domains.n) {
		for (size_t g = 0; g < s->nguests && !rc; g++)
			for (int i = 0; i < MAX_OF(argc, 1) && !rc; i++)
				rc = set_add_item(s, g, argc ? argv[i] : NULL);
		return rc;
	}
	if (!o->images.n && !argc)
		return cmd_usage(verb, "name an image, as in IMAGE:/path");
	for (int i = 0; i < argc && !rc; i++)
		rc = o->images.n ? set_add_item(s, 0, argv[i]) : set_add_operand(argv[i], s);
	if (!argc && !rc)
		rc = set_add_item(s, 0, NULL);
	return rc;
}

/* ---- the appliance ---- */

bool guest_volume_may_fail(const struct guest_opts *o, const struct dry_volume *v)
{
	return v->by_appliance && o->engine == DRY_ENGINE_AUTO;
}

/* What DRYDOCK_APPLIANCE says, where the option says nothing: 0, or the exit status with a sentence printed. */
static int backend_choose(struct guest_opts *o)
{
	const char *word = getenv("DRYDOCK_APPLIANCE");

	if (o->backend != DRY_BACKEND_AUTO || !word || !*word)
		return 0;
	for (int i = 0; backend_words[i]; i++) {
		if (strcmp(backend_words[i], word) == 0) {
			o->backend = i;
			return 0;
		}
	}
	cmd_warn("DRYDOCK_APPLIANCE: \"%s\" is not auto, kvm, uml or tcg", word);
	return EXIT_USAGE;
}

static void appliance_said(void *arg, const char *line)
{
	(void)arg;
	/* What its kernel says to its console is for who mends it. */
	if (text_starts(line, "appliance: ", NULL))
		cmd_warn("%s", line);
}

/* Who starts machines is started while programs can be started at all: before confinement.  Without one, ours will do. */
static int appliance_begin(struct guest_opts *o, struct guest_set *s)
{
	struct dry_machines_how how = o->machine;
	struct dry_error e = { .code = DRY_OK };
	const bool unwanted = o->engine == DRY_ENGINE_DIRECT && !o->needs_machine;
	int status = unwanted ? 0 : backend_choose(o);

	if (status || unwanted)
		return status;
	how.backend = (enum dry_backend)o->backend;
	how.log = o->verbose ? appliance_said : NULL;
	if (dry_machines_start(&how, &s->machines, &e) >= 0)
		return 0;
	if (o->engine == DRY_ENGINE_APPLIANCE || o->needs_machine || e.code == DRY_USAGE)
		return cmd_fail(&e);
	if (o->verbose)
		cmd_warn("%s", e.msg);
	return 0;
}

/* ---- opening and confinement ---- */

/* The folders in which an image and the files it may name lie. */
static int readable_folders(struct guest_set *s, const char *image, struct opt_list *out)
{
	const char *path = image;
	CLEANUP(free_ptr) char *real = NULL;
	const char *names[2];

	text_starts(image, "file:", &path);
	real = realpath(path, NULL);
	names[0] = path;
	names[1] = real;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *slash = names[i] ? strrchr(names[i], '/') : NULL;
		const char *folder, **items;

		if (!names[i])
			continue;
		folder = !slash ? "." : slash == names[i] ? "/" : set_text(s, names[i], (size_t)(slash - names[i]));
		items = folder ? alloc_resize(out->items, out->n + 1, sizeof *items) : NULL;
		if (!items)
			return nomem();
		out->items = items;
		out->items[out->n++] = folder;
	}
	return 0;
}

static int confine_first(const struct guest_opts *o, const struct guest_confine *c, struct guest_set *s)
{
	CLEANUP(opt_list_free) struct opt_list folders = { NULL, 0 };
	struct dry_error e = { .code = DRY_OK };
	struct dry_confine how = { .want = (enum dry_confinement)o->confine, .again = true, .memory = GUEST_MEMORY,
				   .terminal = o->keys.has_tty, .appliance = s->machines != NULL, .mount = c->mount };
	const struct dry_policy policy = image_policy_of(&o->image);
	bool everywhere = c->trust_backing;

	for (size_t i = 0; i < s->nguests; i++) {
		for (size_t k = 0; k < s->guests[i].nimages; k++) {
			const char *image = s->guests[i].images[k];

			/* A json: name holds paths that only the opener understands. */
			everywhere |= text_starts(image, "json:", NULL);
			if (readable_folders(s, image, &folders))
				return EXIT_FAILED;
		}
	}
	everywhere |= policy.trust == DRY_TRUST_ANY;
	for (size_t i = 0; i <= policy.nallowed; i++) {
		const char *path = i < policy.nallowed ? policy.allowed[i] : everywhere ? "/" : NULL;
		const char **items = path ? alloc_resize(folders.items, folders.n + 1, sizeof *items) : NULL;

		if (!path)
			continue;
		if (!items)
			return nomem();
		folders.items = items;
		folders.items[folders.n++] = path;
	}
	how.read_paths = folders.items;
	how.nread = folders.n;
	/* What the first call does not allow the second cannot give back. */
	how.write = c->write_dir >= 0;
	how.write_dir = c->write_dir;
	return dry_confine(&how, NULL, &e) < 0 ? cmd_fail(&e) : 0;
}

/* Does any image come from a server, or may it name one that does? */
static bool is_remote(const struct guest_opts *o, const struct guest_set *s)
{
	for (size_t i = 0; i < o->image.allow.n; i++)
		if (uri_scheme(o->image.allow.items[i]) || strcmp(o->image.allow.items[i], "any") == 0)
			return true;
	for (size_t i = 0; i < s->nguests; i++)
		for (size_t k = 0; k < s->guests[i].nimages; k++)
			if (dry_name_is_remote(s->guests[i].images[k]))
				return true;
	return false;
}

static void out_of_time(int sig)
{
	static const char text[] = "drydock: stopped: this guest takes more processor time than any honest one\n";
	ssize_t unused = write(STDERR_FILENO, text, sizeof text - 1);

	(void)unused;
	(void)sig;
	_exit(EXIT_FAILED);
}

static int confine_last(const struct guest_opts *o, const struct guest_confine *c, const struct guest_set *s)
{
	const struct dry_confine how = {
		.want = (enum dry_confinement)o->confine,
		.write = c->write_dir >= 0,
		.write_dir = c->write_dir,
		.memory = GUEST_MEMORY,
		.seconds = c->seconds,
		.terminal = o->keys.has_tty || c->shell,
		.appliance = s->machines != NULL,
		.mount = c->mount,
		.write_images = c->image_flags & DRY_OPEN_WRITE,
		.read_paths = c->read_paths,
		.nread = c->nread,
		.change = c->image_flags & DRY_OPEN_CHANGE && s->nguests == 1 ? s->guests[0].guest : NULL,
	};
	const struct sigaction act = { .sa_handler = out_of_time };
	struct dry_confined r;
	struct dry_error e = { .code = DRY_OK };

	if (c->seconds)
		sigaction(SIGXCPU, &act, NULL);
	if (dry_confine(&how, &r, &e) < 0)
		return cmd_fail(&e);
	if (o->verbose) {
		char landlock[40] = "";

		if (r.landlock)
			snprintf(landlock, sizeof landlock, ", Landlock (ABI %d)", r.landlock_abi);
		if (r.privs)
			cmd_warn("confined: no new privileges%s%s%s%s", landlock, r.seccomp ? ", seccomp" : "",
				 r.limits ? ", limits" : "", r.chroot ? ", root folder" : "");
		if (*r.missing)
			cmd_warn("not confined: %s", r.missing);
	}
	return 0;
}

void guest_close(struct guest_ref *g)
{
	if (g->guest && dry_guest_written(g->guest))
		guest_say(g, GUEST_WRITTEN);
	dry_guest_close(take(g->guest));
	while (g->nmore)
		dry_guest_close(g->more[--g->nmore]);
	free(take(g->more));
}

/* The further handles of a guest.  What cannot be had is done without: each is for speed only. */
static void open_more(const struct dry_guest_open *how, struct guest_ref *g, unsigned handles)
{
	struct dry_error e;

	g->more = handles > 1 ? alloc_array(handles - 1, sizeof *g->more) : NULL;
	while (g->more && g->nmore + 1 < handles && dry_guest_open(how, &g->more[g->nmore], &e) >= 0)
		g->nmore++;
}

/* temporary: a file for what is written to each image; NULL: none. */
static int open_one(struct guest_opts *o, const struct guest_confine *c, struct guest_set *s, struct guest_ref *g,
		    const int *temporary)
{
	CLEANUP(free_ptr) struct dry_guest_image *images = alloc_array(g->nimages, sizeof *images);
	struct dry_guest_open how = {
		.notice = cmd_notice,
		.images = images,
		.nimages = g->nimages,
		.policy = image_policy_of(&o->image),
		.flags = (o->image.force_share ? DRY_OPEN_FORCE_SHARE : 0) | c->image_flags | (temporary ? DRY_OPEN_TEMPORARY : 0),
		.temporary = temporary,
		.keys = o->keys.keys,
		.ask = guest_keys_ask(&o->keys),
		.engine = (enum dry_engine)o->engine,
		.machines = s->machines,
		.undo_file = c->undo,
	};
	struct dry_error e = { .code = DRY_OK };

	if (!images)
		return nomem();
	if (c->trust_backing)
		how.policy.trust = DRY_TRUST_ANY;
	for (size_t i = 0; i < g->nimages; i++)
		images[i] = (struct dry_guest_image){ g->images[i], g->formats ? g->formats[i] : o->image.format,
						      g->snapshot, 0 };
	for (size_t i = 0; i < g->nimages && c->scratch; i++) {
		if (strcmp(g->images[i], c->scratch) == 0) {
			images[i].format = NULL;
			images[i].flags = DRY_OPEN_TEMPORARY;
		}
	}
	if (dry_guest_open(&how, &g->guest, &e) < 0) {
		g->failed = true;
		return cmd_fail(&e); /* it names the image */
	}
	/* Nobody is asked for a passphrase twice, and none is worked out again and again. */
	how.ask = (struct dry_ask){ .passphrase = NULL };
	how.keys = NULL;
	how.notice = NULL;
	how.temporary = NULL;
	/* Of a server's image there is one handle: each would have connections of its own, and what is kept of it. */
	if (!is_remote(o, s))
		open_more(&how, g, s->handles);
	return 0;
}

/* Hundreds of guests, each of several files, and a descriptor for each folder on cp's way down. */
static void many_files(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
	}
}

/* Files for what is written to the images of a guest and thrown away, made while that may be done; NULL: there is no need. */
static int throwaway_files(const struct guest_confine *c, const struct guest_set *s, int **out)
{
	struct dry_error e = { .code = DRY_OK };
	const size_t n = s->nguests == 1 ? s->guests[0].nimages : 0;

	*out = NULL;
	if (!c->throwaway || !s->machines || !n)
		return 0;
	*out = alloc_array(n, sizeof **out);
	if (!*out)
		return nomem();
	for (size_t i = 0; i < n; i++) {
		(*out)[i] = dry_temporary(&e);
		if ((*out)[i] < 0)
			return cmd_fail(&e);
	}
	return 0;
}

int guest_set_open(struct guest_opts *o, const struct guest_confine *c, struct guest_set *s, bool *fatal)
{
	struct dry_error e = { .code = DRY_OK };
	CLEANUP(free_ptr) int *temporary = NULL;
	int status = EXIT_DONE;

	*fatal = true;
	if (o->image.format && !dry_format_known(o->image.format)) {
		cmd_warn("there is no image format \"%s\"", o->image.format);
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < o->mounts.n && !status; i++)
		status = guest_mount_check(o->mounts.items[i]);
	if (status)
		return status;
	if (!o->keys.peer)
		o->keys.ask = true;
	if (guest_keys_load(&o->keys, &e) < 0)
		return cmd_fail(&e);
	status = appliance_begin(o, s);
	if (status)
		return status;
	tzset(); /* reads a file of the host's */
	many_files();
	status = throwaway_files(c, s, &temporary);
	if (status)
		return status;
	/*
	 * Temporary files, images that are written to, and connections to servers can only be opened by a process that still
	 * may.
	 */
	if (!c->image_flags && !is_remote(o, s) && confine_first(o, c, s))
		return EXIT_FAILED;
	o->writes = c->image_flags & DRY_OPEN_WRITE;
	for (size_t i = 0; i < s->nguests; i++)
		if (open_one(o, c, s, &s->guests[i], temporary))
			status = EXIT_FAILED;
	if (confine_last(o, c, s))
		return EXIT_FAILED;
	*fatal = false;
	return status;
}

void guest_say(const struct guest_ref *g, const char *fmt, ...)
{
	CLEANUP(strbuf_free) struct strbuf line = STRBUF_INIT;
	va_list ap;

	strbuf_printf(&line, "drydock: %s: ", g->label);
	va_start(ap, fmt);
	strbuf_vprintf(&line, fmt, ap);
	va_end(ap);
	strbuf_putc(&line, '\n');
	guest_err(g, &line);
}

int guest_fail(const struct guest_ref *g, const struct dry_error *e)
{
	guest_say(g, "%s", e->msg);
	return e->code == DRY_USAGE ? EXIT_USAGE : EXIT_FAILED;
}

int guest_fail_file(const struct guest_ref *g, const char *path, const struct dry_error *e)
{
	CLEANUP(strbuf_free) struct strbuf quoted = STRBUF_INIT;

	text_quote(&quoted, path, strlen(path));
	guest_say(g, "%s: %s", quoted.s, e->msg);
	return EXIT_FAILED;
}

void guest_notes(const struct guest_opts *o, const struct guest_ref *g)
{
	const struct dry_volume *v;
	const char *note;
	size_t n;

	if (!g->guest)
		return;
	for (size_t i = 0; (note = dry_guest_warning(g->guest, i)); i++)
		guest_say(g, "%s", note);
	if (o->verbose)
		for (size_t i = 0; (note = dry_guest_note(g->guest, i)); i++)
			guest_say(g, "%s", note);
	else if (dry_guest_volumes(g->guest, &v, &n, NULL) == 0)
		for (size_t i = 0; i < n; i++)
			if (v[i].wrong_key)
				guest_say(g, "%s is encrypted, and no key that was given opens it", v[i].name);
}

int guest_mount_asked(const struct guest_opts *o, struct dry_guest *g, struct dry_error *e)
{
	int rc = 0;

	if (!o->mounts.n)
		return dry_guest_mount_auto(g, true, e);
	for (size_t i = 0; i < o->mounts.n && rc >= 0; i++)
		rc = guest_mount_given(g, o->mounts.items[i], e);
	return rc;
}

struct dry_guest *guest_ready(const struct guest_opts *o, struct guest_set *s, size_t guest)
{
	struct guest_ref *g = &s->guests[guest];
	struct dry_error e = { .code = DRY_OK };
	struct dry_mount m;
	int rc;

	if (!g->guest || g->failed || g->mounted)
		return g->failed ? NULL : g->guest;
	rc = guest_mount_asked(o, g->guest, &e);
	guest_notes(o, g);
	if (rc < 0) {
		g->failed = true;
		guest_fail(g, &e);
		return NULL;
	}
	g->mounted = true;
	for (size_t i = 0; o->verbose && dry_guest_mount_at(g->guest, i, &m); i++)
		guest_say(g, "%s is mounted on %s", m.volume, m.path);
	return g->guest;
}
