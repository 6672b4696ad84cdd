/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sysprep.c - the table of operations, and how they are done. */
#include "sysprep.h"

#include "accounts.h"
#include "alloc.h"
#include "limits.h"
#include "settings.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define FILES(...) (const char *const[]){ __VA_ARGS__, NULL }

/* ---- what is more than removing files ---- */

static int remove_backup(void *arg, const char *path, uint32_t type, struct err *e)
{
	struct tree *t = arg;
	size_t len = strlen(path);

	if (type != S_IFREG || !(path[len - 1] == '~' || (len > 4 && strcmp(path + len - 4, ".bak") == 0)))
		return 0;
	return t->ops->remove(t, path, e);
}

static int run_backup_files(struct sysprep_job *job, struct err *e)
{
	static const char *const folders[] = { "/etc", "/root", "/srv", "/tmp", "/var" };
	struct tree *t = job->customize.tree;
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(folders) && rc == 0; i++)
		if (tree_is_dir(t, folders[i]))
			rc = tree_walk_types(t, folders[i], remove_backup, t, e);
	return rc;
}

static int run_flag(struct sysprep_job *job, struct err *e)
{
	return tree_put(job->customize.tree, "/.unconfigured", "", 0644, e);
}

static int run_machine_id_reset(struct sysprep_job *job, struct err *e)
{
	struct tree *t = job->customize.tree;

	return tree_has(t, "/etc/machine-id") || tree_has(t, "/var/lib/dbus/machine-id") ? settings_machine_id(t, "empty", e) : 0;
}

/* Files of network-scripts, without lines of some keys. */
struct without {
	struct tree *t;
	const char *const *keys; /* "HWADDR=" ...; ends at NULL */
};

static int lines_without(void *arg, const char *path, struct err *e)
{
	const struct without *w = arg;
	CLEANUP(free_ptr) char *text = NULL;
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	bool changed = false;
	size_t len;
	int rc = tree_is_file(w->t, path) ? tree_text(w->t, path, &text, &len, e) : 0;

	if (rc <= 0)
		return rc;
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, "\n") + (p[strcspn(p, "\n")] == '\n');
		bool drop = false;

		for (const char *const *k = w->keys; *k; k++)
			drop |= text_starts(p, *k, NULL);
		if (!drop)
			strbuf_add(&out, p, n);
		changed |= drop;
		p += n;
	}
	if (out.failed)
		return err_nomem(e);
	return changed ? w->t->ops->write(w->t, path, out.s, out.len, NULL, e) : 0;
}

static int ifcfg_without(struct sysprep_job *job, const char *const *keys, struct err *e)
{
	struct without w = { job->customize.tree, keys };

	return tree_glob(w.t, "/etc/sysconfig/network-scripts/ifcfg-*", lines_without, &w, e);
}

static int run_net_hostname(struct sysprep_job *job, struct err *e)
{
	return ifcfg_without(job, FILES("HOSTNAME=", "DHCP_HOSTNAME="), e);
}

static int run_net_hwaddr(struct sysprep_job *job, struct err *e)
{
	return ifcfg_without(job, FILES("HWADDR="), e);
}

static int empty_file(void *arg, const char *path, struct err *e)
{
	struct tree *t = arg;

	return tree_is_file(t, path) ? t->ops->truncate(t, path, 0, e) : 0;
}

static int run_pacct(struct sysprep_job *job, struct err *e)
{
	struct tree *t = job->customize.tree;
	int rc = tree_glob(t, "/var/account/pacct", empty_file, t, e);

	return rc < 0 ? rc : tree_glob(t, "/var/log/account/pacct", empty_file, t, e);
}

/* The number of the last at-job; its file stays, and has its owner. */
static int run_cron(struct sysprep_job *job, struct err *e)
{
	static const char *const counts[] = { "/var/spool/cron/atjobs/.SEQ", "/var/spool/atjobs/.SEQ", "/var/spool/at/.SEQ" };
	struct tree *t = job->customize.tree;
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(counts) && rc == 0; i++)
		if (tree_is_file(t, counts[i]))
			rc = tree_put(t, counts[i], "00000\n", 0600, e);
	return rc;
}

/* What was made of the certificates is made anew, by the guest's own program. */
static int run_certificates(struct sysprep_job *job, struct err *e)
{
	static const char *const debian[] = { "/usr/sbin/update-ca-certificates", NULL };
	static const char *const redhat[] = { "/usr/bin/update-ca-trust", "extract", NULL };
	struct tree *t = job->customize.tree;
	int rc = tree_is_file(t, debian[0]) ? customize_program(&job->customize, debian, e) : 0;

	return rc == 0 && tree_is_file(t, redhat[0]) ? customize_program(&job->customize, redhat, e) : rc;
}

static int run_fs_uuids(struct sysprep_job *job, struct err *e)
{
	return job->fs_uuids ? job->fs_uuids(job->customize.arg, e)
			     : err_set(e, ERR_UNSUPPORTED, "filesystems cannot be given other UUIDs here");
}

static int run_lvm_uuids(struct sysprep_job *job, struct err *e)
{
	return job->lvm_uuids ? job->lvm_uuids(job->customize.arg, e) : 0;
}

static int run_customize(struct sysprep_job *job, struct err *e)
{
	static const struct customize none = CUSTOMIZE_INIT;

	return customize_run(job->ops ? job->ops : &none, &job->customize, e);
}

/* ---- accounts ---- */

static bool is_listed(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = list; p && *p; p += strcspn(p, ","), p += *p == ',')
		if (strncmp(p, name, len) == 0 && (p[len] == ',' || p[len] == '\0'))
			return true;
	return false;
}

struct leaving {
	const struct sysprep_job *job;
	struct strbuf names; /* each with a NUL behind it */
	uint64_t least, most; /* numbers of ordinary users */
};

/* "UID_MIN  1000": the value of a word in login.defs, the last one if there are several. */
static void defs_number(const char *text, const char *word, uint64_t *out)
{
	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		const char *value;
		char digits[24];

		p += strspn(p, " \t");
		if (!text_starts(p, word, &value) || (*value != ' ' && *value != '\t'))
			continue;
		value += strspn(value, " \t");
		snprintf(digits, sizeof digits, "%.*s", (int)strcspn(value, " \t\r\n"), value);
		text_parse_u64(digits, out);
	}
}

/* As the guest's useradd has them, which is from 1000 to 60000 nearly everywhere. */
static int ordinary_users(struct tree *t, struct leaving *l, struct err *e)
{
	CLEANUP(free_ptr) char *text = NULL;
	int rc = tree_text(t, "/etc/login.defs", &text, NULL, e);

	l->least = 1000;
	l->most = 60000;
	if (rc > 0) {
		defs_number(text, "UID_MIN", &l->least);
		defs_number(text, "UID_MAX", &l->most);
	}
	/* root is none, whatever is written there. */
	l->least = MAX_OF(l->least, (uint64_t)1);
	return rc < 0 ? rc : 0;
}

static int account_judge(void *arg, const struct account *a, struct err *e)
{
	struct leaving *l = arg;
	const struct sysprep_job *job = l->job;

	(void)e;
	if (a->uid < l->least || a->uid > l->most || is_listed(job->keep, a->name) ||
	    (job->remove && !is_listed(job->remove, a->name)))
		return 0;
	strbuf_add(&l->names, a->name, strlen(a->name) + 1);
	return 0;
}

static int run_user_account(struct sysprep_job *job, struct err *e)
{
	struct leaving l = { .job = job, .names = STRBUF_INIT };
	int rc = ordinary_users(job->customize.tree, &l, e);

	if (rc == 0)
		rc = accounts_each(job->customize.tree, account_judge, &l, e);
	if (rc == 0 && l.names.failed)
		rc = err_nomem(e);
	for (const char *p = l.names.s; rc == 0 && p < l.names.s + l.names.len; p += strlen(p) + 1)
		rc = account_remove(job->customize.tree, p, e);
	strbuf_free(&l.names);
	return rc;
}

/* ---- the table ---- */

static const char *const logs[] = {
	"/etc/Pegasus/*.cnf", "/etc/Pegasus/*.crt", "/etc/Pegasus/*.csr", "/etc/Pegasus/*.pem", "/etc/Pegasus/*.srl",
	"~~/anaconda-ks.cfg", "~~/anaconda-post.log", "~~/initial-setup-ks.cfg", "~~/install.log",
	"~~/install.log.syslog", "~~/original-ks.cfg", "/var/cache/fontconfig/*", "/var/cache/gdm/*", "/var/cache/man/*",
	"/var/lib/AccountService/users/*", "/var/lib/fprint/*", "/var/lib/logrotate.status", "/var/log/*.log*",
	"/var/log/BackupPC/LOG", "/var/log/ConsoleKit/*", "/var/log/anaconda.syslog", "/var/log/anaconda/*",
	"/var/log/apache2/*_log", "/var/log/apache2/*_log-*", "/var/log/apt/*", "/var/log/aptitude*", "/var/log/audit/*",
	"/var/log/btmp*", "/var/log/ceph/*.log", "/var/log/chrony/*.log", "/var/log/cron*", "/var/log/cups/*_log*",
	"/var/log/debug*", "/var/log/dmesg*", "/var/log/exim4/*", "/var/log/faillog*", "/var/log/firewalld*", "/var/log/gdm/*",
	"/var/log/glusterfs/*glusterd.vol.log", "/var/log/glusterfs/glusterfs.log", "/var/log/grubby*", "/var/log/httpd/*log",
	"/var/log/installer/*", "/var/log/jetty/jetty-console.log", "/var/log/journal/*", "/var/log/lastlog*",
	"/var/log/libvirt/libvirtd.log", "/var/log/libvirt/libxl/*.log", "/var/log/libvirt/lxc/*.log",
	"/var/log/libvirt/qemu/*.log", "/var/log/libvirt/uml/*.log", "/var/log/lightdm/*", "/var/log/mail/*", "/var/log/maillog*",
	"/var/log/messages*", "/var/log/ntp", "/var/log/ntpstats/*", "/var/log/ppp/connect-errors", "/var/log/rhsm/*",
	"/var/log/sa/*", "/var/log/secure*", "/var/log/setroubleshoot/*.log", "/var/log/spooler*", "/var/log/squid/*.log",
	"/var/log/syslog*", "/var/log/tallylog*", "/var/log/tuned/tuned.log", "/var/log/wtmp*", "/var/log/xferlog*",
	"/var/named/data/named.run", NULL,
};

/* Helps are those of the peer, which prints them. */
static const struct sysprep_op ops[] = {
	{ "abrt-data", "Remove the crash data generated by ABRT", FILES("/var/spool/abrt/*"), .by_default = true },
	{ "backup-files", "Remove editor backup files from the guest", NULL, run_backup_files, .by_default = true },
	{ "bash-history", "Remove the bash history in the guest", FILES("~/.bash_history"), .by_default = true },
	{ "blkid-tab", "Remove blkid tab in the guest",
	  FILES("/var/run/blkid.tab", "/var/run/blkid.tab.old", "/etc/blkid/blkid.tab", "/etc/blkid/blkid.tab.old",
		"/etc/blkid.tab", "/etc/blkid.tab.old", "/dev/.blkid.tab", "/dev/.blkid.tab.old"),
	  .by_default = true },
	{ "ca-certificates", "Remove CA certificates in the guest",
	  FILES("-/etc/pki/CA/certs/*", "-/etc/pki/CA/crl/*", "-/etc/pki/CA/newcerts/*", "-/etc/pki/CA/private/*",
		"-/etc/pki/tls/private/*", "-/etc/pki/tls/certs/[!c]*.crt", "-/etc/pki/tls/certs/c[!a]*.crt",
		"-/etc/pki/tls/certs/ca[!-]*.crt",
		"-/usr/local/share/ca-certificates/*"),
	  run_certificates },
	{ "cloud-init", "Remove what cloud-init knows of this machine, so that it begins anew",
	  FILES("/var/lib/cloud/instance", "/var/lib/cloud/instances/*", "/var/lib/cloud/data/*",
		"/var/lib/cloud/sem/*", "/var/log/cloud-init*", "/etc/netplan/50-cloud-init.yaml",
		"/etc/network/interfaces.d/50-cloud-init*"),
	  .by_default = true, .own = true },
	{ "crash-data", "Remove the crash data generated by kexec-tools", FILES("/var/crash/*", "/var/log/dump/*"),
	  .by_default = true },
	{ "cron-spool", "Remove user at-jobs and cron-jobs",
	  FILES("-/var/spool/cron/*", "-/var/spool/cron/crontabs/*", "-/var/spool/cron/tabs/*",
		"-/var/spool/cron/atjobs/*", "-/var/spool/cron/atspool/*", "-/var/spool/cron/lastrun/*",
		"-/var/spool/at/*", "-/var/spool/at/spool/*", "-/var/spool/atjobs/*", "-/var/spool/atspool/*"),
	  run_cron, .by_default = true },
	{ "customize", "Customize the guest", NULL, run_customize, .by_default = true, .any_system = true,
	  .last = true },
	{ "dhcp-client-state", "Remove DHCP client leases",
	  FILES("/var/lib/dhclient/*", "/var/lib/dhcp/*", "/var/lib/NetworkManager/*.lease", "/var/lib/dhcpcd/*.lease"),
	  .by_default = true },
	{ "dhcp-server-state", "Remove DHCP server leases", FILES("/var/lib/dhcpd/*"), .by_default = true },
	{ "dovecot-data", "Remove Dovecot (mail server) data", FILES("/var/lib/dovecot/*"), .by_default = true },
	{ "firewall-rules", "Remove the firewall rules",
	  FILES("/etc/sysconfig/iptables", "/etc/firewalld/services/*", "/etc/firewalld/zones/*") },
	{ "flag-reconfiguration", "Flag the system for reconfiguration", NULL, run_flag },
	{ "fs-uuids", "Change filesystem UUIDs", NULL, run_fs_uuids, .last = true },
	{ "ipa-client", "Remove the IPA files",
	  FILES("/etc/ipa/ca.crt", "/etc/ipa/default.conf", "/var/lib/ipa-client/sysrestore/*",
		"/var/lib/ipa-client/pki/*"),
	  .by_default = true },
	{ "kerberos-data", "Remove Kerberos data in the guest",
	  FILES("/var/kerberos/krb5kdc/principal*", "/var/kerberos/krb5kdc/.k5.*", "/var/lib/krb5kdc/principal*") },
	{ "kerberos-hostkeytab", "Remove the Kerberos host keytab file in the guest", FILES("/etc/krb5.keytab"),
	  .by_default = true },
	{ "logfiles", "Remove many log files from the guest", logs, .by_default = true },
	{ "lvm-system-devices", "Remove LVM2 system.devices file",
	  FILES("/etc/lvm/devices/system.devices", "/etc/lvm/devices/backup/*"), .by_default = true, .own = true },
	{ "lvm-uuids", "Change LVM2 PV and VG UUIDs", NULL, run_lvm_uuids, .by_default = true, .last = true },
	{ "machine-id", "Remove the local machine ID", NULL, run_machine_id_reset, .by_default = true },
	{ "mail-spool", "Remove email from the local mail spool directory", FILES("-/var/spool/mail/*", "-/var/mail/*"),
	  .by_default = true },
	{ "net-hostname", "Remove HOSTNAME and DHCP_HOSTNAME in network interface configuration", NULL,
	  run_net_hostname, .by_default = true },
	{ "net-hwaddr", "Remove HWADDR (hard-coded MAC address) configuration", NULL, run_net_hwaddr,
	  .by_default = true },
	{ "net-nmconn", "Remove system-local NetworkManager connection profiles (keyfiles)",
	  FILES("/etc/NetworkManager/system-connections/*.nmconnection"), .by_default = true },
	{ "pacct-log", "Remove the process accounting log files",
	  FILES("/var/account/pacct-*", "/var/account/pacct.*", "/var/log/account/pacct-*", "/var/log/account/pacct.*"),
	  run_pacct, .by_default = true },
	{ "package-manager-cache", "Remove package manager cache",
	  FILES("-/var/cache/apt/archives/*.deb", "-/var/cache/apt/archives/partial/*", "-/var/cache/apt/*.bin",
		"/var/cache/dnf/*", "/var/cache/libdnf5/*", "/var/cache/yum/*", "/var/cache/zypp/*", "/var/cache/apk/*",
		"-/var/cache/pacman/pkg/*", "/var/cache/xbps/*"),
	  .by_default = true },
	{ "pam-data", "Remove the PAM data in the guest",
	  FILES("/var/run/console/*", "/var/run/faillock/*", "/var/run/sepermit/*", "/var/lib/faillock/*"),
	  .by_default = true },
	{ "passwd-backups", "Remove /etc/passwd- and similar backup files",
	  FILES("/etc/group-", "/etc/gshadow-", "/etc/passwd-", "/etc/shadow-", "/etc/subgid-", "/etc/subuid-"),
	  .by_default = true },
	{ "puppet-data-log", "Remove the data and log files of puppet",
	  FILES("/var/log/puppet/*", "/var/lib/puppet/*/*"), .by_default = true },
	{ "rh-subscription-manager", "Remove the RH subscription manager files",
	  FILES("/etc/pki/consumer/*", "/etc/pki/entitlement/*", "/var/lib/rhsm/*"), .by_default = true },
	{ "rhn-systemid", "Remove the RHN system ID",
	  FILES("/etc/sysconfig/rhn/systemid", "/etc/sysconfig/rhn/osad-auth.conf"), .by_default = true },
	{ "rpm-db", "Remove host-specific RPM database files",
	  FILES("/var/lib/rpm/__db.*", "/usr/lib/sysimage/rpm/__db.*"), .by_default = true },
	{ "samba-db-log", "Remove the database and log files of Samba",
	  FILES("/var/log/samba/*", "-/var/lib/samba/*", "-/var/lib/samba/*/*", "-/var/cache/samba/*"),
	  .by_default = true },
	{ "script", "Run arbitrary scripts against the guest", NULL, NULL, .by_default = true },
	{ "smolt-uuid", "Remove the Smolt hardware UUID",
	  FILES("/etc/sysconfig/hw-uuid", "/etc/smolt/uuid", "/etc/smolt/hw-uuid"), .by_default = true },
	{ "ssh-hostkeys", "Remove the SSH host keys in the guest", FILES("/etc/ssh/ssh_host_*"), .by_default = true },
	{ "ssh-userdir", "Remove \".ssh\" directories in the guest", FILES("~/.ssh"), .by_default = true },
	{ "sssd-db-log", "Remove the database and log files of sssd", FILES("/var/log/sssd/*", "/var/lib/sss/db/*"),
	  .by_default = true },
	{ "tmp-files", "Remove temporary files", FILES("/tmp/*", "/tmp/.[!.]*", "/var/tmp/*", "/var/tmp/.[!.]*"),
	  .by_default = true },
	{ "udev-persistent-net", "Remove udev persistent net rules", FILES("/etc/udev/rules.d/70-persistent-net.rules"),
	  .by_default = true },
	{ "user-account", "Remove the user accounts in the guest", NULL, run_user_account },
	{ "utmp", "Remove the utmp file", FILES("/var/run/utmp"), .by_default = true },
	{ "yum-uuid", "Remove the yum UUID", FILES("/var/lib/yum/uuid"), .by_default = true },
	{ "zsh-history", "Remove the zsh history in the guest", FILES("~/.zsh_history", "~/.zhistory"),
	  .by_default = true, .own = true },
};
_Static_assert(ARRAY_LEN(ops) <= SYSPREP_OPS, "each has a bit");

const struct sysprep_op *sysprep_op_at(size_t i)
{
	return i < ARRAY_LEN(ops) ? &ops[i] : NULL;
}

/* ---- which ---- */

void sysprep_defaults(bool peer, struct sysprep_choice *out)
{
	memset(out, 0, sizeof *out);
	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		out->on[i] = ops[i].by_default && !(peer && ops[i].own);
}

static int op_named(const char *name, size_t len, size_t *out, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		if (strlen(ops[i].name) == len && memcmp(ops[i].name, name, len) == 0) {
			*out = i;
			return 0;
		}
	}
	return err_set(e, ERR_USAGE, "\"%.*s\" is not a known operation", (int)len, name);
}

int sysprep_enable(const char *names, struct sysprep_choice *out, struct err *e)
{
	memset(out, 0, sizeof *out);
	if (!*names)
		return err_set(e, ERR_USAGE, "no operation is named");
	for (const char *p = names; *p;) {
		size_t len = strcspn(p, ","), i;
		int rc = op_named(p, len, &i, e);

		if (rc < 0)
			return rc;
		out->on[i] = true;
		p += len + (p[len] == ',');
	}
	return 0;
}

int sysprep_operations(const char *names, bool peer, struct sysprep_choice *out, struct err *e)
{
	memset(out, 0, sizeof *out);
	for (const char *p = names; *p;) {
		size_t len = strcspn(p, ","), minus = *p == '-', i;
		const char *name = p + minus;
		size_t n = len - minus;
		struct sysprep_choice defaults;
		int rc = 0;

		sysprep_defaults(peer, &defaults);
		if (n == 3 && memcmp(name, "all", 3) == 0) {
			for (i = 0; i < ARRAY_LEN(ops); i++)
				out->on[i] = !minus;
		} else if (n == 8 && memcmp(name, "defaults", 8) == 0) {
			for (i = 0; i < ARRAY_LEN(ops); i++)
				out->on[i] = defaults.on[i] ? !minus : out->on[i];
		} else if ((rc = op_named(name, n, &i, e)) == 0) {
			out->on[i] = !minus;
		}
		if (rc < 0)
			return rc;
		p += len + (p[len] == ',');
	}
	return 0;
}

/* ---- doing ---- */

struct removal {
	struct tree *t;
	bool files_only;
};

static int remove_one(void *arg, const char *path, struct err *e)
{
	const struct removal *r = arg;
	struct fs_stat st;
	int rc = r->t->ops->stat(r->t, path, false, &st, e);

	if (rc < 0 || (r->files_only && S_ISDIR(st.mode)))
		return rc;
	return r->t->ops->remove(r->t, path, e);
}

static int op_run(struct sysprep_job *job, const struct sysprep_op *op, struct err *e)
{
	struct removal r = { .t = job->customize.tree };
	int rc = 0;

	for (const char *const *p = op->files; p && *p && rc == 0; p++) {
		r.files_only = **p == '-';
		rc = tree_glob_homes(r.t, *p + r.files_only, remove_one, &r, e);
	}
	return rc == 0 && op->run ? op->run(job, e) : rc;
}

/* Those that are last, or the others. */
static int run_some(struct sysprep_job *job, bool last, struct err *e)
{
	const char *type = job->customize.tree->os->type;
	bool is_linux = type && strcmp(type, "linux") == 0;
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(ops) && rc == 0; i++) {
		if (!job->choice.on[i] || ops[i].last != last)
			continue;
		if ((!is_linux && !ops[i].any_system) || (!ops[i].files && !ops[i].run))
			continue;
		customize_say(&job->customize, "Performing \"%s\" ...", ops[i].name);
		rc = op_run(job, &ops[i], e);
		if (rc < 0)
			rc = err_in(e, rc, "%s", ops[i].name);
	}
	return rc;
}

int sysprep_run(struct sysprep_job *job, struct err *e)
{
	int rc = run_some(job, false, e);

	return rc < 0 ? rc : run_some(job, true, e);
}
