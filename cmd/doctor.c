/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor.c - drydock doctor: what this host can do, and what to install to have more. */
#include "alloc.h"
#include "cmd.h"
#include "json.h"
#include "out.h"

#include <stdio.h>

static void host_freep(struct dry_host **h)
{
	dry_host_free(*h);
}

static int print_json(const struct dry_host *h)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	struct json j = JSON_INIT(&out, true);
	struct dry_host_fact f;

	json_object(&j, NULL);
	json_array(&j, "facts");
	for (size_t i = 0; dry_host_fact_at(h, i, &f); i++) {
		json_object(&j, NULL);
		json_str(&j, "name", f.name);
		json_str(&j, "state", f.state);
		json_str(&j, "text", f.text);
		if (f.install)
			json_str(&j, "install", f.install);
		json_object_end(&j);
	}
	json_array_end(&j);
	json_bool(&j, "appliance", dry_host_appliance(h));
	json_object_end(&j);
	strbuf_putc(&out, '\n');
	return out_flush(&out);
}

static int print_table(const struct dry_host *h)
{
	CLEANUP(table_free) struct table t = TABLE_INIT("l l l", "What", "State", "Found");
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	struct dry_host_fact f;
	bool first = true;
	int status;

	for (size_t i = 0; dry_host_fact_at(h, i, &f); i++) {
		table_add(&t, f.name);
		table_add(&t, f.state);
		table_add_guest(&t, f.text);
	}
	status = table_text(&t, TABLE_TITLES, &out);
	for (size_t i = 0; dry_host_fact_at(h, i, &f); i++) {
		if (!f.install)
			continue;
		strbuf_printf(&out, "%s  %s: %s\n", first ? "\nTo have more, install or do\n" : "", f.name, f.install);
		first = false;
	}
	return status | out_flush(&out);
}

int cmd_doctor(int argc, char **argv)
{
	CLEANUP(host_freep) struct dry_host *h = NULL;
	struct dry_error e;
	bool json = false;
	const struct usage u = { "doctor", "[options]", "Tells what this host can do for drydock, and what to install." };
	const struct opt opts[] = {
		OPT_FLAG(0, "json", &json, "print JSON"),
		OPT_END,
	};
	int status;

	switch (opts_parse(&u, opts, &argc, &argv)) {
	case OPTS_DONE:
		return EXIT_DONE;
	case OPTS_BAD:
		return EXIT_USAGE;
	case OPTS_OK:
		break;
	}
	if (argc)
		return cmd_usage("doctor", "takes no operand");
	if (dry_host_new(&h, &e) < 0)
		return cmd_fail(&e);
	status = json ? print_json(h) : print_table(h);
	return status != EXIT_DONE || dry_host_appliance(h) ? status : EXIT_FAILED;
}
