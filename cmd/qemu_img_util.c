/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu_img_util.c - the qemu-img front end: messages, numbers, lists for -o, progress. */
#include "qemu_img.h"

#include "checked.h"
#include "dict.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

void qi_error(const char *fmt, ...)
{
	va_list ap;

	fputs("qemu-img: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int qi_usage(const char *fmt, ...)
{
	va_list ap;

	fputs("qemu-img: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("\nTry 'qemu-img --help' for more information\n", stderr);
	return EXIT_FAILED;
}

int qi_bad_option(int c, char **argv)
{
	if (c == ':')
		return qi_usage("missing argument for option '%s'", argv[optind - 1]);
	return qi_usage("unrecognized option '%s'", argv[optind - 1]);
}

const char *qi_reason(const struct dry_error *e)
{
	if (e->code == DRY_SYSTEM && e->sys_errno)
		return strerror(e->sys_errno);
	if (e->code == DRY_NOMEM)
		return strerror(ENOMEM);
	return e->msg;
}

bool qi_key_reason(struct strbuf *out, const struct dry_error *e)
{
	static const char *const beginnings[] = { "parameter '", "no secret with id '", "invalid password" };

	for (size_t i = 0; i < ARRAY_LEN(beginnings); i++) {
		const char *at = strstr(e->msg, beginnings[i]);

		/* Behind the name of the image, which the peer does not say again. */
		if (!at || (at != e->msg && at[-1] != ' '))
			continue;
		strbuf_putc(out, (char)toupper((unsigned char)*at));
		strbuf_puts(out, at + 1);
		return true;
	}
	return false;
}

const char *qi_io_reason(const struct dry_error *e)
{
	if (e->code != DRY_CORRUPT)
		return qi_reason(e);
	fprintf(stderr, "qcow2: Image is corrupt: %s; further non-fatal corruption events will be suppressed\n", e->msg);
	return strerror(EIO);
}

/* ---- numbers ---- */

static int suffix_shift(char c)
{
	static const char letters[] = "BKMGTPE";
	const char *at = c ? strchr(letters, toupper((unsigned char)c)) : NULL;

	return at ? (int)(at - letters) * 10 : -1;
}

static unsigned digit(char c)
{
	return isdigit((unsigned char)c) ? (unsigned)(c - '0') : (unsigned)(tolower((unsigned char)c) - 'a') + 10;
}

enum qi_number qi_parse_size(const char *text, uint64_t *out)
{
	const char *end;
	double fraction = 0;
	uint64_t whole = 0;
	int shift = 0;
	bool hex;

	while (isspace((unsigned char)*text))
		text++;
	if (*text == '+')
		text++;
	if (!isdigit((unsigned char)*text))
		return QI_INVALID;
	hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	end = hex ? text + 2 : text;
	if (hex && !isxdigit((unsigned char)*end))
		return QI_INVALID;
	for (; hex ? isxdigit((unsigned char)*end) : isdigit((unsigned char)*end); end++)
		if (!checked_mul(whole, hex ? 16 : 10, &whole) || !checked_add(whole, digit(*end), &whole))
			return QI_RANGE;
	if (!hex && *end == '.') {
		double unit = 0.1;

		for (end++; isdigit((unsigned char)*end); end++, unit /= 10)
			fraction += (*end - '0') * unit;
	}
	if (*end) {
		shift = suffix_shift(*end);
		if (shift < 0 || end[1])
			return QI_INVALID;
	}
	if (fraction > 0 && shift == 0)
		return QI_INVALID;
	if (shift && whole > UINT64_MAX >> shift)
		return QI_RANGE;
	whole <<= shift;
	fraction = floor(ldexp(fraction, shift) + 0.5);
	if (__builtin_add_overflow(whole, (uint64_t)fraction, out))
		return QI_RANGE;
	return QI_OK;
}

bool qi_size_range(const char *what, const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	switch (qi_parse_size(text, out)) {
	case QI_OK:
		if (*out >= min && *out <= max)
			return true;
		break;
	case QI_RANGE:
		break;
	case QI_INVALID:
		qi_error("Invalid %s specified. You may use k, M, G, T, P or E suffixes for", what);
		qi_error("kilobytes, megabytes, gigabytes, terabytes, petabytes and exabytes.");
		return false;
	}
	qi_error("Invalid %s specified. Must be between %" PRIu64 " and %" PRIu64 ".", what, min, max);
	return false;
}

bool qi_size_option(const char *what, const char *text, uint64_t *out)
{
	return qi_size_range(what, text, 0, INT64_MAX, out);
}

void qi_size_problem(struct strbuf *out, const char *name, const char *value, enum qi_number why)
{
	if (why == QI_RANGE)
		strbuf_printf(out, "Value '%s' is out of range for parameter '%s'", value, name);
	else
		strbuf_printf(out,
			      "Parameter '%s' expects a non-negative number below 2^64\n"
			      "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\n"
			      "and exabytes, respectively.",
			      name);
}

/* ---- options that several subcommands have ---- */

bool qi_output_option(const char *text, enum qi_output *out)
{
	*out = QI_HUMAN;
	if (!text || strcmp(text, "human") == 0)
		return true;
	*out = QI_JSON;
	if (strcmp(text, "json") == 0)
		return true;
	qi_error("--output must be used with human or json as argument.");
	return false;
}

void qi_secrets_freep(struct dry_secrets **s)
{
	dry_secrets_free(*s);
}

bool qi_object_option(const char *text, struct dry_secrets **into)
{
	CLEANUP(dict_free) struct dict d = DICT_INIT;
	struct dry_error e = { 0 };
	const char *type;

	if (!*into)
		*into = dry_secrets_new();
	if (!*into) {
		qi_error("%s", strerror(ENOMEM));
		return false;
	}
	if ((*text == '{' ? dict_from_json(&d, text, NULL) : dict_parse(&d, text, "qom-type", NULL)) == 0 &&
	    (type = dict_get(&d, "qom-type")) && strcmp(type, "secret") != 0) {
		qi_error("Parameter 'qom-type' does not accept value '%s'", type);
		return false;
	}
	if (dry_secrets_add(*into, text, &e) == 0)
		return true;
	if (e.code == DRY_SYSTEM && dict_get(&d, "file"))
		qi_error("Unable to read %s: Failed to open file \u201c%s\u201d: %s", dict_get(&d, "file"), dict_get(&d, "file"),
			 strerror(e.sys_errno));
	else if (strncmp(e.msg, "attempt to add", 14) == 0)
		qi_error("%s (type 'container')", e.msg);
	else
		qi_error("%c%s%s", toupper((unsigned char)*e.msg), e.msg + 1, qi_object_hint(&e));
	return false;
}

const char *qi_object_hint(const struct dry_error *e)
{
	return strstr(e->msg, "expects an identifier")
		       ? "\nIdentifiers consist of letters, digits, '-', '.', '_', starting with a letter."
		       : "";
}

/* Every comma is either doubled or has an option on both sides. */
static bool valid_options(const char *text)
{
	bool at_start = true;

	if (!*text)
		return false;
	for (const char *p = text; *p; p++) {
		if (*p != ',') {
			at_start = false;
			continue;
		}
		if (at_start)
			return false;
		if (p[1] == ',')
			p++;
		else
			at_start = true;
	}
	return !at_start;
}

bool qi_add_options(struct strbuf *all, const char *text)
{
	if (!valid_options(text)) {
		qi_error("Invalid option list: %s", text);
		return false;
	}
	if (all->len)
		strbuf_putc(all, ',');
	strbuf_puts(all, text);
	return true;
}

bool qi_wants_help(const char *options)
{
	for (const char *p = options; *p;) {
		size_t len = 0;

		while (p[len] && !(p[len] == ',' && p[len + 1] != ','))
			len += p[len] == ',' ? 2 : 1;
		if ((len == 4 && memcmp(p, "help", 4) == 0) || (len == 1 && *p == '?'))
			return true;
		p += len;
		if (*p)
			p++;
	}
	return false;
}

/* ---- progress ---- */

/* Set by SIGUSR1, taken back when the progress has been shown: the one thing a signal handler may do. */
static volatile sig_atomic_t asked_for_progress;

static void on_usr1(int sig)
{
	(void)sig;
	asked_for_progress = 1;
}

void qi_progress_begin(struct qi_progress *p, bool shown, double step)
{
	struct sigaction sa = { .sa_handler = on_usr1, .sa_flags = SA_RESTART };

	sigemptyset(&sa.sa_mask);
	sigaction(SIGUSR1, &sa, NULL);
	*p = (struct qi_progress){ .shown = shown, .step = step, .last = -1 };
	qi_progress_run(p, 0, 1);
}

int qi_progress_run(void *progress, uint64_t done, uint64_t total)
{
	struct qi_progress *p = progress;
	double now = total ? (double)done * 100 / (double)total : 100;

	if (p->shown && now > p->last && (p->last < 0 || now >= p->last + p->step || now >= 100)) {
		printf("    (%3.2f/100%%)\r", now);
		fflush(stdout);
		p->last = now;
	} else if (!p->shown && asked_for_progress) {
		fprintf(stderr, "    (%3.2f/100%%)\n", now);
	}
	asked_for_progress = 0;
	return 0;
}

void qi_progress_end(struct qi_progress *p)
{
	if (p->shown)
		printf("\n");
}
