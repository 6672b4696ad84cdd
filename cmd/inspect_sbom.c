/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inspect_sbom.c - drydock inspect --sbom: a bill of materials of a guest, as CycloneDX 1.5 or SPDX 2.3.
 *
 * Both name packages by a "purl" (the package URL specification): pkg:deb/debian/zlib1g@1.2.13?arch=amd64.
 */
#include "inspect.h"

#include "alloc.h"
#include "text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- package URLs ---- */

/* Everything but letters, digits and a few marks is written as %XX. */
static void percent(struct strbuf *out, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (isalnum(c) || strchr(".-_~:", c))
			strbuf_putc(out, (char)c);
		else
			strbuf_printf(out, "%%%02X", c);
	}
}

static const char *purl_type(const char *format)
{
	static const struct {
		const char *format, *type;
	} types[] = { { "deb", "deb" }, { "rpm", "rpm" }, { "apk", "apk" }, { "pacman", "alpm" }, { "ebuild", "ebuild" } };

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strcmp(types[i].format, format) == 0)
			return types[i].type;
	return "generic";
}

/* The version as one text: "1.2.13-1", with the epoch where that is a part of it. */
static void version_text(struct strbuf *out, const struct dry_package *p)
{
	if (p->epoch && strcmp(p->format, "rpm") != 0)
		strbuf_printf(out, "%" PRIu32 ":", p->epoch);
	strbuf_puts(out, p->version ? p->version : "");
	if (p->release) {
		strbuf_putc(out, '-');
		strbuf_puts(out, p->release);
	}
}

/* Those that are the same for every distribution: its name is no part of theirs. */
static bool is_of_no_distribution(const struct dry_package *p)
{
	return strcmp(p->format, "flatpak") == 0 || strcmp(p->format, "snap") == 0;
}

static void purl(struct strbuf *out, const struct dry_package *p, const struct dry_os *os)
{
	CLEANUP(strbuf_free) struct strbuf version = STRBUF_INIT;
	const char *ask = "?";

	strbuf_printf(out, "pkg:%s/", purl_type(p->format));
	if (is_of_no_distribution(p)) {
		strbuf_printf(out, "%s/", p->format);
	} else if (os->distro_id || os->distro) {
		percent(out, os->distro_id ? os->distro_id : os->distro);
		strbuf_putc(out, '/');
	}
	percent(out, p->name);
	version_text(&version, p);
	if (version.len) {
		strbuf_putc(out, '@');
		percent(out, version.s);
	}
	if (p->arch) {
		strbuf_printf(out, "%sarch=", ask);
		percent(out, p->arch);
		ask = "&";
	}
	if (p->epoch && strcmp(p->format, "rpm") == 0) {
		strbuf_printf(out, "%sepoch=%" PRIu32, ask, p->epoch);
		ask = "&";
	}
	if (os->distro_id && os->version_id && !is_of_no_distribution(p)) {
		strbuf_printf(out, "%sdistro=", ask);
		percent(out, os->distro_id);
		strbuf_putc(out, '-');
		percent(out, os->version_id);
	}
	if (version.failed)
		out->failed = true;
}

/* ---- both kinds ---- */

struct sbom {
	const struct guest_ref *ref;
	const struct dry_os *os;
	struct json *j;
	unsigned n; /* packages so far */
};

static int package_failed(void *arg, const char *path, const struct dry_error *why)
{
	const struct sbom *s = arg;

	/* A bill that lacks packages is worse than none. */
	guest_say(s->ref, "%s: %s", path, why->msg);
	return 1;
}

static int walk(struct sbom *s, int (*fn)(void *arg, const struct dry_package *p))
{
	const struct dry_package_walk w = { .package = fn, .failed = package_failed, .arg = s };
	struct dry_error e = { .code = DRY_OK };

	return dry_guest_packages(s->ref->guest, &w, &e) < 0 ? guest_fail(s->ref, &e) : EXIT_DONE;
}

/* Now, or at SOURCE_DATE_EPOCH for those who build the same bill again. */
static void timestamp(char text[32])
{
	const char *fixed = getenv("SOURCE_DATE_EPOCH");
	time_t now = time(NULL);
	struct tm tm = { 0 };
	uint64_t seconds;

	if (fixed && text_parse_u64(fixed, &seconds))
		now = (time_t)seconds;
	gmtime_r(&now, &tm);
	strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static const char *system_name(const struct dry_os *os)
{
	return os->distro_id ? os->distro_id : os->distro ? os->distro : os->type ? os->type : "unknown";
}

static void string_or_none(struct json *j, const char *key, const char *value)
{
	if (value)
		json_str(j, key, value);
}

/* ---- CycloneDX 1.5 ---- */

static int component(void *arg, const struct dry_package *p)
{
	CLEANUP(strbuf_free) struct strbuf version = STRBUF_INIT, url = STRBUF_INIT;
	struct sbom *s = arg;
	struct json *j = s->j;

	version_text(&version, p);
	purl(&url, p, s->os);
	json_object(j, NULL);
	json_str(j, "type", "library");
	/* Two databases may hold the same package: a reference is for one. */
	strbuf_printf(&url, "#%u", s->n++);
	json_str(j, "bom-ref", url.s);
	*strrchr(url.s, '#') = '\0';
	json_str(j, "name", p->name);
	json_str(j, "version", version.s);
	string_or_none(j, "description", p->summary);
	json_str(j, "purl", url.s);
	if (p->vendor) {
		json_object(j, "supplier");
		json_str(j, "name", p->vendor);
		json_object_end(j);
	}
	if (p->source) {
		json_array(j, "properties");
		json_object(j, NULL);
		json_str(j, "name", "drydock:source");
		json_str(j, "value", p->source);
		json_object_end(j);
		json_array_end(j);
	}
	json_object_end(j);
	return version.failed || url.failed;
}

static int cyclonedx(struct sbom *s)
{
	struct json *j = s->j;
	char now[32];
	int status;

	timestamp(now);
	json_object(j, NULL);
	json_str(j, "bomFormat", "CycloneDX");
	json_str(j, "specVersion", "1.5");
	json_u64(j, "version", 1);
	json_object(j, "metadata");
	json_str(j, "timestamp", now);
	json_object(j, "tools");
	json_array(j, "components");
	json_object(j, NULL);
	json_str(j, "type", "application");
	json_str(j, "name", "drydock");
	json_str(j, "version", dry_version());
	json_object_end(j);
	json_array_end(j);
	json_object_end(j);
	json_object(j, "component");
	json_str(j, "type", "operating-system");
	json_str(j, "bom-ref", "system");
	json_str(j, "name", system_name(s->os));
	string_or_none(j, "version", s->os->version_id);
	string_or_none(j, "description", s->os->product_name);
	json_object_end(j);
	json_object_end(j);
	json_array(j, "components");
	status = walk(s, component);
	json_array_end(j);
	json_object_end(j);
	return status;
}

/* ---- SPDX 2.3 ---- */

static int spdx_package(void *arg, const struct dry_package *p)
{
	CLEANUP(strbuf_free) struct strbuf version = STRBUF_INIT, url = STRBUF_INIT;
	struct sbom *s = arg;
	struct json *j = s->j;
	char id[40];

	version_text(&version, p);
	purl(&url, p, s->os);
	snprintf(id, sizeof id, "SPDXRef-Package-%u", ++s->n);
	json_object(j, NULL);
	json_str(j, "SPDXID", id);
	json_str(j, "name", p->name);
	json_str(j, "versionInfo", version.s);
	json_str(j, "downloadLocation", "NOASSERTION");
	json_bool(j, "filesAnalyzed", false);
	json_str(j, "licenseConcluded", "NOASSERTION");
	json_str(j, "licenseDeclared", "NOASSERTION");
	json_str(j, "copyrightText", "NOASSERTION");
	string_or_none(j, "summary", p->summary);
	string_or_none(j, "homepage", p->url);
	if (p->source) {
		CLEANUP(free_ptr) char *source = alloc_printf("built package from: %s", p->source);

		string_or_none(j, "sourceInfo", source);
	}
	json_array(j, "externalRefs");
	json_object(j, NULL);
	json_str(j, "referenceCategory", "PACKAGE-MANAGER");
	json_str(j, "referenceType", "purl");
	json_str(j, "referenceLocator", url.s);
	json_object_end(j);
	json_array_end(j);
	json_object_end(j);
	return version.failed || url.failed;
}

static void relationship(struct json *j, const char *from, const char *type, const char *to)
{
	json_object(j, NULL);
	json_str(j, "spdxElementId", from);
	json_str(j, "relationshipType", type);
	json_str(j, "relatedSpdxElement", to);
	json_object_end(j);
}

static int spdx(struct sbom *s)
{
	CLEANUP(strbuf_free) struct strbuf space = STRBUF_INIT;
	struct json *j = s->j;
	char now[32], id[40];
	int status;

	timestamp(now);
	/* It must be unique, and nobody need answer there. */
	strbuf_puts(&space, "https://spdx.invalid/drydock/");
	percent(&space, s->ref->label);
	strbuf_putc(&space, '-');
	percent(&space, now);
	json_object(j, NULL);
	json_str(j, "spdxVersion", "SPDX-2.3");
	json_str(j, "dataLicense", "CC0-1.0");
	json_str(j, "SPDXID", "SPDXRef-DOCUMENT");
	json_str(j, "name", s->ref->label);
	json_str(j, "documentNamespace", space.s);
	json_object(j, "creationInfo");
	json_str(j, "created", now);
	json_array(j, "creators");
	CLEANUP(free_ptr) char *tool = alloc_printf("Tool: drydock-%s", dry_version());
	json_str(j, NULL, tool ? tool : "Tool: drydock");
	json_array_end(j);
	json_object_end(j);
	json_array(j, "packages");
	json_object(j, NULL);
	json_str(j, "SPDXID", "SPDXRef-System");
	json_str(j, "name", system_name(s->os));
	string_or_none(j, "versionInfo", s->os->version_id);
	json_str(j, "downloadLocation", "NOASSERTION");
	json_bool(j, "filesAnalyzed", false);
	json_str(j, "primaryPackagePurpose", "OPERATING-SYSTEM");
	json_object_end(j);
	status = walk(s, spdx_package);
	json_array_end(j);
	json_array(j, "relationships");
	relationship(j, "SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-System");
	for (unsigned i = 1; i <= s->n; i++) {
		snprintf(id, sizeof id, "SPDXRef-Package-%u", i);
		relationship(j, "SPDXRef-System", "CONTAINS", id);
	}
	json_array_end(j);
	json_object_end(j);
	return status;
}

int sbom_json(const struct guest_ref *ref, const struct dry_os *os, enum sbom_kind kind, struct json *j)
{
	struct sbom s = { .ref = ref, .os = os, .j = j };

	return kind == SBOM_SPDX ? spdx(&s) : cyclonedx(&s);
}
