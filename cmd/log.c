/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.c - drydock log: all that guests have written down, by time. */
#include "alloc.h"
#include "guest_opts.h"
#include "json.h"
#include "limits.h"
#include "log_line.h"
#include "log_time.h"
#include "out.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

/* The last lines, for -n: what a person reads has some kilobytes. */
#define RING_BYTES (256 * MiB)

struct log {
	struct guest_opts guest;
	struct dry_log_query query;
	struct opt_list units, sources;
	const char *since, *until, *priority;
	bool json, utc, many, failed;
	struct guest_ref *ref; /* the present one */
	struct strbuf text;
	/* The last lines, oldest first from `first` on. */
	uint64_t lines;
	char **ring;
	size_t nring, ring_cap, first;
	uint64_t ring_bytes;
	bool ring_cut;
};

/* ---- the last lines ---- */

static void ring_drop(struct log *l)
{
	l->ring_bytes -= strlen(l->ring[l->first]);
	free(take(l->ring[l->first]));
	l->first = (l->first + 1) % l->ring_cap;
	l->nring--;
}

/* Makes room for twice as many, in order from 0 on. */
static bool ring_grow(struct log *l)
{
	size_t cap = l->ring_cap ? l->ring_cap * 2 : 64;
	char **ring = alloc_array(cap, sizeof *ring);

	if (!ring)
		return false;
	for (size_t i = 0; i < l->nring; i++)
		ring[i] = l->ring[(l->first + i) % l->ring_cap];
	free(l->ring);
	l->ring = ring;
	l->ring_cap = cap;
	l->first = 0;
	return true;
}

static int ring_add(struct log *l)
{
	char *line = strbuf_detach(&l->text);

	if (!line || (l->nring == l->ring_cap && l->nring < l->lines && !ring_grow(l))) {
		free(line);
		return 1;
	}
	if (l->nring == l->lines)
		ring_drop(l);
	l->ring[(l->first + l->nring++) % l->ring_cap] = line;
	l->ring_bytes += strlen(line);
	while (l->ring_bytes > RING_BYTES && l->nring > 1) {
		ring_drop(l);
		l->ring_cut = true;
	}
	return 0;
}

static void ring_print(struct log *l)
{
	if (l->ring_cut)
		cmd_warn("%s: only the last %zu entries are shown, which are some hundred megabytes", l->ref->label, l->nring);
	while (l->nring) {
		fputs(l->ring[l->first], stdout);
		ring_drop(l);
	}
	l->ring_cut = false;
}

/* ---- the walk ---- */

static int on_entry(void *arg, const struct dry_log_entry *ent)
{
	struct log *l = arg;

	if (l->json)
		log_line_json(&l->text, ent, l->ref->label);
	else
		log_line_text(&l->text, ent, l->utc);
	if (l->lines)
		return ring_add(l);
	return out_flush(&l->text);
}

static int on_failure(void *arg, const char *path, const struct dry_error *why)
{
	const struct log *l = arg;
	CLEANUP(strbuf_free) struct strbuf quoted = STRBUF_INIT;

	text_quote(&quoted, path, strlen(path));
	cmd_warn("%s: warning: %s: %s", l->ref->label, quoted.s, why->msg);
	return 0;
}

static int show_guest(struct log *l, struct guest_set *s, size_t i)
{
	const struct dry_log_walk w = { .entry = on_entry, .failed = on_failure, .arg = l };
	struct dry_guest *g = guest_ready(&l->guest, s, i);
	struct dry_error e = { .code = DRY_OK };
	int rc;

	if (!g)
		return EXIT_FAILED;
	l->ref = &s->guests[i];
	if (l->many && !l->json)
		printf("%s==> %s <==\n", i ? "\n" : "", l->ref->label);
	rc = dry_guest_log(g, &l->query, &w, &e);
	ring_print(l);
	guest_close(l->ref);
	if (rc < 0 && e.code == DRY_CANCELED)
		snprintf(e.msg, sizeof e.msg, "out of memory");
	return rc < 0 ? guest_fail(l->ref, &e) : EXIT_DONE;
}

/* ---- options ---- */

static int time_option(const char *name, const char *text, int64_t now, bool *has, int64_t *out)
{
	if (!text)
		return 0;
	*has = true;
	if (log_time_parse(text, now, out))
		return 0;
	return cmd_usage("log", "--%s: \"%s\" is not a time, such as \"2026-11-25 21:50\", yesterday or -2h", name, text);
}

static int priority_option(struct log *l)
{
	uint64_t number;

	l->query.max_priority = -1;
	if (!l->priority)
		return 0;
	for (int i = 0; log_priorities[i]; i++)
		if (strcmp(log_priorities[i], l->priority) == 0)
			l->query.max_priority = i;
	if (text_parse_u64(l->priority, &number) && number <= 7)
		l->query.max_priority = (int)number;
	if (l->query.max_priority >= 0)
		return 0;
	return cmd_usage("log", "\"%s\" is not a priority: emerg, alert, crit, err, warning, notice, info, debug, or 0 to 7",
			 l->priority);
}

/* "journal,syslog" */
static int source_option(struct log *l, const char *list)
{
	while (*list) {
		size_t len = strcspn(list, ",");
		const char *name;
		unsigned i = 0;

		while ((name = dry_log_source_name(i)) && (strlen(name) != len || strncmp(name, list, len) != 0))
			i++;
		if (!name)
			return cmd_usage("log", "\"%.*s\" is not a source: journal, syslog, packages, logins, evtx", (int)len,
					 list);
		l->query.sources |= 1u << i;
		list += len + (list[len] == ',');
	}
	return 0;
}

/* Units are services when they do not say what else. */
static int unit_options(struct log *l, struct guest_set *s)
{
	for (size_t i = 0; i < l->units.n; i++) {
		char *name = strchr(l->units.items[i], '.') ? NULL : alloc_printf("%s.service", l->units.items[i]);
		char **texts;

		if (strchr(l->units.items[i], '.'))
			continue;
		texts = name ? alloc_resize(s->texts, s->ntexts + 1, sizeof *texts) : NULL;
		if (!texts) {
			free(name);
			cmd_warn("out of memory");
			return EXIT_FAILED;
		}
		s->texts = texts;
		s->texts[s->ntexts++] = name;
		l->units.items[i] = name;
	}
	l->query.units = l->units.items;
	l->query.nunits = l->units.n;
	return 0;
}

static int prepare(struct log *l, struct guest_set *s)
{
	struct timespec ts;
	int64_t now;
	int status;

	clock_gettime(CLOCK_REALTIME, &ts);
	now = (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
	status = time_option("since", l->since, now, &l->query.has_since, &l->query.since);
	if (!status)
		status = time_option("until", l->until, now, &l->query.has_until, &l->query.until);
	if (!status)
		status = priority_option(l);
	for (size_t i = 0; i < l->sources.n && !status; i++)
		status = source_option(l, l->sources.items[i]);
	if (!status)
		status = unit_options(l, s);
	l->query.last = l->lines;
	l->many = s->nguests > 1;
	return status;
}

int cmd_log(int argc, char **argv)
{
	struct log l = { .text = STRBUF_INIT };
	CLEANUP(guest_set_free) struct guest_set set = { .guests = NULL };
	const struct usage u = { "log", "[options] IMAGE...", "Prints the logs of guests, merged by time." };
	const struct opt opts[] = {
		GUEST_OPTS(&l.guest),
		GUEST_OPT_MOUNT(&l.guest),
		OPT_STRING(0, "since", "TIME", &l.since, "leave out what is older"),
		OPT_STRING(0, "until", "TIME", &l.until, "leave out what is newer"),
		OPT_LIST('u', "unit", "UNIT", &l.units, "of this unit or program only; may be repeated"),
		OPT_STRING('p', "priority", "LEVEL", &l.priority, "this urgent or more: err, warning ..., 0 to 7"),
		OPT_STRING('b', "boot", "ID|N", &l.query.boot, "of this boot only: 0 the last, -1 the one before, 1 the first"),
		OPT_U64('n', "lines", "N", &l.lines, "the last N entries only"),
		OPT_LIST(0, "source", "LIST", &l.sources, "of journal, syslog, packages, logins, evtx only"),
		OPT_FLAG(0, "utc", &l.utc, "times in UTC, not in this machine's zone"),
		OPT_FLAG(0, "json", &l.json, "print a JSON object a line"),
		OPT_END,
	};
	const struct guest_confine confine = { .write_dir = -1 };
	bool fatal;
	int status = EXIT_USAGE;

	switch (opts_parse(&u, opts, &argc, &argv)) {
	case OPTS_DONE:
		status = EXIT_DONE;
		break;
	case OPTS_OK:
		status = guest_set_images("log", &l.guest, argc, argv, &set);
		if (!status)
			status = prepare(&l, &set);
		if (!status) {
			status = guest_set_open(&l.guest, &confine, &set, &fatal);
			for (size_t i = 0; i < set.nguests && !fatal; i++)
				status |= show_guest(&l, &set, i);
		}
		break;
	case OPTS_BAD:
		break;
	}
	free(l.ring);
	strbuf_free(&l.text);
	opt_list_free(&l.units);
	opt_list_free(&l.sources);
	guest_opts_free(&l.guest);
	return status;
}
