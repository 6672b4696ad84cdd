/* SPDX-License-Identifier: GPL-2.0-or-later */
/* appliance.c - drydock appliance build, info, test and clean: the small virtual machine for what needs a kernel. */
#include "cmd.h"
#include "out.h"

#include "alloc.h"
#include "json.h"
#include "text.h"

#include <stdio.h>

struct appliance_args {
	struct dry_appliance_build build;
	int backend; /* of backends[] */
	bool json, all, quiet;
};

static void appliance_freep(struct dry_appliance **a)
{
	dry_appliance_free(*a);
}

/* ---- what is told about one ---- */

static void words(struct json *j, const char *key, const char *text)
{
	json_array(j, key);
	while (*text) {
		size_t len = strcspn(text, " ");

		json_strn(j, NULL, text, len);
		text += len + strspn(text + len, " ");
	}
	json_array_end(j);
}

static int print_json(const struct dry_appliance *a, const bool *made)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	struct json j = JSON_INIT(&out, true);
	struct dry_appliance_kernel k;
	struct dry_appliance_tool t;

	json_object(&j, NULL);
	json_str(&j, "folder", dry_appliance_folder(a));
	json_str(&j, "key", dry_appliance_key(a));
	json_str(&j, "version", dry_appliance_version(a));
	if (made)
		json_bool(&j, "built", *made);
	json_array(&j, "kernels");
	for (size_t i = 0; dry_appliance_kernel_at(a, i, &k); i++) {
		json_object(&j, NULL);
		json_str(&j, "backend", k.backend);
		json_str(&j, "release", k.release);
		json_str(&j, "source", k.source);
		json_u64(&j, "size", k.size);
		json_u64(&j, "initrd_size", k.initrd_size);
		words(&j, "filesystems", k.filesystems);
		json_object_end(&j);
	}
	json_array_end(&j);
	json_u64(&j, "tools_size", dry_appliance_tools_size(a));
	json_array(&j, "tools");
	for (size_t i = 0; dry_appliance_tool_at(a, i, &t); i++) {
		json_object(&j, NULL);
		json_str(&j, "package", t.package);
		json_u64(&j, "programs", t.nprograms);
		words(&j, "missing", t.missing);
		json_bool(&j, "needed_to_mount", t.mounts);
		json_object_end(&j);
	}
	json_array_end(&j);
	json_object_end(&j);
	strbuf_putc(&out, '\n');
	return out_flush(&out);
}

static int print_text(const struct dry_appliance *a)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	struct dry_appliance_kernel k;
	struct dry_appliance_tool t;
	char size[16], initrd[16];

	strbuf_printf(&out, "folder   %s\nkey      %s\nversion  %s\n", dry_appliance_folder(a), dry_appliance_key(a),
		      dry_appliance_version(a));
	for (size_t i = 0; dry_appliance_kernel_at(a, i, &k); i++)
		strbuf_printf(&out, "\nkernel   %s for %s, from %s (%s, initramfs %s)\nmounts   %s\n", k.release, k.backend,
			      k.source, text_size(k.size, size, sizeof size), text_size(k.initrd_size, initrd, sizeof initrd),
			      k.filesystems);
	strbuf_printf(&out, "\ntools    %s of programs from", text_size(dry_appliance_tools_size(a), size, sizeof size));
	for (size_t i = 0; dry_appliance_tool_at(a, i, &t); i++)
		if (t.nprograms)
			strbuf_printf(&out, " %s", t.package);
	strbuf_putc(&out, '\n');
	for (size_t i = 0; dry_appliance_tool_at(a, i, &t); i++)
		if (*t.missing)
			strbuf_printf(&out, "missing  %s: %s\n", t.package, t.missing);
	return out_flush(&out);
}

static int print(const struct appliance_args *args, const struct dry_appliance *a, const bool *made)
{
	return args->json ? print_json(a, made) : print_text(a);
}

/* ---- the commands ---- */

/* What will not be mounted for want of a program is said at once. */
static void warn_missing(const struct dry_appliance *a)
{
	struct dry_appliance_tool t;

	for (size_t i = 0; dry_appliance_tool_at(a, i, &t); i++)
		if (t.mounts && t.nprograms == 0)
			cmd_warn("the appliance has nothing of %s, as it is not installed here: what needs it will not be mounted",
				 t.package);
}

static int build(const struct appliance_args *args)
{
	CLEANUP(appliance_freep) struct dry_appliance *a = NULL;
	struct dry_error e;
	bool made;

	if (dry_appliance_build(&args->build, &made, &a, &e) < 0)
		return cmd_fail(&e);
	if (made && !args->quiet)
		warn_missing(a);
	if (args->json)
		return print_json(a, &made);
	if (!args->quiet)
		printf("%s%s\n", dry_appliance_folder(a), made ? "" : " (was there already)");
	return EXIT_DONE;
}

static int info(const struct appliance_args *args)
{
	CLEANUP(appliance_freep) struct dry_appliance *a = NULL;
	struct dry_error e;

	return dry_appliance_open(args->build.output, &a, &e) < 0 ? cmd_fail(&e) : print(args, a, NULL);
}

static const char *const backends[] = { "auto", "kvm", "uml", "tcg", NULL };

static int test(const struct appliance_args *args)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	struct json j = JSON_INIT(&out, true);
	struct dry_appliance_trial t;
	struct dry_error e;

	if (dry_appliance_try(args->build.output, backends[args->backend], &t, &e) < 0)
		return cmd_fail(&e);
	if (args->json) {
		json_object(&j, NULL);
		json_str(&j, "backend", t.backend);
		json_str(&j, "kernel", t.kernel);
		json_u64(&j, "launch_ms", t.launch_ms);
		json_object_end(&j);
		strbuf_putc(&out, '\n');
	} else if (!args->quiet) {
		strbuf_printf(&out, "%s: Linux ", t.backend);
		text_quote(&out, t.kernel, strlen(t.kernel));
		strbuf_printf(&out, " in %u.%03u s\n", t.launch_ms / 1000, t.launch_ms % 1000);
	}
	return out_flush(&out);
}

static int clean(const struct appliance_args *args)
{
	struct dry_error e;
	unsigned n;

	if (dry_appliance_clean(args->all, &n, &e) < 0)
		return cmd_fail(&e);
	if (args->json)
		printf("{\n    \"removed\": %u\n}\n", n);
	else if (!args->quiet)
		printf("%u removed\n", n);
	return EXIT_DONE;
}

static const struct {
	const char *name;
	int (*run)(const struct appliance_args *args);
} verbs[] = {
	{ "build", build },
	{ "info", info },
	{ "test", test },
	{ "clean", clean },
};

int cmd_appliance(int argc, char **argv)
{
	struct appliance_args a = { .json = false };
	const struct usage u = { "appliance", "[options] build|info|test|clean",
				 "Builds the small virtual machine for what needs a kernel, and tells what is in it." };
	const struct opt opts[] = {
		OPT_STRING('o', "output", "DIR", &a.build.output, "build, tell about or test this folder, not the cache's"),
		OPT_STRING(0, "kernel", "FILE", &a.build.kernel, "build: the kernel for QEMU, /boot/vmlinuz-RELEASE"),
		OPT_STRING(0, "agent", "FILE", &a.build.agent, "build: the program that runs in the appliance"),
		OPT_STRING(0, "packages", "DIR", &a.build.packages, "build: take what this host has not from .deb files in DIR"),
		OPT_FLAG(0, "only-packages", &a.build.only_packages, "build: take nothing from this host"),
		OPT_FLAG(0, "force", &a.build.force, "build: also when the same is there already"),
		OPT_CHOICE(0, "appliance", "WORD", &a.backend, backends,
			   "test: kvm, uml, tcg, or auto (the default): the first that works"),
		OPT_FLAG(0, "all", &a.all, "clean: also the one that is in use"),
		OPT_FLAG('q', "quiet", &a.quiet, "print errors only"),
		OPT_FLAG(0, "json", &a.json, "print JSON"),
		OPT_END,
	};

	switch (opts_parse(&u, opts, &argc, &argv)) {
	case OPTS_DONE:
		return EXIT_DONE;
	case OPTS_BAD:
		return EXIT_USAGE;
	case OPTS_OK:
		break;
	}
	if (argc != 1)
		return cmd_usage("appliance", argc ? "\"%s\" is one word too many" : "needs a word: build, info, test or clean",
				 argc ? argv[1] : "");
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(argv[0], verbs[i].name) == 0)
			return verbs[i].run(&a);
	return cmd_usage("appliance", "\"%s\" is not build, info, test or clean", argv[0]);
}
