/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* appliance.c - building appliances and looking at them, by the public names. */
#include "api.h"
#include "build.h"
#include "info.h"
#include "trial.h"

struct dry_appliance {
	struct appliance_info info;
};

int dry_appliance_open(const char *folder, struct dry_appliance **out, struct dry_error *error)
{
	API_ERR(e, error);
	struct dry_appliance *a = alloc_zero(sizeof *a);
	int rc = a ? appliance_info_read(folder, &a->info, e) : err_nomem(e);

	if (rc < 0)
		free(a);
	else
		*out = a;
	return rc;
}

int dry_appliance_build(const struct dry_appliance_build *how, bool *made, struct dry_appliance **out, struct dry_error *error)
{
	const struct appliance_build b = {
		.output = how->output,
		.agent = how->agent,
		.kernel = how->kernel,
		.packages = how->packages,
		.only_packages = how->only_packages,
		.force = how->force,
	};
	CLEANUP(free_ptr) char *folder = NULL;
	bool now;
	int rc;

	{
		API_ERR(e, error);

		rc = appliance_build(&b, &folder, &now, e);
	}
	if (rc < 0)
		return rc;
	if (made)
		*made = now;
	return dry_appliance_open(folder, out, error);
}

void dry_appliance_free(struct dry_appliance *a)
{
	if (!a)
		return;
	appliance_info_free(&a->info);
	free(a);
}

const char *dry_appliance_folder(const struct dry_appliance *a)
{
	return a->info.folder;
}

const char *dry_appliance_key(const struct dry_appliance *a)
{
	return a->info.key;
}

const char *dry_appliance_version(const struct dry_appliance *a)
{
	return a->info.version;
}

bool dry_appliance_kernel_at(const struct dry_appliance *a, size_t i, struct dry_appliance_kernel *out)
{
	const struct appliance_kernel *k = &a->info.kernels[i < a->info.nkernels ? i : 0];

	if (i >= a->info.nkernels)
		return false;
	*out = (struct dry_appliance_kernel){ k->backend, k->release, k->source, k->filesystems, k->size, k->initrd_size };
	return true;
}

bool dry_appliance_tool_at(const struct dry_appliance *a, size_t i, struct dry_appliance_tool *out)
{
	const struct appliance_tool *t;

	if (i >= a->info.ntools)
		return false;
	t = &a->info.tools[i];
	*out = (struct dry_appliance_tool){ t->package, t->missing, t->nprograms, t->mounts };
	return true;
}

uint64_t dry_appliance_tools_size(const struct dry_appliance *a)
{
	return a->info.tools_size;
}

int dry_appliance_try(const char *folder, const char *backend, struct dry_appliance_trial *out, struct dry_error *error)
{
	API_ERR(e, error);
	CLEANUP(free_ptr) char *kernel = NULL;
	struct appliance_trial t = { .kernel = NULL };
	enum appliance_backend b;
	int rc = appliance_backend_parse(backend, &b, e);

	if (rc == 0)
		rc = appliance_try(folder, b, &t, e);
	if (rc < 0)
		return rc;
	kernel = t.kernel;
	*out = (struct dry_appliance_trial){ .backend = appliance_backend_word(t.backend), .launch_ms = t.launch_ms };
	memcpy(out->kernel, kernel, MIN_OF(strlen(kernel), sizeof out->kernel - 1));
	return 0;
}

int dry_appliance_clean(bool all, unsigned *removed, struct dry_error *error)
{
	API_ERR(e, error);
	unsigned n;
	int rc = appliance_clean(all, &n, e);

	if (rc == 0 && removed)
		*removed = n;
	return rc;
}
