/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fact_signs.c - by files that are there: what prepares a guest when it is first started, what guards it, and what it is for.
 */
#include "facts.h"

#include "alloc.h"
#include "limits.h"
#include "text.h"

#include <string.h>
#include <sys/stat.h>

/*
 * Of several rows of one name the first that is there counts.  A path that ends in "/" is a folder.  The value is a word of ours;
 * those with NULL get theirs below.
 */
static const struct {
	enum sign_kind kind;
	const char *name, *path, *value;
} rows[] = {
	/* ---- first start: the narrower sign of what has become of it comes first ---- */
	{ SIGN_PROVISIONING, "cloud-init", "/etc/cloud/cloud-init.disabled", "disabled" },
	{ SIGN_PROVISIONING, "cloud-init", "/var/lib/cloud/data/instance-id", "has run" },
	{ SIGN_PROVISIONING, "cloud-init", "/usr/bin/cloud-init", "has not run" },
	{ SIGN_PROVISIONING, "cloud-init", "/usr/local/bin/cloud-init", "has not run" },
	{ SIGN_PROVISIONING, "ignition", "/etc/.ignition-result.json", "has run" },
	{ SIGN_PROVISIONING, "ignition", "/boot/ignition.firstboot", "has not run" },
	{ SIGN_PROVISIONING, "ignition", "/boot/flatcar/first_boot", "has not run" },
	{ SIGN_PROVISIONING, "ignition", "/boot/coreos/first_boot", "has not run" },
	{ SIGN_PROVISIONING, "ignition", "/usr/lib/dracut/modules.d/30ignition/", "installed" },
	{ SIGN_PROVISIONING, "ignition", "/usr/bin/ignition", "installed" },
	{ SIGN_PROVISIONING, "afterburn", "/usr/bin/afterburn", "installed" },
	{ SIGN_PROVISIONING, "azure-agent", "/usr/sbin/waagent", "installed" },
	{ SIGN_PROVISIONING, "azure-agent", "/usr/bin/waagent", "installed" },
	{ SIGN_PROVISIONING, "google-guest-agent", "/usr/bin/google_guest_agent", "installed" },
	{ SIGN_PROVISIONING, "amazon-ssm-agent", "/usr/bin/amazon-ssm-agent", "installed" },
	{ SIGN_PROVISIONING, "systemd-firstboot", "/etc/machine-id", NULL },
	{ SIGN_PROVISIONING, "anaconda", "/var/log/anaconda/", "has run" },
	{ SIGN_PROVISIONING, "autoyast", "/var/adm/autoinstall/", "has run" },
	{ SIGN_PROVISIONING, "subiquity", "/var/log/installer/subiquity-server-info.log", "has run" },
	{ SIGN_PROVISIONING, "debian-installer", "/var/log/installer/hardware-summary", "has run" },

	/* ---- what guards it ---- */
	{ SIGN_SECURITY, "selinux", "/etc/selinux/config", NULL },
	{ SIGN_SECURITY, "apparmor", "/usr/sbin/apparmor_parser", NULL },
	{ SIGN_SECURITY, "apparmor", "/sbin/apparmor_parser", NULL },
	{ SIGN_SECURITY, "fips", "/etc/system-fips", "asked for" },

	/* ---- what it is for ---- */
	{ SIGN_ROLE, "docker", "/usr/bin/dockerd", "container host" },
	{ SIGN_ROLE, "docker", "/usr/sbin/dockerd", "container host" },
	{ SIGN_ROLE, "podman", "/usr/bin/podman", "container host" },
	{ SIGN_ROLE, "containerd", "/usr/bin/containerd", "container host" },
	{ SIGN_ROLE, "cri-o", "/usr/bin/crio", "container host" },
	{ SIGN_ROLE, "lxc", "/usr/bin/lxc-start", "container host" },
	{ SIGN_ROLE, "lxd", "/var/lib/lxd/", "container host" },
	{ SIGN_ROLE, "lxd", "/var/snap/lxd/", "container host" },
	{ SIGN_ROLE, "incus", "/var/lib/incus/", "container host" },
	{ SIGN_ROLE, "kubernetes-control-plane", "/etc/kubernetes/manifests/kube-apiserver.yaml", "container host" },
	{ SIGN_ROLE, "kubelet", "/usr/bin/kubelet", "container host" },
	{ SIGN_ROLE, "kubelet", "/usr/local/bin/kubelet", "container host" },
	{ SIGN_ROLE, "k3s", "/usr/local/bin/k3s", "container host" },
	{ SIGN_ROLE, "k3s", "/usr/bin/k3s", "container host" },
	{ SIGN_ROLE, "rke2", "/usr/local/bin/rke2", "container host" },
	{ SIGN_ROLE, "libvirt", "/usr/sbin/libvirtd", "virtual machine host" },
	{ SIGN_ROLE, "libvirt", "/usr/sbin/virtqemud", "virtual machine host" },
	{ SIGN_ROLE, "xen", "/usr/sbin/xl", "virtual machine host" },
	{ SIGN_ROLE, "xen", "/usr/lib/xen/bin/", "virtual machine host" },
	{ SIGN_ROLE, "proxmox", "/usr/bin/pvedaemon", "virtual machine host" },
	{ SIGN_ROLE, "ovirt", "/usr/bin/vdsm-tool", "virtual machine host" },
	{ SIGN_ROLE, "qemu-guest-agent", "/usr/sbin/qemu-ga", "guest agent" },
	{ SIGN_ROLE, "qemu-guest-agent", "/usr/bin/qemu-ga", "guest agent" },
	{ SIGN_ROLE, "qemu-guest-agent", "/usr/local/bin/qemu-ga", "guest agent" },
	{ SIGN_ROLE, "open-vm-tools", "/usr/bin/vmtoolsd", "guest agent" },
	{ SIGN_ROLE, "open-vm-tools", "/usr/local/bin/vmtoolsd", "guest agent" },
	{ SIGN_ROLE, "vmware-tools", "/usr/sbin/vmtoolsd", "guest agent" },
	{ SIGN_ROLE, "virtualbox-guest", "/usr/sbin/VBoxService", "guest agent" },
	{ SIGN_ROLE, "virtualbox-guest", "/usr/local/sbin/VBoxService", "guest agent" },
	{ SIGN_ROLE, "hyperv-daemons", "/usr/sbin/hv_kvp_daemon", "guest agent" },
	{ SIGN_ROLE, "hyperv-daemons", "/usr/sbin/hypervkvpd", "guest agent" },
	{ SIGN_ROLE, "xen-guest-agent", "/usr/sbin/xe-daemon", "guest agent" },
	{ SIGN_ROLE, "spice-vdagent", "/usr/sbin/spice-vdagentd", "guest agent" },
	{ SIGN_ROLE, "spice-vdagent", "/usr/bin/spice-vdagentd", "guest agent" },
	{ SIGN_ROLE, "docker-container", "/.dockerenv", "container" },
	{ SIGN_ROLE, "podman-container", "/run/.containerenv", "container" },
};

/* The last word on the kernel's command line, as the boot loader is told it: "NAME=VALUE".  0: it is not there. */
static int command_line(const struct facts_from *from, struct facts *f, const char *word, struct err *e)
{
	static const char *const files[] = { "/etc/default/grub", "/etc/kernel/cmdline" };
	int found = 0;

	for (size_t i = 0; i < ARRAY_LEN(files) && !found; i++) {
		CLEANUP(free_ptr) char *text = NULL;
		int rc = facts_text(f, from->g->vfs, files[i], LIMIT_CONFIG_BYTES, &text, e);

		if (rc < 0)
			return rc;
		for (const char *p = text; p && (p = strstr(p, word)); p += strlen(word)) {
			const char *line = p, behind = p[strlen(word)];

			while (line > text && line[-1] != '\n')
				line--;
			found |= *line != '#' && (p == text || strchr(" \t\n\"'=", p[-1])) &&
				 (!behind || strchr(" \t\n\"'", behind));
		}
	}
	return found;
}

/* SELINUX=enforcing; what the kernel is told goes first. */
static int selinux_value(const struct facts_from *from, struct facts *f, char **value, struct err *e)
{
	CLEANUP(free_ptr) char *text = NULL, *mode = NULL;
	int off = command_line(from, f, "selinux=0", e), permissive, rc;

	permissive = off < 0 ? off : command_line(from, f, "enforcing=0", e);
	if (permissive < 0)
		return permissive;
	rc = facts_text(f, from->g->vfs, "/etc/selinux/config", LIMIT_CONFIG_BYTES, &text, e);
	if (rc > 0 && text)
		rc = os_shell_value(text, "SELINUX", &mode, e);
	if (rc < 0)
		return rc;
	if (off || (permissive && mode && strcmp(mode, "enforcing") == 0)) {
		*value = alloc_strdup(off ? "disabled" : "permissive");
		return *value ? 0 : err_nomem(e);
	}
	*value = take(mode);
	return 0;
}

static int apparmor_value(const struct facts_from *from, struct facts *f, char **value, struct err *e)
{
	int off = command_line(from, f, "apparmor=0", e);

	if (off < 0)
		return off;
	*value = alloc_strdup(off ? "disabled" : "enabled");
	return *value ? 0 : err_nomem(e);
}

/* A machine without a number of its own is given one, and asked for what it lacks, when it is first started. */
static int firstboot_value(const struct facts_from *from, struct facts *f, char **value, struct err *e)
{
	CLEANUP(free_ptr) char *id = NULL;
	int rc = facts_text(f, from->g->vfs, "/etc/machine-id", LIMIT_CONFIG_BYTES, &id, e);

	if (rc < 0 || !id)
		return rc < 0 ? rc : 0;
	*value = alloc_strdup(*id && *id != '\n' && strncmp(id, "uninitialized", 13) != 0 ? "has run" : "has not run");
	return *value ? 0 : err_nomem(e);
}

static const struct {
	const char *name;
	int (*value)(const struct facts_from *from, struct facts *f, char **value, struct err *e);
} values[] = {
	{ "selinux", selinux_value },
	{ "apparmor", apparmor_value },
	{ "systemd-firstboot", firstboot_value },
};

int facts_signs(const struct facts_from *from, struct facts *f, struct err *e)
{
	const char *last = "";

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = strlen(rows[i].path);
		bool folder = rows[i].path[len - 1] == '/';
		CLEANUP(free_ptr) char *value = NULL;
		int rc;

		if (strcmp(rows[i].name, last) == 0)
			continue;
		rc = os_has(from->g->vfs, rows[i].path, folder ? S_IFDIR : S_IFREG, e);
		for (size_t k = 0; rc > 0 && !rows[i].value && k < ARRAY_LEN(values); k++)
			if (strcmp(values[k].name, rows[i].name) == 0 && (rc = values[k].value(from, f, &value, e)) == 0)
				rc = 1;
		if (rc > 0)
			rc = facts_sign(f, rows[i].kind, rows[i].name, rows[i].path, NULL,
					rows[i].value ? rows[i].value : value, e);
		else if (rc == 0)
			continue;
		if (rc < 0)
			return rc;
		last = rows[i].name;
	}
	return 0;
}
