/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host_check.h"

#include "alloc.h"
#include "files.h"
#include "io.h"
#include "kvm_probe.h"
#include "landlock.h"
#include "room.h"
#include "text.h"
#include "vm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Of distributions, the one whose names of packages we know; elsewhere the thing itself is named. */
static bool is_debian(void)
{
	CLEANUP(close_fd) int fd = open("/etc/os-release", O_RDONLY | O_CLOEXEC);
	char text[4096];
	size_t got = 0;

	if (fd < 0 || io_read(fd, text, sizeof text - 1, &got) != 0)
		return false;
	text[got] = '\0';
	return strstr(text, "ID=debian") || strstr(text, "ID_LIKE=debian") || strstr(text, "ID_LIKE=\"ubuntu debian") ||
	       strstr(text, "ID=ubuntu");
}

__attribute__((format(printf, 4, 5))) static struct host_fact *fact(struct host_check *c, const char *name,
								    enum host_state state, const char *fmt, ...)
{
	struct host_fact *f = &c->facts[c->n++]; /* HOST_FACTS is more than there are calls of this */
	va_list ap;

	f->name = name;
	f->state = state;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof f->text, fmt, ap);
	va_end(ap);
	return f;
}

static void advise(struct host_fact *f, const char *what)
{
	snprintf(f->install, sizeof f->install, "%s", what);
}

/* The word in a file of one line, "" when there is none. */
static void read_word(const char *path, char *buf, size_t size)
{
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t got = 0;

	if (fd < 0 || io_read(fd, buf, size - 1, &got) != 0)
		got = 0;
	while (got && (buf[got - 1] == '\n' || buf[got - 1] == ' '))
		got--;
	buf[got] = '\0';
}

/* ---- confinement ---- */

static bool check_landlock(struct host_check *c)
{
	int abi = landlock_abi();
	struct host_fact *f;

	if (abi) {
		fact(c, "landlock", HOST_GOOD, "version %d", abi);
		return true;
	}
	f = fact(c, "landlock", HOST_POOR, "%s: a program that reads guests is confined by seccomp alone",
		 errno == EOPNOTSUPP ? "turned off" : "not in this kernel");
	advise(f, errno == EOPNOTSUPP ? "start the kernel with lsm=landlock,... (all that /sys/kernel/security/lsm lists)"
				      : "a kernel of version 5.13 or newer");
	return false;
}

static bool check_seccomp(struct host_check *c)
{
	bool has = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;

	fact(c, "seccomp", has ? HOST_GOOD : HOST_POOR, "%s", has ? "there" : "not in this kernel");
	return has;
}

static bool check_namespaces(struct host_check *c)
{
	struct err why = ERR_INIT;
	char apparmor[8];
	struct host_fact *f;

	if (room_try(&why) == 0) {
		fact(c, "namespaces", HOST_GOOD, "a user may have namespaces of their own");
		return true;
	}
	f = fact(c, "namespaces", HOST_POOR, "not for this user (%s): user-mode Linux is not started", why.msg);
	read_word("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", apparmor, sizeof apparmor);
	if (access("/.dockerenv", F_OK) == 0 || access("/run/.containerenv", F_OK) == 0)
		advise(f, "this is a container: docker run --security-opt seccomp=unconfined --security-opt "
			  "apparmor=unconfined; on its host sysctl user.max_user_namespaces");
	else if (apparmor[0] == '1')
		advise(f, "AppArmor forbids them: sysctl kernel.apparmor_restrict_unprivileged_userns=0, or a profile with userns");
	else
		advise(f, "allow user namespaces: sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone");
	return false;
}

/* What user-mode Linux runs its processes by. */
static bool check_ptrace(struct host_check *c)
{
	char scope[16];
	struct host_fact *f;
	int rc = trace_try();

	read_word("/proc/sys/kernel/yama/ptrace_scope", scope, sizeof scope);
	if (scope[0] < '2' && rc == 0) {
		fact(c, "ptrace", HOST_GOOD, "a process may trace its children");
		return true;
	}
	if (scope[0] < '2') {
		f = fact(c, "ptrace", HOST_POOR, "a process may not trace its children (%s): user-mode Linux does not run",
			 strerror(rc));
		advise(f, "a filter of system calls that lets ptrace() pass");
		return false;
	}
	f = fact(c, "ptrace", HOST_POOR, "kernel.yama.ptrace_scope is %s: user-mode Linux does not run", scope);
	advise(f, "sysctl kernel.yama.ptrace_scope=1");
	return false;
}

/* ---- KVM ---- */

static void check_cpu(struct host_check *c)
{
	struct cpu_virtualization v;

	cpu_virtualization(&v);
	if (v.vmx || v.svm)
		fact(c, "cpu", HOST_GOOD, "it has %s%s", v.vmx ? "VT-x" : "AMD-V",
		     v.hypervisor ? ", passed on by the virtual machine that this is" : "");
	else
		fact(c, "cpu", HOST_POOR, v.hypervisor ? "this is a virtual machine, whose host does not pass virtualization on"
						       : "it has no virtualization, or the firmware turns it off");
}

static void check_nested(struct host_check *c)
{
	char on[8];

	read_word("/sys/module/kvm_intel/parameters/nested", on, sizeof on);
	if (!on[0])
		read_word("/sys/module/kvm_amd/parameters/nested", on, sizeof on);
	if (on[0] == 'Y' || on[0] == '1')
		fact(c, "nested", HOST_GOOD, "virtual machines of this host can have virtual machines");
	else
		fact(c, "nested", HOST_POOR, "virtual machines of this host have no KVM%s",
		     on[0] ? "" : ": no module of KVM tells");
}

static bool check_kvm(struct host_check *c, bool debian)
{
	struct kvm_probe p;
	struct err why = ERR_INIT;
	struct host_fact *f;

	if (kvm_probe(&p, &why) < 0) {
		fact(c, "kvm", HOST_POOR, "%s", why.msg);
		return false;
	}
	f = fact(c, "kvm", p.fast ? HOST_GOOD : HOST_POOR, "%s", p.words);
	if (p.present && !p.usable)
		advise(f, debian ? "adduser USER kvm" : "make the user a member of the group of /dev/kvm");
	return p.fast;
}

/* ---- programs and files ---- */

static bool check_qemu(struct host_check *c, bool debian)
{
	CLEANUP(free_ptr) char *path = NULL;
	struct err why = ERR_INIT;
	struct host_fact *f;

	if (vmm_qemu_find(&path, &why) == 0) {
		fact(c, "qemu", HOST_GOOD, "%s", path);
		return true;
	}
	f = fact(c, "qemu", HOST_POOR, "%s", why.msg);
	advise(f, debian ? "qemu-system-x86" : "QEMU for x86-64 (qemu-system-x86_64)");
	return false;
}

static void check_kernels(struct host_check *c, bool debian)
{
	DIR *d = opendir("/boot");
	char last[256] = "";
	unsigned all = 0, readable = 0;
	struct host_fact *f;

	for (struct dirent *de; d && (de = readdir(d));) {
		if (!text_starts(de->d_name, "vmlinuz", NULL))
			continue;
		all++;
		if (faccessat(dirfd(d), de->d_name, R_OK, 0) == 0) {
			readable++;
			snprintf(last, sizeof last, "%s", de->d_name);
		}
	}
	if (d)
		closedir(d);
	if (readable == 1) {
		fact(c, "kernels", HOST_GOOD, "/boot/%.200s", last);
	} else if (readable) {
		fact(c, "kernels", HOST_GOOD, "%u in /boot, which may be read", readable);
	} else {
		f = fact(c, "kernels", HOST_POOR,
			 all ? "those in /boot may not be read by this user" : "there is none in /boot");
		advise(f, debian ? "linux-image-cloud-amd64"
				 : "a kernel with its modules, readable for the user who builds the appliance");
	}
}

static void check_fuse(struct host_check *c, bool debian)
{
	CLEANUP(close_fd) int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	bool helper = access("/usr/bin/fusermount3", X_OK) == 0 || access("/bin/fusermount3", X_OK) == 0;
	struct host_fact *f;

	if (fd >= 0 && helper) {
		fact(c, "fuse", HOST_GOOD, "/dev/fuse, and fusermount3");
		return;
	}
	f = fact(c, "fuse", HOST_POOR, fd < 0 ? "/dev/fuse cannot be opened" : "there is no fusermount3");
	if (!helper)
		advise(f, debian ? "fuse3" : "FUSE 3 (fusermount3)");
}

/* The appliance, and what it can be started with. */
static void check_appliance(struct host_check *c, bool debian, bool qemu, bool kvm, bool confined)
{
	CLEANUP(appliance_files_free) struct appliance_files files = { .uml.fd = -1 };
	struct err why = ERR_INIT;
	struct host_fact *f;
	bool uml, machine;

	if (appliance_files_find(&files, &why) < 0) {
		f = fact(c, "appliance", HOST_MISSING, "%s", why.msg);
		advise(f, debian ? "user-mode-linux linux-image-cloud-amd64; then: drydock appliance build"
				 : "user-mode Linux or QEMU, and a kernel; then: drydock appliance build");
		return;
	}
	uml = files.uml.path != NULL;
	machine = files.vmlinux.path != NULL;
	f = fact(c, "appliance", HOST_GOOD, "%s%s%s%s", files.folder, uml ? "" : ", without user-mode Linux",
		 machine ? "" : ", without a kernel for QEMU", files.tools.path ? "" : ", without tools");
	if (!uml)
		advise(f, debian ? "user-mode-linux; then: drydock appliance build"
				 : "user-mode Linux; then: drydock appliance build");
	else if (!machine)
		advise(f, debian ? "linux-image-cloud-amd64; then: drydock appliance build"
				 : "a kernel; then: drydock appliance build");
	c->appliance = (uml && confined) || (machine && qemu);
	if (c->appliance)
		fact(c, "backends", HOST_GOOD, "%s%s%s", kvm && machine && qemu ? "kvm " : "", uml && confined ? "uml" : "",
		     machine && qemu ? uml && confined ? " tcg" : "tcg" : "");
	else
		fact(c, "backends", HOST_MISSING, "the appliance can be started neither with user-mode Linux nor with QEMU");
}

void host_check(struct host_check *out)
{
	bool debian = is_debian(), landlock, seccomp, spaces, ptrace, qemu, kvm;

	memset(out, 0, sizeof *out);
	landlock = check_landlock(out);
	seccomp = check_seccomp(out);
	spaces = check_namespaces(out);
	ptrace = check_ptrace(out);
	check_cpu(out);
	check_nested(out);
	kvm = check_kvm(out, debian);
	check_fuse(out, debian);
	qemu = check_qemu(out, debian);
	check_kernels(out, debian);
	check_appliance(out, debian, qemu, kvm, landlock && seccomp && spaces && ptrace);
}
