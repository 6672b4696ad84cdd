/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* secrets.c - what a guest still has that its clones should not share: secrets, at the places where they usually lie. */
#include "sysprep.h"

#include "alloc.h"
#include "limits.h"
#include "text.h"

#include <sys/stat.h>

/* As tree_glob_homes() takes them. */
static const struct {
	const char *pattern, *what;
} places[] = {
	{ "/etc/ssh/ssh_host_*_key", "a host key of ssh" },
	{ "~/.ssh/id_*[!b]", "a private key of ssh" },
	{ "~/.ssh/authorized_keys", "keys that may log in" },
	{ "~/.ssh/known_hosts", "hosts that were visited" },
	{ "~/.bash_history", "commands that were typed" },
	{ "~/.zsh_history", "commands that were typed" },
	{ "~/.mysql_history", "commands that were typed" },
	{ "~/.psql_history", "commands that were typed" },
	{ "~/.python_history", "commands that were typed" },
	{ "~/.aws/credentials", "a password or token" },
	{ "~/.azure/*.json", "a password or token" },
	{ "~/.config/gcloud/credentials.db", "a password or token" },
	{ "~/.config/gh/hosts.yml", "a password or token" },
	{ "~/.docker/config.json", "a password or token" },
	{ "~/.git-credentials", "a password or token" },
	{ "~/.gnupg/private-keys-v1.d/*", "a private key" },
	{ "~/.gnupg/secring.gpg", "a private key" },
	{ "~/.kube/config", "a password or token" },
	{ "~/.my.cnf", "a password or token" },
	{ "~/.netrc", "a password or token" },
	{ "~/.npmrc", "a password or token" },
	{ "~/.pgpass", "a password or token" },
	{ "~/.pypirc", "a password or token" },
	{ "~/.vault-token", "a password or token" },
	{ "/etc/krb5.keytab", "a keytab of Kerberos" },
	{ "/etc/ssl/private/*.key", "a private key" },
	{ "/etc/ssl/private/*.pem", "a private key" },
	{ "/etc/pki/tls/private/*", "a private key" },
	{ "/etc/pki/consumer/*.pem", "a private key" },
	{ "/etc/letsencrypt/archive/*/privkey*.pem", "a private key" },
	{ "/etc/letsencrypt/accounts/*/*/*/private_key.json", "a private key" },
	{ "/etc/wireguard/*.conf", "a private key" },
	{ "/etc/openvpn/*.key", "a private key" },
	{ "/etc/openvpn/*/*.key", "a private key" },
	{ "/etc/ipsec.secrets", "a password or token" },
	{ "/etc/ppp/*-secrets", "a password or token" },
	{ "/etc/wpa_supplicant/*.conf", "a password or token" },
	{ "/etc/NetworkManager/system-connections/*", "a network, perhaps with its password" },
	{ "/etc/shadow-", "hashes of passwords" },
	{ "/etc/gshadow-", "hashes of passwords" },
	{ "~~/anaconda-ks.cfg", "an installer's answers, perhaps with a password" },
	{ "/var/log/installer/cdebconf/passwords.dat", "an installer's answers, perhaps with a password" },
	{ "/var/lib/cloud/instances/*/user-data.txt*", "data of a cloud, perhaps with a password" },
	{ "/var/lib/samba/private/secrets.tdb", "a password or token" },
	{ "/var/lib/sss/db/*.ldb", "hashes of passwords" },
	{ "/var/lib/dhcp/*.leases", "a lease of this machine's" },
	{ "/var/lib/rancher/k3s/server/token", "a password or token" },
	{ "/var/lib/tailscale/tailscaled.state", "a private key" },
	{ "/etc/kubernetes/admin.conf", "a password or token" },
	{ "/etc/kubernetes/pki/*.key", "a private key" },
};

struct look {
	struct tree *t;
	const char *what;
	int (*fn)(void *arg, const char *path, const char *what, struct err *e);
	void *arg;
};

/* An empty file has nothing to tell. */
static int met(void *arg, const char *path, struct err *e)
{
	const struct look *l = arg;
	struct fs_stat st;

	if (l->t->ops->stat(l->t, path, true, &st, NULL) < 0 || !S_ISREG(st.mode) || !st.size)
		return 0;
	return l->fn(l->arg, path, l->what, e);
}

static int look_at(const struct look *l, const char *pattern, struct err *e)
{
	return tree_glob_homes(l->t, pattern, met, (void *)l, e);
}

/* Accounts with a password: its hash is a secret, and the password the same in all clones. */
static int shadow_look(const struct look *l, struct err *e)
{
	CLEANUP(free_ptr) char *text = NULL;
	int rc = tree_text(l->t, "/etc/shadow", &text, NULL, e);

	if (rc < 0)
		return rc;
	rc = 0;
	for (const char *p = text ? text : ""; *p && rc == 0; p += strcspn(p, "\n"), p += *p == '\n') {
		size_t name = strcspn(p, ":\n");
		CLEANUP(free_ptr) char *what = NULL;

		if (p[name] != ':' || p[name + 1] != '$')
			continue;
		what = alloc_printf("the password of %.*s", (int)MIN_OF(name, 64u), p);
		rc = what ? l->fn(l->arg, "/etc/shadow", what, e) : err_nomem(e);
	}
	return rc;
}

int secrets_find_in(struct tree *t, int (*fn)(void *arg, const char *path, const char *what, struct err *e), void *arg,
		    struct err *e)
{
	struct look l = { .t = t, .fn = fn, .arg = arg };
	int rc = shadow_look(&l, e);

	for (size_t i = 0; i < ARRAY_LEN(places) && rc == 0; i++) {
		l.what = places[i].what;
		rc = look_at(&l, places[i].pattern, e);
	}
	l.what = "the identity of this machine";
	return rc == 0 ? look_at(&l, "/etc/machine-id", e) : rc;
}
