/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* os.c - is a tree a root, and of what: by files that every one of a kind has; and the tools of those who read the rest. */
#include "os.h"

#include "alloc.h"
#include "limits.h"
#include "text.h"

#include <ctype.h>
#include <stdio.h>
#include <sys/stat.h>

void os_free(struct os *o)
{
	free(o->distro_id);
	free(o->product_name);
	free(o->product_variant);
	free(o->hostname);
	free(o->build_id);
	free(o->timezone);
	free(o->osinfo);
	free(o->version_id);
	os_windows_free(o);
	for (size_t i = 0; i < o->nwarnings; i++)
		free(o->warnings[i]);
	free(o->warnings);
	memset(o, 0, sizeof *o);
}

int os_has(struct vfs *v, const char *path, uint32_t type, struct err *e)
{
	struct fs_stat st;
	int rc = vfs_stat(v, path, type != 0, &st, NULL);

	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	return rc == 0 && (type == 0 || (st.mode & S_IFMT) == type);
}

/* ---- kinds of roots ---- */

/* All of the places of one row must be there; those that begin with "=" are directories. */
static const struct {
	const char *type;
	const char *places[5];
} roots[] = {
	{ "freebsd", { "=/etc", "=/bin", "/etc/freebsd-update.conf", "/etc/fstab" } },
	{ "netbsd", { "/netbsd", "/etc/release", "/etc/fstab" } },
	{ "openbsd", { "/bsd", "/etc/motd", "/etc/fstab" } },
	{ "hurd", { "/hurd/console", "/hurd/hello", "/hurd/null" } },
	{ "minix", { "/service/vm", "/etc/version", "/etc/fstab" } },
	{ "dragonfly", { "=/etc", "/sbin/hammer2", "/etc/fstab" } },
	/* What is in their /usr lies in volumes of its own, which the root does not name. */
	{ "linux", { "=/etc", "=/root", "=/home", "=/usr", "/etc/coreos/update.conf" } },
	{ "linux", { "=/etc", "=/root", "=/home", "=/usr", "/etc/flatcar/update.conf" } },
	/* Before its first start NixOS has nothing but its store, and a link to the system in it. */
	{ "linux", { "=/nix/store", "/nix/var/nix/profiles/system" } },
	{ "windows", { "=/Windows/System32", "=/Windows/System32/config", "/Windows/System32/cmd.exe" } },
	{ "windows", { "=/WINNT/system32", "=/WINNT/system32/config", "/WINNT/system32/cmd.exe" } },
	{ "windows", { "=/WIN32/system32", "=/WIN32/system32/config", "/WIN32/system32/cmd.exe" } },
	{ "windows", { "=/WIN/system32", "=/WIN/system32/config", "/WIN/system32/cmd.exe" } },
	{ "dos", { "/FDOS/FREEDOS.BSS" } },
	{ "dos", { "/KERNEL.SYS", "/COMMAND.COM" } },
	{ "dos", { "/DOS/COMMAND.COM" } },
	{ "windows", { "=/ReactOS/system32", "=/ReactOS/system32/config", "/ReactOS/system32/cmd.exe" } },
	/* Windows 95, 98 and ME: the registry is two files, and MSDOS.SYS tells the version. */
	{ "windows", { "=/WINDOWS/SYSTEM", "/WINDOWS/SYSTEM.DAT", "/WINDOWS/WIN.COM", "/MSDOS.SYS" } },
};

/*
 * A Linux root has /etc, a file in it that every distribution has (perhaps a link into a /usr that is not mounted yet), and
 * programs.
 */
static int is_linux(struct vfs *v, struct err *e)
{
	/* Where /etc is made anew at each start, as Bottlerocket's, the last is what there is. */
	static const char *const files[] = { "/etc/fstab", "/etc/os-release", "/etc/hosts", "/usr/lib/os-release" };
	int rc = os_has(v, "/etc", S_IFDIR, e), any = 0;

	for (size_t i = 0; i < ARRAY_LEN(files) && rc > 0 && any == 0; i++)
		any = os_has(v, files[i], 0, e);
	if (rc <= 0 || any <= 0)
		return rc < 0 ? rc : any;
	rc = os_has(v, "/bin", 0, e);
	return rc != 0 ? rc : os_has(v, "/usr/bin", S_IFDIR, e);
}

int os_root(struct vfs *v, const char **type, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
		int all = 1;

		for (size_t k = 0; k < ARRAY_LEN(roots[i].places) && roots[i].places[k] && all > 0; k++) {
			const char *place = roots[i].places[k];

			all = *place == '=' ? os_has(v, place + 1, S_IFDIR, e) : os_has(v, place, 0, e);
		}
		if (all != 0) {
			*type = roots[i].type;
			return all;
		}
	}
	*type = "linux";
	return is_linux(v, e);
}

/* ---- reading small files ---- */

int os_warn(struct os *o, const char *msg, struct err *e)
{
	char **warnings = alloc_resize(o->warnings, o->nwarnings + 1, sizeof *warnings);

	if (!warnings)
		return err_nomem(e);
	o->warnings = warnings;
	warnings[o->nwarnings] = alloc_strdup(msg);
	if (!warnings[o->nwarnings])
		return err_nomem(e);
	o->nwarnings++;
	return 0;
}

int os_text(struct vfs *v, struct os *o, const char *path, char **text, struct err *e)
{
	struct err why = ERR_INIT;
	size_t len;
	int rc = vfs_read_file(v, path, LIMIT_CONFIG_BYTES, text, &len, &why);

	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	if (rc == -ERR_NOT_FOUND)
		return 0;
	return rc < 0 ? os_warn(o, why.msg, e) : 1;
}

/* Cuts control characters and blanks off both ends, in place. */
static char *trim(char *s)
{
	size_t len;

	while (*s && (unsigned char)*s <= ' ')
		s++;
	len = strlen(s);
	while (len > 0 && (unsigned char)s[len - 1] <= ' ')
		len--;
	s[len] = '\0';
	return s;
}

int os_line(struct vfs *v, struct os *o, const char *path, char **line, struct err *e)
{
	CLEANUP(free_ptr) char *text = NULL;
	char *trimmed;
	int rc = os_text(v, o, path, &text, e);

	if (rc <= 0)
		return rc;
	trimmed = trim(text);
	trimmed[strcspn(trimmed, "\r\n")] = '\0';
	trimmed = trim(trimmed);
	if (!*trimmed)
		return 0;
	*line = alloc_strdup(trimmed);
	return *line ? 1 : err_nomem(e);
}

/* ---- values ---- */

/* The word that begins at p, up to the end of the line, with its quotes and backslashes undone. */
static char *shell_word(const char *p)
{
	char *word = alloc_bytes(strcspn(p, "\n") + 1), *to = word, quote = 0;

	if (!word)
		return NULL;
	for (; *p && *p != '\n'; p++) {
		if (quote == '\'' ? *p == quote : quote && *p == quote) {
			quote = 0;
		} else if (!quote && (*p == '"' || *p == '\'')) {
			quote = *p;
		} else if (*p == '\\' && quote != '\'' && p[1] && p[1] != '\n') {
			*to++ = *++p;
		} else if (!quote && (*p == ' ' || *p == '\t' || *p == '\r')) {
			break;
		} else {
			*to++ = *p;
		}
	}
	*to = '\0';
	return word;
}

int os_shell_value(const char *text, const char *key, char **value, struct err *e)
{
	size_t len = strlen(key);

	for (const char *p = text; p; p = strchr(p, '\n')) {
		while (*p && isspace((unsigned char)*p))
			p++;
		if (strncmp(p, key, len) != 0 || p[len] != '=')
			continue;
		*value = shell_word(p + len + 1);
		if (!*value)
			return err_nomem(e);
		if (**value)
			return 1;
		free(take(*value));
		return 0;
	}
	return 0;
}

bool os_version_parse(const char *text, unsigned *major, unsigned *minor)
{
	int used = 0;

	while (*text && !isdigit((unsigned char)*text))
		text++;
	*minor = 0;
	if (sscanf(text, "%5u%n", major, &used) != 1)
		return false;
	if (text[used] == '.')
		sscanf(text + used + 1, "%5u", minor);
	return true;
}

int os_inspect(struct vfs *v, struct os *out, struct err *e)
{
	int rc;

	memset(out, 0, sizeof *out);
	rc = os_root(v, &out->type, e);
	if (rc == 0)
		out->type = NULL;
	if (rc > 0)
		rc = os_release(v, out, e);
	if (rc >= 0)
		rc = os_media(v, out, e);
	if (rc >= 0)
		rc = os_windows(v, out, e);
	if (rc >= 0 && !out->arch)
		rc = os_arch(v, out, e);
	if (rc >= 0)
		rc = os_system(v, out, e);
	if (rc < 0) {
		os_free(out);
		return rc;
	}
	return 0;
}
