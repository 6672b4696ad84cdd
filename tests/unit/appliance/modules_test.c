/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "modules.h"

#include "strbuf.h"
#include "testing.h"

static const char dep[] = "kernel/fs/xfs/xfs.ko: kernel/lib/libcrc32c.ko\n"
			  "kernel/lib/libcrc32c.ko:\n"
			  "kernel/crypto/crc32c_generic.ko:\n"
			  "kernel/crypto/crc32c-intel.ko.xz:\n"
			  "kernel/drivers/md/dm-thin-pool.ko: kernel/drivers/md/dm-bufio.ko kernel/drivers/md/dm-mod.ko\n"
			  "kernel/drivers/md/dm-bufio.ko: kernel/drivers/md/dm-mod.ko\n"
			  "kernel/drivers/md/dm-mod.ko:\n"
			  "kernel/a.ko:\n"
			  "kernel/b.ko:\n";
static const char softdep[] = "# comment\n"
			      "softdep libcrc32c pre: crc32c\n"
			      "softdep a pre: b post: xfs\n"
			      "softdep b pre: a\n"
			      "softdep dm_mod pre: not-there\n";
static const char alias[] = "alias crc32c crc32c_intel\n"
			    "alias crc32c crc32c_generic\n"
			    "alias pci:v00001AF4d*sv*sd*bc*sc*i* virtio_pci\n"
			    "alias gone nowhere\n";
static const char builtin[] = "kernel/fs/ext4/ext4.ko\n";

/* The names in order of loading, commas between; "(none)" where there is no such module. */
static const char *order(const struct modules *m, const char *name)
{
	static char text[1000];
	struct strbuf b = STRBUF_INIT;
	struct module_order o = { .list = NULL };
	struct err e = ERR_INIT;
	int rc = modules_order(m, name, &o, &e);

	ck_assert_msg(rc >= 0, "%s", e.msg);
	for (size_t i = 0; i < o.n; i++)
		strbuf_printf(&b, "%s%s", i ? "," : "", o.list[i]->name);
	snprintf(text, sizeof text, "%s", rc ? b.s : "(none)");
	strbuf_free(&b);
	module_order_free(&o);
	return text;
}

static struct modules parsed(void)
{
	struct modules m;
	struct err e = ERR_INIT;

	ok(modules_parse(&m, dep, softdep, alias, builtin, &e));
	return m;
}

START_TEST(what_a_module_needs_and_asks_for_comes_before_it)
{
	struct modules m = parsed();

	/* libcrc32c asks for "crc32c", which two modules are called by. */
	ck_assert_str_eq(order(&m, "xfs"), "crc32c_generic,crc32c_intel,libcrc32c,xfs");
	ck_assert_str_eq(order(&m, "dm-thin-pool"), "dm_mod,dm_bufio,dm_thin_pool");
	modules_free(&m);
}
END_TEST

START_TEST(what_is_built_in_is_there_and_takes_no_place)
{
	struct modules m = parsed();

	ck_assert_str_eq(order(&m, "ext4"), "");
	ck_assert_ptr_nonnull(modules_find(&m, "ext4"));
	ck_assert_ptr_null(modules_find(&m, "ext4")->file);
	modules_free(&m);
}
END_TEST

START_TEST(what_is_not_there_is_told)
{
	struct modules m = parsed();

	ck_assert_str_eq(order(&m, "ntfs3"), "(none)");
	ck_assert_str_eq(order(&m, "gone"), "(none)");
	/* A soft dependency that is not there is none. */
	ck_assert_str_eq(order(&m, "dm_mod"), "dm_mod");
	modules_free(&m);
}
END_TEST

START_TEST(a_circle_ends_where_it_began)
{
	struct modules m = parsed();

	ck_assert_str_eq(order(&m, "a"), "b,a");
	ck_assert_str_eq(order(&m, "b"), "a,b");
	modules_free(&m);
}
END_TEST

START_TEST(several_purposes_share_what_is_loaded_once)
{
	struct modules m = parsed();
	struct module_order o = { .list = NULL };
	struct err e = ERR_INIT;

	ok(modules_order(&m, "dm-bufio", &o, &e));
	ok(modules_order(&m, "dm_thin_pool", &o, &e));
	ck_assert_uint_eq(o.n, 3);
	module_order_free(&o);
	modules_free(&m);
}
END_TEST

START_TEST(a_module_without_what_it_needs_is_an_error)
{
	struct modules m;
	struct module_order o = { .list = NULL };
	struct err e = ERR_INIT;

	ok(modules_parse(&m, "k/x.ko: k/y.ko\n", NULL, NULL, NULL, &e));
	fails(modules_order(&m, "x", &o, &e), ERR_CORRUPT);
	ck_assert_str_eq(e.msg, "modules.dep: x needs y, which is not there");
	module_order_free(&o);
	modules_free(&m);
	fails(modules_parse(&m, "no colon\n", NULL, NULL, NULL, &e), ERR_CORRUPT);
}
END_TEST

START_TEST(a_long_chain_is_refused)
{
	struct strbuf text = STRBUF_INIT;
	struct modules m;
	struct module_order o = { .list = NULL };
	struct err e = ERR_INIT;

	for (int i = 0; i < 1000; i++)
		strbuf_printf(&text, "k/m%d.ko: k/m%d.ko\n", i, i + 1);
	strbuf_puts(&text, "k/m1000.ko:\n");
	ok(modules_parse(&m, text.s, NULL, NULL, NULL, &e));
	fails(modules_order(&m, "m0", &o, &e), ERR_LIMIT);
	module_order_free(&o);
	modules_free(&m);
	strbuf_free(&text);
}
END_TEST

TEST_MAIN("modules", what_a_module_needs_and_asks_for_comes_before_it, what_is_built_in_is_there_and_takes_no_place,
	  what_is_not_there_is_told, a_circle_ends_where_it_began, several_purposes_share_what_is_loaded_once,
	  a_module_without_what_it_needs_is_an_error, a_long_chain_is_refused)
