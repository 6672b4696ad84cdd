/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "io_session.h"

#include "alloc.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* Digits, perhaps with a suffix of sizes: whatever is wrong with it, it is a number. */
static bool is_number(const char *arg)
{
	size_t digits = strspn(arg, "0123456789");

	return digits && (!arg[digits] || (strchr("bBkKmMgGtTpPeE", arg[digits]) && !arg[digits + 1]));
}

bool io_number(const char *arg, uint64_t *out)
{
	if (text_parse_size(arg, out) && *out <= INT64_MAX)
		return true;
	if (is_number(arg))
		printf("Parsing error: argument too large -- %s\n", arg);
	else
		printf("Parsing error: non-numeric argument, or extraneous/unrecognized suffix -- %s\n", arg);
	return false;
}

bool io_offset(const char *arg, uint64_t *out)
{
	return io_number(arg, out);
}

bool io_length(const char *arg, uint64_t *out)
{
	if (!io_number(arg, out))
		return false;
	if (*out <= (uint64_t)IO_MAX_REQUEST)
		return true;
	printf("length cannot exceed %lld, given %s\n", IO_MAX_REQUEST, arg);
	return false;
}

bool io_pattern(const char *arg, int *out)
{
	uint64_t v;

	if (text_parse_u64(arg, &v) && v <= 0xff) {
		*out = (int)v;
		return true;
	}
	printf("%s is not a valid pattern byte\n", arg);
	return false;
}

char *io_amount(double value, char *buf, size_t size)
{
	static const char *const units[] = { "EiB", "PiB", "TiB", "GiB", "MiB", "KiB" };
	const char *unit = "bytes";
	char number[400]; /* a double in %f has at most 309 digits before the point */
	char *whole;

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		double one = (double)(1ULL << (60 - 10 * i));
		if (value >= one) {
			unit = units[i];
			value /= one;
			break;
		}
	}
	/* Bytes with six digits, larger units with three; a value that is whole to three digits shows none. */
	snprintf(number, sizeof number, "%.*f", *unit == 'b' ? 6 : 3, value);
	whole = strstr(number, ".000");
	if (whole)
		*whole = '\0';
	snprintf(buf, size, "%s %s", number, unit);
	return buf;
}

struct timespec io_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t;
}

/* "00.01 sec", "1:02.03", "0:00:00.01": the last form always with `fixed`. */
static void print_time(char *buf, size_t size, struct timespec t, bool fixed)
{
	unsigned hundredths = (unsigned)(t.tv_nsec / 10000000);
	unsigned hours = (unsigned)(t.tv_sec / 3600), minutes = (unsigned)(t.tv_sec % 3600 / 60);
	unsigned seconds = (unsigned)(t.tv_sec % 60);

	if (hours || fixed)
		snprintf(buf, size, "%u:%02u:%02u.%02u", hours, minutes, seconds, hundredths);
	else if (minutes)
		snprintf(buf, size, "%u:%02u.%02u", minutes, seconds, hundredths);
	else
		snprintf(buf, size, "%02u.%02u sec", seconds, hundredths);
}

void io_report(const char *op, struct timespec began, uint64_t off, uint64_t count, uint64_t total, unsigned ops,
	       bool machine)
{
	struct timespec t = io_now();
	char amount[64], rate[64], took[64];
	double seconds;

	t.tv_sec -= began.tv_sec;
	t.tv_nsec -= began.tv_nsec;
	if (t.tv_nsec < 0) {
		t.tv_nsec += 1000000000;
		t.tv_sec--;
	}
	seconds = (double)t.tv_sec + (double)t.tv_nsec / 1e9;
	if (seconds <= 0)
		seconds = 1e-9;
	print_time(took, sizeof took, t, machine);
	if (machine) {
		printf("%" PRIu64 ",%u,%s,%.3f,%.3f\n", total, ops, took, (double)total / seconds, ops / seconds);
		return;
	}
	io_amount((double)total, amount, sizeof amount);
	io_amount((double)total / seconds, rate, sizeof rate);
	printf("%s %" PRIu64 "/%" PRIu64 " bytes at offset %" PRIu64 "\n", op, total, count, off);
	printf("%s, %u ops; %s (%s/sec and %.4f ops/sec)\n", amount, ops, took, rate, ops / seconds);
}

void io_dump(const uint8_t *bytes, size_t len, uint64_t off)
{
	for (size_t i = 0; i < len; i += 16) {
		size_t n = MIN_OF(len - i, (size_t)16);

		printf("%08" PRIx64 ":  ", off + i);
		for (size_t k = 0; k < n; k++)
			printf("%02x ", bytes[i + k]);
		putchar(' ');
		for (size_t k = 0; k < n; k++)
			putchar(bytes[i + k] >= 0x20 && bytes[i + k] < 0x7f ? bytes[i + k] : '.');
		putchar('\n');
	}
}

/* The words of the host for an error of any class, as the peer has only those. */
static const char *error_words(const struct dry_error *e)
{
	switch (e->code) {
	case DRY_SYSTEM:
		return strerror(e->sys_errno);
	case DRY_NOMEM:
		return strerror(ENOMEM);
	case DRY_UNSUPPORTED:
		return strerror(ENOTSUP);
	default:
		return strerror(EIO);
	}
}

void io_print_failure(const char *op, const struct dry_error *e)
{
	printf("%s failed: %s\n", op, error_words(e));
}
