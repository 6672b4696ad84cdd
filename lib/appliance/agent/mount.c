/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mount.c - filesystems of disks, at /m/NUMBER. */
#include "agent.h"
#include "alloc.h"
#include "limits.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct agent_mount *mount_find(struct agent *a, uint64_t number)
{
	return number >= 1 && number <= AGENT_MOUNTS && a->mounts[number].used ? &a->mounts[number] : NULL;
}

/* What keeps the kernel from writing to a disk whose filesystem was not shut down well, and from looking for its log. */
static const struct {
	const char *type, *option;
} norecovery[] = {
	{ "ext3", "noload" },	       { "ext4", "noload" },	      { "xfs", "norecovery" },
	{ "btrfs", "rescue=nologreplay" }, { "nilfs2", "norecovery" },    { "reiserfs", "nolog" },
	{ "f2fs", "norecovery" },      { "ntfs-3g", "norecover" },
};

/* Filesystems whose maps of extents tell places of the device that they are mounted from. */
static const char *const plain_types[] = { "ext2", "ext3", "ext4", "xfs", "f2fs", "nilfs2", "ocfs2" };

static bool is_one_of(const char *type, const char *const *types, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

/* The options that are the kernel's own, as flags; what is left is the filesystem's. */
static unsigned long split_options(char *options, char *rest, size_t size)
{
	static const struct {
		const char *name;
		unsigned long set, clear;
	} flags[] = {
		{ "defaults", 0, 0 },	    { "ro", MS_RDONLY, 0 },	     { "rw", 0, MS_RDONLY },
		{ "noatime", MS_NOATIME, 0 }, { "relatime", MS_RELATIME, 0 }, { "nodiratime", MS_NODIRATIME, 0 },
		{ "nosuid", MS_NOSUID, 0 }, { "suid", 0, MS_NOSUID },	     { "noexec", MS_NOEXEC, 0 },
		{ "exec", 0, MS_NOEXEC },   { "nodev", MS_NODEV, 0 },	     { "dev", 0, 0 },
		{ "sync", MS_SYNCHRONOUS, 0 }, { "async", 0, MS_SYNCHRONOUS }, { "auto", 0, 0 },
		{ "noauto", 0, 0 },	    { "nofail", 0, 0 },		     { "user", 0, 0 },
	};
	unsigned long result = 0;
	char *save = NULL;
	size_t len = 0;

	rest[0] = '\0';
	for (char *w = strtok_r(options, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		size_t i;

		for (i = 0; i < ARRAY_LEN(flags) && strcmp(flags[i].name, w) != 0; i++)
			continue;
		if (i < ARRAY_LEN(flags)) {
			result = (result | flags[i].set) & ~flags[i].clear;
			continue;
		}
		if (len + strlen(w) + 2 > size)
			break;
		len += (size_t)snprintf(rest + len, size - len, "%s%s", len ? "," : "", w);
	}
	return result;
}

/* ---- why the kernel refused ---- */

static void log_skip(struct agent *a)
{
	if (a->kmsg >= 0 && lseek(a->kmsg, 0, SEEK_END) < 0)
		return;
}

/* The last thing that the kernel said since log_skip(), as a sentence's end. */
static void log_last(struct agent *a, char *buf, size_t size)
{
	char record[1024];
	ssize_t n;

	buf[0] = '\0';
	/* Ends: the log is a ring of some size, and each read takes a record of it; a lost one (EPIPE) counts too. */
	for (unsigned i = 0; a->kmsg >= 0 && i < 10000; i++) {
		const char *text;

		n = read(a->kmsg, record, sizeof record - 1);
		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			return;
		record[n] = '\0';
		text = strchr(record, ';');
		if (text)
			snprintf(buf, size, " (%.*s)", (int)strcspn(text + 1, "\n"), text + 1);
	}
}

/* ---- mounting ---- */

static int mount_folder(struct agent *a, struct agent_mount *m, const char *path)
{
	if (!a->folders)
		return agent_say(a, EINVAL, "\"%.100s\" is no device", path);
	m->folder = true;
	snprintf(m->path, sizeof m->path, "%s", path);
	return 0;
}

/* ntfs-3g and others are programs. */
static int mount_fuse(struct agent *a, struct agent_mount *m, const char *dev, const char *options,
		      unsigned number)
{
	char all[1200], said[400], path[32];
	const char *const argv[] = { m->type, dev, path, "-o", all, NULL };
	int status, rc = mount_tools(a);

	if (rc)
		return rc;
	modules_load(a, "fs-fuse");
	/* In the image of tools, where the program sees it. */
	make_folder("/run/m");
	snprintf(path, sizeof path, "/run/m/%u", number);
	make_folder(path);
	snprintf(m->path, sizeof m->path, "/tools%s", path);
	snprintf(all, sizeof all, "%s%s%s", m->readonly ? "ro" : "rw", options[0] ? "," : "", options);
	rc = agent_tool(a, argv, 100, said, sizeof said, &status);
	if (rc)
		return rc;
	if (status)
		return agent_say(a, EIO, "%s does not mount %s: %.*s", m->type, dev, (int)strcspn(said, "\n"), said);
	return 0;
}

/* The type of a filesystem, as blkid tells. */
static int look_for_type(struct agent *a, const char *dev, char type[32])
{
	char said[64];
	const char *const argv[] = { "blkid", "-p", "-o", "value", "-s", "TYPE", dev, NULL };
	int status;
	int rc = agent_tool(a, argv, 30, said, sizeof said, &status);

	if (rc)
		return rc;
	said[strcspn(said, "\n")] = '\0';
	if (status || !said[0] || strlen(said) >= 32)
		return agent_say(a, EINVAL, "no filesystem is found in %s", dev);
	snprintf(type, 32, "%.31s", said);
	return 0;
}

static int mount_device(struct agent *a, struct agent_mount *m, const char *device, char *options, unsigned number)
{
	char dev[AGENT_PATH], rest[1024], purpose[40], why[300];
	unsigned long flags = split_options(options, rest, sizeof rest) | MS_NODEV | MS_NOATIME;
	int rc = device_path(a, device, dev);
	size_t len;

	if (rc == 0 && !m->type[0])
		rc = look_for_type(a, dev, m->type);
	if (rc)
		return rc;
	/* Linux' own driver is in neither of the kernels. */
	if (strcmp(m->type, "ntfs") == 0)
		snprintf(m->type, sizeof m->type, "ntfs-3g");
	if (m->readonly) {
		flags |= MS_RDONLY;
		for (size_t i = 0; i < ARRAY_LEN(norecovery); i++)
			if (strcmp(norecovery[i].type, m->type) == 0) {
				len = strlen(rest);
				snprintf(rest + len, sizeof rest - len, "%s%s", len ? "," : "", norecovery[i].option);
			}
	}
	m->readonly = flags & MS_RDONLY;
	snprintf(m->path, sizeof m->path, "/m/%u", number);
	make_folder(m->path);
	if (strcmp(m->type, "ntfs-3g") == 0)
		return mount_fuse(a, m, dev, rest, number);
	snprintf(purpose, sizeof purpose, "fs-%s", m->type);
	rc = modules_load(a, purpose);
	if (rc)
		return rc;
	log_skip(a);
	if (mount(dev, m->path, m->type, flags, rest) == 0)
		return 0;
	rc = errno;
	log_last(a, why, sizeof why);
	if (rc == ENODEV)
		return agent_say(a, rc, "this kernel has no driver for %s", m->type);
	return agent_say(a, rc, "%s on %s cannot be mounted%s", m->type, dev, why);
}

static int thaw(struct agent_mount *m)
{
	if (m->frozen && ioctl(m->fd, FITHAW, 0) < 0)
		return errno;
	m->frozen = false;
	return 0;
}

static void unmount(struct agent *a, uint32_t number)
{
	struct agent_mount *m = &a->mounts[number];

	/* A frozen one would not go. */
	if (m->fd >= 0 && thaw(m) == 0)
		errno = 0;
	if (m->fd >= 0)
		close(m->fd);
	if (!m->folder && umount2(m->path, 0) < 0)
		umount2(m->path, MNT_DETACH);
	*m = (struct agent_mount){ .fd = -1 };
}

/* Some drivers mount what they do not want to write to for reading, and do not say so. */
static int judge_writable(struct agent *a, struct agent_mount *m)
{
	struct statvfs s;
	int rc;

	if (m->readonly || statvfs(m->path, &s) < 0 || !(s.f_flag & ST_RDONLY))
		return 0;
	rc = agent_say(a, EROFS,
		       "%s can only be mounted for reading: its system was not shut down well, or hibernates, or there is no "
		       "driver that writes",
		       m->type);
	if (umount2(m->path, UMOUNT_NOFOLLOW) < 0)
		umount2(m->path, MNT_DETACH);
	return rc;
}

static bool type_is_good(const char *type)
{
	return type[strspn(type, "abcdefghijklmnopqrstuvwxyz0123456789-_+.")] == '\0';
}

int ask_mount(struct agent *a, struct question *q)
{
	char device[AGENT_PATH], options[1024];
	struct agent_mount *m;
	struct proto_out *o;
	uint32_t number = 1;
	const char *path;
	int rc;

	while (number <= AGENT_MOUNTS && a->mounts[number].used)
		number++;
	if (number > AGENT_MOUNTS)
		return agent_say(a, EMFILE, "more than %d filesystems at once", AGENT_MOUNTS);
	m = &a->mounts[number];
	*m = (struct agent_mount){ .fd = -1 };
	proto_get_str(&q->in, device, sizeof device);
	proto_get_str(&q->in, m->type, sizeof m->type);
	proto_get_str(&q->in, options, sizeof options);
	m->readonly = proto_get_u8(&q->in);
	if (!proto_done(&q->in) || !type_is_good(m->type))
		return EPROTO;
	if (a->readonly)
		return EPERM;
	path = strncmp(device, "folder:", 7) == 0 ? device + 7 : NULL;
	rc = path ? mount_folder(a, m, path) : mount_device(a, m, device, options, number);
	if (rc == 0 && !path)
		rc = judge_writable(a, m);
	if (rc)
		return rc;
	if (path && !m->type[0])
		snprintf(m->type, sizeof m->type, "folder");
	m->plain = is_one_of(m->type, plain_types, ARRAY_LEN(plain_types));
	m->fd = open(m->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (m->fd < 0)
		rc = agent_say(a, errno, "what was mounted cannot be opened");
	if (rc == 0) {
		m->used = true;
		rc = nodes_begin(a, number);
	}
	if (rc) {
		if (m->used)
			nodes_end(a, number);
		unmount(a, number);
		return rc;
	}
	o = agent_begin(a);
	proto_put_u32(o, number);
	proto_put_u64(o, m->root);
	proto_put_str(o, m->type);
	agent_answer(a, q);
	return 0;
}

/* 0 when it is no longer there; a busy one stays. */
static int umount_one(struct agent *a, uint32_t number)
{
	struct agent_mount *m = &a->mounts[number];

	if (thaw(m) != 0)
		return agent_say(a, errno, "%s cannot be thawed", m->type);
	nodes_end(a, number);
	close(m->fd);
	m->fd = -1;
	if (!m->folder && umount2(m->path, UMOUNT_NOFOLLOW) < 0) {
		int rc = agent_say(a, errno, "%s cannot be unmounted", m->type);

		m->fd = open(m->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (m->fd < 0 || nodes_begin(a, number) != 0)
			m->used = false;
		return rc;
	}
	*m = (struct agent_mount){ .fd = -1 };
	return 0;
}

int ask_umount(struct agent *a, struct question *q)
{
	uint32_t number = proto_get_u32(&q->in);
	struct agent_mount *m = mount_find(a, number);
	int rc;

	if (!proto_done(&q->in))
		return EPROTO;
	if (!m)
		return agent_say(a, EINVAL, "there is no mount %u", number);
	rc = umount_one(a, number);
	if (rc)
		return rc;
	agent_begin(a);
	agent_answer(a, q);
	return 0;
}

/* What programs have mounted where a person does, the last one first. */
static void umount_others(void)
{
	static const char *const tops[] = { "/tools/sysroot/", "/tools/mnt", "/tools/run/m/", "/m/" };
	char line[2048], *paths[1024];
	size_t n = 0;
	FILE *f = fopen("/proc/self/mounts", "re");

	while (f && n < ARRAY_LEN(paths) && fgets(line, sizeof line, f)) {
		char *path = strchr(line, ' ');

		if (!path)
			continue;
		path++;
		path[strcspn(path, " ")] = '\0';
		for (size_t i = 0; i < ARRAY_LEN(tops); i++)
			if (strncmp(path, tops[i], strlen(tops[i])) == 0 && (paths[n] = alloc_strdup(path))) {
				n++;
				break;
			}
	}
	if (f)
		fclose(f);
	while (n--) {
		/* One that is in use is written out, at least. */
		if (umount2(paths[n], UMOUNT_NOFOLLOW) < 0 && mount(NULL, paths[n], NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
			errno = 0;
		free(paths[n]);
	}
}

void umount_all(struct agent *a)
{
	for (uint32_t i = 1; i <= AGENT_MOUNTS; i++)
		if (a->mounts[i].used) {
			nodes_end(a, i);
			unmount(a, i);
		}
	if (a->init)
		umount_others();
}

int mount_tools(struct agent *a)
{
	static const char *const folders[] = { "dev", "proc", "sys", "run", "tmp" };
	char dev[AGENT_PATH];
	int rc;

	/* On a host its own tools are taken. */
	if (a->tools || a->folders)
		return 0;
	rc = device_path(a, "serial:tools", dev);
	if (rc)
		return agent_say(a, rc, "the appliance was started without its tools");
	if (mount(dev, "/tools", "ext4", MS_RDONLY | MS_NODEV, "noload") < 0)
		return agent_say(a, errno, "the image of tools cannot be mounted");
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		char from[16], to[32];

		snprintf(from, sizeof from, "/%s", folders[i]);
		snprintf(to, sizeof to, "/tools/%s", folders[i]);
		if (mount(from, to, NULL, MS_BIND | MS_REC, NULL) < 0)
			return agent_say(a, errno, "the image of tools has no folder /%s", folders[i]);
	}
	/* Where a person mounts what a rescue shell is for. */
	if (mount("tmpfs", "/tools/sysroot", "tmpfs", 0, "mode=755") < 0 && errno != ENOENT)
		return agent_say(a, errno, "the image of tools has a folder /sysroot that cannot be used");
	a->tools = true;
	return 0;
}

/* ---- what concerns a whole filesystem ---- */

int ask_sync(struct agent *a, struct question *q)
{
	int rc = 0;

	if (!proto_done(&q->in))
		return EPROTO;
	/* Each by itself, since sync() tells of no error. */
	for (uint32_t i = 1; i <= AGENT_MOUNTS; i++)
		if (a->mounts[i].used && !a->mounts[i].readonly && !a->mounts[i].frozen && syncfs(a->mounts[i].fd) < 0 && rc == 0)
			rc = agent_say(a, errno, "%s cannot be written out", a->mounts[i].type);
	/* And what was written to devices. */
	if (!a->folders)
		sync();
	if (rc)
		return rc;
	agent_begin(a);
	agent_answer(a, q);
	return 0;
}

int ask_statfs(struct agent *a, struct question *q)
{
	struct agent_mount *m = mount_find(a, proto_get_u32(&q->in));
	struct proto_out *o;
	struct statvfs s;

	if (!proto_done(&q->in))
		return EPROTO;
	if (!m)
		return EINVAL;
	if (fstatvfs(m->fd, &s) < 0)
		return errno;
	o = agent_begin(a);
	proto_put_u64(o, s.f_frsize);
	proto_put_u64(o, s.f_blocks);
	proto_put_u64(o, s.f_bfree);
	proto_put_u64(o, s.f_bavail);
	proto_put_u64(o, s.f_files);
	proto_put_u64(o, s.f_ffree);
	agent_answer(a, q);
	return 0;
}

int ask_fstrim(struct agent *a, struct question *q)
{
	struct agent_mount *m = mount_find(a, proto_get_u32(&q->in));
	struct fstrim_range r = { .len = UINT64_MAX };

	if (!proto_done(&q->in))
		return EPROTO;
	if (!m)
		return EINVAL;
	if (m->readonly || a->readonly)
		return EROFS;
	if (m->frozen)
		return agent_say(a, EBUSY, "%s is frozen", m->type);
	if (ioctl(m->fd, FITRIM, &r) < 0)
		return agent_say(a, errno, "%s cannot be trimmed", m->type);
	proto_put_u64(agent_begin(a), r.len);
	agent_answer(a, q);
	return 0;
}

/* Of a frozen reiserfs, the kernel's sync() waits for a journal that nobody can begin: of all filesystems, and for ever. */
static int freeze(const struct agent_mount *m)
{
	if (strcmp(m->type, "reiserfs") == 0) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return ioctl(m->fd, FIFREEZE, 0);
}

int ask_freeze(struct agent *a, struct question *q)
{
	struct agent_mount *m = mount_find(a, proto_get_u32(&q->in));

	if (!proto_done(&q->in))
		return EPROTO;
	if (!m)
		return EINVAL;
	if (a->readonly)
		return EROFS;
	/* A folder's filesystem is the host's. */
	if (!m->readonly && !m->folder && !m->frozen) {
		if (freeze(m) == 0)
			m->frozen = true;
		else if (errno != EOPNOTSUPP && errno != ENOTTY)
			return agent_say(a, errno, "%s cannot be frozen", m->type);
		else if (syncfs(m->fd) < 0)
			return agent_say(a, errno, "%s cannot be written out", m->type);
	}
	/* Nothing is written to one that is read-only. */
	proto_put_u8(agent_begin(a), m->frozen || m->readonly);
	agent_answer(a, q);
	return 0;
}

int ask_thaw(struct agent *a, struct question *q)
{
	struct agent_mount *m = mount_find(a, proto_get_u32(&q->in));
	int rc;

	if (!proto_done(&q->in))
		return EPROTO;
	if (!m)
		return EINVAL;
	rc = thaw(m);
	if (rc)
		return agent_say(a, rc, "%s cannot be thawed", m->type);
	agent_begin(a);
	agent_answer(a, q);
	return 0;
}
