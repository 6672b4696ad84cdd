/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device_name.c - what the kernels of guests call their disks and partitions, against the volumes that we have found.
 *
 * Which driver a guest has for its disks is not told by the disks, so only the order counts: "sda", "vda", "ada0" and "wd0" are
 * all the first one.
 */
#include "guest.h"

#include "alloc.h"
#include "text.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

/* What a name says. */
struct device {
	unsigned disk;
	unsigned number; /* of a partition; 0: none */
	unsigned slice;	 /* of the MBR partition in which a BSD's label lies; 0: not said */
	char letter;	 /* of a partition in a BSD's label; '\0': none */
};

/* "sda", "vdb" ...: the index of a disk from its letters, and what follows them; false when there are none. */
static bool disk_letters(const char *s, unsigned *disk, const char **rest)
{
	unsigned long n = 0;

	if (!islower((unsigned char)*s))
		return false;
	for (; islower((unsigned char)*s); s++) {
		n = n * 26 + (unsigned long)(*s - 'a') + 1;
		if (n > 100000)
			return false;
	}
	*disk = (unsigned)(n - 1);
	*rest = s;
	return true;
}

static bool number(const char **s, unsigned *out)
{
	unsigned long n = 0;

	if (!isdigit((unsigned char)**s))
		return false;
	for (; isdigit((unsigned char)**s); (*s)++) {
		n = n * 10 + (unsigned long)(**s - '0');
		if (n > 1000000)
			return false;
	}
	*out = (unsigned)n;
	return true;
}

/* Linux: sda, vda2, nvme0n1p2, mmcblk0p1. */
static bool linux_parse(const char *s, struct device *d)
{
	static const char *const lettered[] = { "xvd", "sd", "vd", "hd" };
	static const char *const numbered[] = { "nvme", "mmcblk" };
	const char *p;
	unsigned ns;

	for (size_t i = 0; i < ARRAY_LEN(lettered); i++)
		if (text_starts(s, lettered[i], &p) && disk_letters(p, &d->disk, &p))
			return !*p || (number(&p, &d->number) && !*p);
	for (size_t i = 0; i < ARRAY_LEN(numbered); i++) {
		if (!text_starts(s, numbered[i], &p) || !number(&p, &d->disk))
			continue;
		/* nvme0n1: controller and namespace; a guest's disks are controllers with one namespace each. */
		if (i == 0 && (*p++ != 'n' || !number(&p, &ns) || ns != 1))
			return false;
		return !*p || (*p++ == 'p' && number(&p, &d->number) && !*p);
	}
	return false;
}

/*
 * FreeBSD: ada0p2 (GPT), ada0s1 (MBR), ada0s1a (the label in it), ada0a (a label on the whole disk).  OpenBSD and NetBSD: sd0a,
 * wd0e, ld0a.  Hurd: hd0s1.
 */
static bool bsd_parse(const char *s, struct device *d)
{
	static const char *const drivers[] = { "ada", "da", "ad", "vtbd", "nda", "nvd", "mmcsd", "xbd", "wd", "sd", "ld", "hd" };
	const char *p;

	for (size_t i = 0; i < ARRAY_LEN(drivers); i++) {
		if (!text_starts(s, drivers[i], &p) || !number(&p, &d->disk))
			continue;
		if (*p == 'p' && isdigit((unsigned char)p[1])) {
			p++;
			return number(&p, &d->number) && !*p;
		}
		if (*p == 's' && isdigit((unsigned char)p[1])) {
			p++;
			if (!number(&p, &d->slice))
				return false;
			if (!*p) {
				d->number = d->slice;
				d->slice = 0;
				return true;
			}
		}
		if (*p >= 'a' && *p <= 'v')
			d->letter = *p++;
		return !*p;
	}
	return false;
}

/* OpenBSD: the number of a label, and the letter of a partition in it. */
static bool duid_is(const char *s, const struct volume *v)
{
	char text[19];

	if (!v->letter || !v->has_duid)
		return false;
	for (size_t i = 0; i < sizeof v->duid; i++)
		snprintf(text + 2 * i, 3, "%02x", v->duid[i]);
	snprintf(text + 16, 3, ".%c", v->letter);
	return strcasecmp(s, text) == 0;
}

bool device_is_volume(const char *name, const struct volume *v)
{
	struct device d = { .disk = 0 };
	const char *rest = name;

	text_starts(name, "/dev/", &rest);
	if (v->depth != 0)
		return false;
	if (linux_parse(rest, &d))
		return v->disk == d.disk && v->number == d.number;
	d = (struct device){ .disk = 0 };
	if (!bsd_parse(rest, &d))
		return duid_is(rest, v);
	if (v->disk != d.disk)
		return false;
	if (d.letter)
		return v->letter == d.letter && (!d.slice || v->slice == d.slice);
	return !v->letter && v->number == d.number;
}

