/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subvolumes_test.c - guests on btrfs: which subvolume is the root, and what fstab and -m show of the others. */
#include "testing.h"

#include "btrfs_make.h"

#include "guest.h"

static struct err e = ERR_INIT;

struct subvol {
	uint64_t id;
	const char *name;
	const char *fstab; /* NULL: not a root */
};

/* One leaf: a root has /etc/fstab, /bin, /home, and a file that is named after it. */
static void make_subvol(struct make *m, uint64_t at, const struct subvol *sv)
{
	static const struct make_entry etc[] = { { "fstab", 261, BTRFS_INODE_ITEM, BTRFS_FT_REG } };
	const struct make_entry root[] = {
		{ sv->name, 257, BTRFS_INODE_ITEM, BTRFS_FT_REG }, { "etc", 258, BTRFS_INODE_ITEM, BTRFS_FT_DIR },
		{ "bin", 259, BTRFS_INODE_ITEM, BTRFS_FT_DIR },    { "home", 260, BTRFS_INODE_ITEM, BTRFS_FT_DIR },
	};

	make_leaf(m, at, sv->id);
	make_inode(m, 256, S_IFDIR | 0755, 0, 0);
	make_dir(m, 256, root, sv->fstab ? ARRAY_LEN(root) : 1);
	make_inode(m, 257, S_IFREG | 0644, 0, 0);
	if (!sv->fstab)
		return;
	make_inode(m, 258, S_IFDIR | 0755, 0, 0);
	make_dir(m, 258, etc, ARRAY_LEN(etc));
	make_inode(m, 259, S_IFDIR | 0755, 0, 0);
	make_inode(m, 260, S_IFDIR | 0755, 0, 0);
	make_inode(m, 261, S_IFREG | 0644, strlen(sv->fstab), 0);
	make_inline(m, 261, strlen(sv->fstab), 0, sv->fstab, strlen(sv->fstab));
}

/* A disk "d" with these subvolumes at the top, of which one may be the default (0: none). */
static void make_disk(const struct subvol *sv, size_t n, uint64_t def)
{
	struct make m = { .img = alloc_zero(MAKE_SIZE), .size = MAKE_SIZE };
	struct make_entry top[8];
	uint8_t buf[100];
	FILE *f;

	make_head(&m);
	for (size_t i = 0; i < n; i++)
		top[i] = (struct make_entry){ sv[i].name, sv[i].id, BTRFS_ROOT_ITEM, BTRFS_FT_DIR };
	make_leaf(&m, MAKE_TOP, BTRFS_TREE_FS);
	make_inode(&m, 256, S_IFDIR | 0755, 0, 0);
	make_dir(&m, 256, top, n);
	make_leaf(&m, MAKE_ROOTS, 1);
	make_root(&m, BTRFS_TREE_FS, MAKE_TOP);
	for (size_t i = 0; i < n; i++)
		make_root_ref(&m, BTRFS_TREE_FS, BTRFS_ROOT_REF, sv[i].id, 256, sv[i].name);
	if (def)
		make_item(&m, BTRFS_TREE_DIR, BTRFS_DIR_ITEM, btrfs_name_hash("default", 7), buf,
			  make_dir_bytes(buf, def, BTRFS_ROOT_ITEM, BTRFS_FT_DIR, "default", NULL, 0));
	for (size_t i = 0; i < n; i++) {
		make_root(&m, sv[i].id, MAKE_DATA + i * MAKE_NODE);
		make_root_ref(&m, sv[i].id, BTRFS_ROOT_BACKREF, BTRFS_TREE_FS, 256, sv[i].name);
	}
	for (size_t i = 0; i < n; i++)
		make_subvol(&m, MAKE_DATA + i * MAKE_NODE, &sv[i]);
	make_sums(&m);
	f = fopen("d", "wb");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(m.img, 1, MAKE_SIZE, f), MAKE_SIZE);
	ck_assert_int_eq(fclose(f), 0);
	free(m.img);
}

struct disk {
	struct block *block;
	struct volume_list vols;
	struct contents c;
};

static void disk_open(struct disk *d)
{
	const struct block_open how = { .format = "raw" };

	memset(d, 0, sizeof *d);
	ok(block_open("d", &how, &d->block, &e));
	ok(volume_scan(d->block, 0, &d->vols, &e));
	ok(contents_scan(&d->vols, NULL, &d->c, &e));
}

static void disk_close(struct disk *d)
{
	contents_free(&d->c);
	volume_list_free(&d->vols);
	block_unref(d->block);
}

/* Opens the disk as a guest: the root has this file, and (home not NULL) /home this one. */
static void is_found(const char *file, const char *home)
{
	struct disk d;
	struct guest g;

	disk_open(&d);
	ok(guest_open(&d.c, false, &g, &e));
	ck_assert_msg(vfs_is_file(g.vfs, file), "%s", file);
	ck_assert_uint_eq(vfs_nmounts(g.vfs), home ? 2 : 1);
	if (home)
		ck_assert_msg(vfs_is_file(g.vfs, home), "%s", home);
	guest_free(&g);
	disk_close(&d);
}

START_TEST(the_root_is_the_subvolume_whose_fstab_names_itself)
{
	/* Ubuntu, with a snapshot of timeshift and the image of a container. */
	static const char fstab[] = "/dev/sda / btrfs defaults,subvol=@ 0 1\n/dev/sda /home btrfs subvol=/@home\n";
	static const struct subvol ubuntu[] = {
		{ 256, "snapshot", fstab }, { 257, "@", fstab }, { 258, "@home", NULL }, { 259, "container", "" },
	};
	/* Fedora: by number. */
	static const struct subvol fedora[] = {
		{ 256, "root", "/dev/vda / btrfs subvolid=256\nLABEL=tiny /home btrfs subvol=home\n" },
		{ 257, "home", NULL },
		{ 258, "before", "/dev/vda / btrfs subvolid=256\n" },
	};

	make_disk(ubuntu, ARRAY_LEN(ubuntu), 0);
	is_found("/@", "/home/@home");
	make_disk(fedora, ARRAY_LEN(fedora), 0);
	is_found("/root", "/home/home");
}
END_TEST

START_TEST(the_default_subvolume_wins)
{
	/* openSUSE: the root is a snapshot itself, and its fstab names none. */
	static const struct subvol suse[] = {
		{ 256, "1", "/dev/sda / btrfs defaults\n/dev/sda /home btrfs subvol=home\n" },
		{ 257, "2", "/dev/sda / btrfs defaults\n/dev/sda /home btrfs subvol=home\n" },
		{ 258, "home", NULL },
	};

	make_disk(suse, ARRAY_LEN(suse), 257);
	is_found("/2", "/home/home");
}
END_TEST

START_TEST(the_only_root_needs_no_fstab)
{
	static const struct subvol one[] = { { 256, "system", "# nothing\n" }, { 257, "data", NULL } };

	make_disk(one, ARRAY_LEN(one), 257);
	is_found("/system", NULL);
}
END_TEST

START_TEST(two_systems_are_a_question)
{
	static const struct subvol two[] = {
		{ 256, "debian", "/dev/sda / btrfs subvol=debian\n" },
		{ 257, "arch", "/dev/sda / btrfs subvol=arch\n" },
		{ 258, "copy", "/dev/sda / btrfs subvol=arch\n" },
	};
	struct disk d;
	struct guest g;

	make_disk(two, ARRAY_LEN(two), 0);
	disk_open(&d);
	fails(guest_open(&d.c, true, &g, &e), ERR_USAGE);
	ck_assert_str_eq(e.msg, "several operating systems are there, choose one with -m: "
				"btrfsvol:/dev/sda/debian (btrfs), btrfsvol:/dev/sda/arch (btrfs)");
	disk_close(&d);
}
END_TEST

START_TEST(subvolumes_are_mounted_by_name_and_by_options)
{
	static const struct subvol some[] = { { 256, "a", NULL }, { 257, "b,c", NULL } };
	struct guest g = { 0 };
	struct disk d;

	make_disk(some, ARRAY_LEN(some), 0);
	disk_open(&d);
	ok(guest_mount(&d.c, "btrfsvol:/dev/sda/b,c", NULL, "/", &g, &e));
	ck_assert(vfs_is_file(g.vfs, "/b,c"));
	fails(guest_mount(&d.c, "btrfsvol:sda/b,c/", NULL, "/", &g, &e), ERR_USAGE);
	guest_free(&g);
	ok(guest_mount(&d.c, "LABEL=tiny", "ro,subvol=a", "/", &g, &e));
	ck_assert(vfs_is_file(g.vfs, "/a"));
	guest_free(&g);
	fails(guest_mount(&d.c, "btrfsvol:/dev/sda/x", NULL, "/", &g, &e), ERR_NOT_FOUND);
	guest_free(&g);
	fails(guest_mount(&d.c, "btrfsvol:/dev/sdb/a", NULL, "/", &g, &e), ERR_NOT_FOUND);
	fails(guest_mount(&d.c, "btrfsvol:", NULL, "/", &g, &e), ERR_NOT_FOUND);
	fails(guest_mount(&d.c, "btrfsvol:/dev/sda", NULL, "/", &g, &e), ERR_NOT_FOUND);
	guest_free(&g);
	disk_close(&d);
}
END_TEST

TEST_MAIN("subvolumes", the_root_is_the_subvolume_whose_fstab_names_itself, the_default_subvolume_wins,
	  the_only_root_needs_no_fstab, two_systems_are_a_question, subvolumes_are_mounted_by_name_and_by_options)
