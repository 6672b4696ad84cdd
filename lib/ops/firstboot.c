/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* firstboot.c - scripts for a guest's first start, and what runs them. */
#include "firstboot.h"

#include "alloc.h"
#include "hive.h"
#include "limits.h"

#include <ctype.h>
#include <stdio.h>

#define LIB "/usr/lib/drydock"
#define SCRIPTS LIB "/firstboot"
#define RUNNER LIB "/firstboot.sh"

/*
 * A reboot by a script is no reason to run it again.  sync: what has run is known after a crash, too.  The console is a copy:
 * where there is none, the log is enough.
 */
static const char runner[] =
	"#!/bin/sh\n"
	"# Runs each script of a folder once; made by drydock.\n"
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
	"export PATH\n"
	"todo=" SCRIPTS "\n"
	"done=" SCRIPTS "-done\n"
	"log=/var/log/drydock-firstboot.log\n"
	"say() { echo \"drydock-firstboot: $*\"; }\n"
	"run_all() {\n"
	"\tmkdir -p \"$done\"\n"
	"\tfor f in \"$todo\"/*; do\n"
	"\t\t[ -f \"$f\" ] || continue\n"
	"\t\tname=${f##*/}\n"
	"\t\tmv \"$f\" \"$done/$name\" && sync\n"
	"\t\tsay \"$name begins\"\n"
	"\t\t\"$done/$name\"\n"
	"\t\tsay \"$name ends with status $?\"\n"
	"\tdone\n"
	"\tsay \"all done\"\n"
	"}\n"
	"case $1 in\n"
	"start|'') ;;\n"
	"*) exit 0 ;;\n"
	"esac\n"
	"run_all 2>&1 | while IFS= read -r line; do\n"
	"\tprintf '%s\\n' \"$line\" >>\"$log\"\n"
	"\t{ printf '%s\\n' \"$line\" >/dev/console; } 2>/dev/null\n"
	"done\n"
	"for l in /etc/systemd/system/*.wants/drydock-firstboot.service /etc/rc[2345].d/S99drydock-firstboot \\\n"
	"\t/etc/rc.d/rc[2345].d/S99drydock-firstboot /etc/runlevels/*/drydock-firstboot; do\n"
	"\t[ ! -L \"$l\" ] || rm -f \"$l\"\n"
	"done\n";

static const char unit[] = "[Unit]\n"
			   "Description=Scripts of the first start\n"
			   "After=network.target network-online.target\n"
			   "Wants=network-online.target\n"
			   "ConditionDirectoryNotEmpty=" SCRIPTS "\n"
			   "\n"
			   "[Service]\n"
			   "Type=oneshot\n"
			   "ExecStart=" RUNNER " start\n"
			   "RemainAfterExit=yes\n"
			   "TimeoutSec=0\n"
			   "StandardInput=null\n"
			   "\n"
			   "[Install]\n"
			   "WantedBy=multi-user.target\n";

static const char sysvinit[] = "#!/bin/sh\n"
			       "### BEGIN INIT INFO\n"
			       "# Provides:          drydock-firstboot\n"
			       "# Required-Start:    $all\n"
			       "# Required-Stop:\n"
			       "# Default-Start:     2 3 4 5\n"
			       "# Default-Stop:\n"
			       "# Short-Description: Scripts of the first start\n"
			       "### END INIT INFO\n"
			       "# chkconfig: 2345 99 01\n"
			       "exec " RUNNER " \"$1\"\n";

static const char openrc[] = "#!/sbin/openrc-run\n"
			     "description=\"Scripts of the first start\"\n"
			     "depend() {\n"
			     "\tafter *\n"
			     "}\n"
			     "start() {\n"
			     "\tebegin \"Running the scripts of the first start\"\n"
			     "\t" RUNNER " start\n"
			     "\teend $?\n"
			     "}\n";

static int put(struct tree *t, const char *path, const char *text, uint32_t mode, struct err *e)
{
	int rc = tree_put(t, path, text, mode, e);

	return rc < 0 ? rc : t->ops->chmod(t, path, mode, e);
}

static bool init_is(const struct tree *t, const char *name)
{
	return t->os->init && strcmp(t->os->init, name) == 0;
}

static int start_by_systemd(struct tree *t, struct err *e)
{
	int rc = put(t, "/etc/systemd/system/drydock-firstboot.service", unit, 0644, e);

	return rc < 0 ? rc
		      : tree_relink(t, "/etc/systemd/system/multi-user.target.wants/drydock-firstboot.service",
				    "/etc/systemd/system/drydock-firstboot.service", e);
}

static int start_by_sysvinit(struct tree *t, struct err *e)
{
	const char *top = tree_is_dir(t, "/etc/rc.d/rc3.d") ? "/etc/rc.d" : "/etc";
	int rc = put(t, "/etc/init.d/drydock-firstboot", sysvinit, 0755, e);

	for (int level = 2; level <= 5 && rc == 0; level++) {
		CLEANUP(free_ptr) char *link = alloc_printf("%s/rc%d.d/S99drydock-firstboot", top, level);

		rc = link ? tree_relink(t, link, "/etc/init.d/drydock-firstboot", e) : err_nomem(e);
	}
	return rc;
}

static int start_by_openrc(struct tree *t, struct err *e)
{
	int rc = put(t, "/etc/init.d/drydock-firstboot", openrc, 0755, e);

	return rc < 0 ? rc : tree_relink(t, "/etc/runlevels/default/drydock-firstboot", "/etc/init.d/drydock-firstboot", e);
}

static int linux_start(struct tree *t, struct err *e)
{
	int rc = put(t, RUNNER, runner, 0755, e);

	if (rc < 0)
		return rc;
	if (init_is(t, "systemd") || (!t->os->init && tree_is_dir(t, "/etc/systemd/system")))
		return start_by_systemd(t, e);
	if (init_is(t, "openrc"))
		return start_by_openrc(t, e);
	if (init_is(t, "sysvinit") || init_is(t, "upstart") || tree_is_dir(t, "/etc/rc3.d") || tree_is_dir(t, "/etc/rc.d/rc3.d"))
		return start_by_sysvinit(t, e);
	return err_set(e, ERR_UNSUPPORTED, "how services are started by \"%s\" is not known",
		       t->os->init ? t->os->init : "this system");
}

/* ---- names of scripts ---- */

struct count {
	unsigned most;
};

/* Names begin with a number. */
static int count_name(void *arg, const char *name, uint32_t type, struct err *e)
{
	struct count *c = arg;
	unsigned n = 0;

	(void)type;
	(void)e;
	for (size_t i = 0; i < 4 && isdigit((unsigned char)name[i]); i++)
		n = n * 10 + (unsigned)(name[i] - '0');
	if (n > c->most)
		c->most = n;
	return 0;
}

/* "0003-install-packages", behind those that are there, and that were there. */
static int script_name(struct tree *t, const char *folder, const char *done, const char *name, struct strbuf *out, struct err *e)
{
	struct count c = { 0 };
	int rc = 0;

	if (tree_is_dir(t, folder))
		rc = t->ops->list(t, folder, count_name, &c, e);
	if (rc == 0 && tree_is_dir(t, done))
		rc = t->ops->list(t, done, count_name, &c, e);
	strbuf_printf(out, "%s/%04u-", folder, c.most + 1);
	for (size_t i = 0; i < 40 && name[i]; i++)
		strbuf_putc(out, isalnum((unsigned char)name[i]) ? name[i] : '-');
	return rc < 0 ? rc : out->failed ? err_nomem(e) : 0;
}

/* ---- Windows ---- */

/*
 * cmd.exe is no service: the manager of services ends it after half a minute, but not what it has started, which is the batch
 * file.  That removes the service first, so that nothing of it is left.
 */
static const char batch[] = "@echo off\r\n"
			    "setlocal EnableDelayedExpansion\r\n"
			    "set todo=%ProgramFiles%\\drydock\\firstboot\r\n"
			    "set done=%ProgramFiles%\\drydock\\firstboot-done\r\n"
			    "set log=%ProgramFiles%\\drydock\\firstboot.log\r\n"
			    "if not exist \"%done%\" mkdir \"%done%\"\r\n"
			    "for /f \"delims=\" %%f in ('dir /b /on \"%todo%\\*.bat\"') do (\r\n"
			    "  move \"%todo%\\%%f\" \"%done%\\%%f\" >nul\r\n"
			    "  echo drydock-firstboot: %%f begins >>\"%log%\"\r\n"
			    "  call \"%done%\\%%f\" >>\"%log%\" 2>&1\r\n"
			    "  echo drydock-firstboot: %%f ends with status !errorlevel! >>\"%log%\"\r\n"
			    ")\r\n"
			    "sc delete drydock-firstboot >>\"%log%\"\r\n"
			    "echo drydock-firstboot: all done >>\"%log%\"\r\n";

static const char service[] = "[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\drydock-firstboot]\n"
			      "\"DisplayName\"=\"Scripts of the first start\"\n"
			      "\"ImagePath\"=str(2):\"%SystemRoot%\\\\System32\\\\cmd.exe /c start \\\"\\\" /b cmd.exe "
			      "/c \\\"%ProgramFiles%\\\\drydock\\\\firstboot.bat\\\"\"\n"
			      "\"ObjectName\"=\"LocalSystem\"\n"
			      "\"Type\"=dword:00000010\n"
			      "\"Start\"=dword:00000002\n"
			      "\"ErrorControl\"=dword:00000000\n";

#define WINDOWS_LIB "/Program Files/drydock"

static int windows_add(struct tree *t, const char *name, const char *script, size_t len, struct reg_edits *registry, struct err *e)
{
	const struct reg_text_how how = { .ascii = false };
	const struct tree_owner owner = { .mode = 0755 };
	CLEANUP(strbuf_free) struct strbuf path = STRBUF_INIT;
	CLEANUP(strbuf_free) struct strbuf crlf = STRBUF_INIT;
	int rc = script_name(t, WINDOWS_LIB "/firstboot", WINDOWS_LIB "/firstboot-done", name, &path, e);

	strbuf_puts(&path, ".bat");
	for (size_t i = 0; i < len; i++) {
		if (script[i] == '\n' && (i == 0 || script[i - 1] != '\r'))
			strbuf_putc(&crlf, '\r');
		strbuf_putc(&crlf, script[i]);
	}
	if (rc == 0 && (path.failed || crlf.failed))
		rc = err_nomem(e);
	if (rc == 0)
		rc = tree_put(t, WINDOWS_LIB "/firstboot.bat", batch, 0755, e);
	if (rc == 0)
		rc = tree_make_parents(t, path.s, e);
	if (rc == 0)
		rc = t->ops->write(t, path.s, crlf.s, crlf.len, &owner, e);
	return rc < 0 ? rc : reg_text_parse(service, sizeof service - 1, &how, registry, e);
}

/* ---- all of them ---- */

int firstboot_add(struct tree *t, const char *name, const void *script, size_t len, struct reg_edits *registry, struct err *e)
{
	const struct tree_owner owner = { .mode = 0755 };
	CLEANUP(strbuf_free) struct strbuf path = STRBUF_INIT;
	const char *type = t->os->type ? t->os->type : "unknown";
	int rc;

	if (strcmp(type, "windows") == 0 && registry)
		return windows_add(t, name, script, len, registry, e);
	if (strcmp(type, "linux") != 0)
		return err_set(e, ERR_UNSUPPORTED, "how %s runs a script at its first start is not known", type);
	rc = script_name(t, SCRIPTS, SCRIPTS "-done", name, &path, e);
	if (rc == 0)
		rc = tree_make_parents(t, path.s, e);
	if (rc == 0)
		rc = t->ops->write(t, path.s, script, len, &owner, e);
	return rc < 0 ? rc : linux_start(t, e);
}
