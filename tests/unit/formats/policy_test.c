/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy_test.c - which addresses an image may name; files are the matter of chain_test.c. */
#include "testing.h"

#include "alloc.h"
#include "policy.h"

#include <stdlib.h>

static struct err e;

#define WEB "http://h/images/a.qcow2"

static const struct block_policy by_default, none = { .allow_none = true }, any = { .allow_all = true };

START_TEST(an_image_of_this_host_never_reaches_the_network_by_itself)
{
	fails(policy_admit_address(&by_default, "/dir/a.qcow2", "http://h/b", &e), ERR_POLICY);
	fails(policy_admit_address(&by_default, "a.qcow2", "nbd:h:1", &e), ERR_POLICY);
	fails(policy_admit_address(&by_default, NULL, "http://h/b", &e), ERR_POLICY);
	ok(policy_admit_address(&any, "/dir/a.qcow2", "http://h/b", &e));
}
END_TEST

START_TEST(an_image_of_a_server_names_its_neighbours)
{
	ok(policy_admit_address(&by_default, WEB, "http://h/images/b", &e));
	ok(policy_admit_address(&by_default, WEB "?token=1/2", "http://h/images/sub/b", &e));
	fails(policy_admit_address(&by_default, WEB, "http://h/other/b", &e), ERR_POLICY);
	fails(policy_admit_address(&by_default, WEB, "http://h/images/../b", &e), ERR_POLICY);
	fails(policy_admit_address(&by_default, WEB, "https://h/images/b", &e), ERR_POLICY);
	fails(policy_admit_address(&by_default, WEB, "http://h:81/images/b", &e), ERR_POLICY);
	fails(policy_admit_address(&none, WEB, "http://h/images/b", &e), ERR_POLICY);
	/* Of a host alone there is no folder. */
	fails(policy_admit_address(&by_default, "nbd://h", "nbd://i", &e), ERR_POLICY);
}
END_TEST

START_TEST(an_address_is_allowed_by_name)
{
	static const char *const names[] = { "/tmp", "http://h/a/", "nbd://g:1/x" };
	const struct block_policy p = { .allow_none = true, .allowed = names, .nallowed = ARRAY_LEN(names) };

	ok(policy_admit_address(&p, "/dir/a", "http://h/a/b/c", &e));
	ok(policy_admit_address(&p, "/dir/a", "nbd://g:1/x", &e));
	fails(policy_admit_address(&p, "/dir/a", "http://h/ab", &e), ERR_POLICY);
	fails(policy_admit_address(&p, "/dir/a", "nbd://g:1/xy", &e), ERR_POLICY);
	fails(policy_admit_address(&p, "/dir/a", "nbd://g:11/x", &e), ERR_POLICY);
}
END_TEST

START_TEST(nothing_from_the_network_names_a_file_of_this_host)
{
	static const char *const names[] = { "/" };
	const struct block_policy p = { .allowed = names, .nallowed = 1 };
	char *out = NULL;

	fails(policy_admit(&by_default, WEB, "/etc/passwd", &out, &e), ERR_POLICY);
	fails(policy_admit(&p, WEB, "/etc/passwd", &out, &e), ERR_POLICY);
	ok(policy_admit(&p, "/etc/group", "/etc/passwd", &out, &e));
	free(out);
}
END_TEST

TEST_MAIN("policy", an_address_is_allowed_by_name, an_image_of_a_server_names_its_neighbours,
	  an_image_of_this_host_never_reaches_the_network_by_itself, nothing_from_the_network_names_a_file_of_this_host)
