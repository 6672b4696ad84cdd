/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virt_icon.c - the picture of an operating system, where its files have one. */
#include "virt_inspector.h"

#include "alloc.h"
#include "base64.h"
#include "limits.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Where a distribution keeps its picture; NULL: whatever the distribution is. */
static const struct {
	const char *distro, *path;
} places[] = {
	{ "fedora", "/usr/share/icons/hicolor/96x96/apps/fedora-logo-icon.png" },
	{ "rhel", "/usr/share/pixmaps/redhat/shadowman-transparent.png" },
	{ "rhel", "/usr/share/pixmaps/fedora-logo-sprite.png" },
	{ "centos", "/usr/share/icons/hicolor/96x96/apps/fedora-logo-icon.png" },
	{ "centos", "/usr/share/pixmaps/redhat/shadowman-transparent.png" },
	{ "debian", "/usr/share/pixmaps/debian-logo.png" },
	{ "ubuntu", "/usr/share/icons/gnome/24x24/places/ubuntu-logo.png" },
	{ "mageia", "/usr/share/icons/mageia.png" },
	{ "opensuse", "/usr/share/icons/hicolor/24x24/apps/distributor.png" },
	{ "sles", "/usr/share/pixmaps/SuSELinux.png" },
	{ "cirros", "/usr/share/cirros/logo" },
	{ "voidlinux", "/usr/share/void-artwork/void-logo.png" },
	{ "altlinux", "/usr/share/icons/hicolor/48x48/apps/altlinux.png" },
	{ NULL, "/etc/favicon.png" },
};

#define PNG_HEADER 24

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* A PNG begins with its signature and the width and height of its picture; of 16 to 1024 points here. */
static bool is_icon(const uint8_t *p, size_t len)
{
	return len > PNG_HEADER && memcmp(p, "\x89PNG\r\n\x1a\n", 8) == 0 && memcmp(p + 12, "IHDR", 4) == 0 &&
	       be32(p + 16) >= 16 && be32(p + 16) <= 1024 && be32(p + 20) >= 16 && be32(p + 20) <= 1024;
}

/* 1: written; 0: there is none, or what is there is no picture; < 0: memory is out. */
static int put_icon(struct virt_inspector *c, const char *path)
{
	CLEANUP(free_ptr) uint8_t *buf = NULL;
	struct dry_node n;
	struct dry_stat st;
	struct dry_error e;
	size_t got;

	if (dry_guest_lookup(c->virt.guest, path, true, &n, &e) < 0 || dry_node_stat(c->virt.guest, n, &st, &e) < 0 ||
	    !S_ISREG(st.mode) || !st.size || st.size > LIMIT_ICON_BYTES)
		return 0;
	buf = alloc_bytes((size_t)st.size);
	if (!buf) {
		fprintf(stderr, "virt-inspector: out of memory\n");
		return -1;
	}
	if (dry_node_read(c->virt.guest, n, buf, (size_t)st.size, 0, &got, &e) < 0) {
		fprintf(stderr, "virt-inspector: %s: %s\n", path, e.msg);
		return 0;
	}
	if (!is_icon(buf, got))
		return 0;
	xml_start(&c->xml, "icon");
	xml_text(&c->xml, "");
	base64_encode(&c->text, buf, got, 72, "\r\n"); /* as libxml2 does */
	xml_end(&c->xml, "icon");
	return 1;
}

int virt_inspector_icon(struct virt_inspector *c, const struct dry_os *os)
{
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(places) && rc == 0; i++)
		if (!places[i].distro || (os->distro && strcmp(places[i].distro, os->distro) == 0))
			rc = put_icon(c, places[i].path);
	return rc < 0 ? EXIT_FAILED : 0;
}
