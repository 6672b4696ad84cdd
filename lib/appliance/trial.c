/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trial.h"

#include "alloc.h"
#include "client.h"

#include <sys/wait.h>

/* The agent answers, and what it runs comes from the image of tools. */
static int ask(struct client *c, struct appliance_trial *out, struct err *e)
{
	static const char *const argv[] = { "sh", "-c", ":", NULL };
	const struct client_run run = { .argv = argv };
	int status, rc = client_ping(c, e);

	if (rc == 0)
		rc = client_run(c, &run, &status, e);
	if (rc < 0)
		return rc;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(e, ERR_CORRUPT, "the appliance's programs do not run");
	out->kernel = alloc_strdup(client_kernel(c));
	return out->kernel ? 0 : err_nomem(e);
}

static int launch(struct broker *b, enum appliance_backend backend, struct appliance_trial *out, struct err *e)
{
	const struct appliance_how how = { .backend = backend };
	struct appliance *a;
	int rc = appliance_launch(b, &how, NULL, 0, &a, e);

	if (rc < 0)
		return rc;
	*out = (struct appliance_trial){ .backend = appliance_backend(a), .launch_ms = appliance_launch_ms(a) };
	rc = ask(appliance_client(a), out, e);
	if (rc < 0)
		appliance_kill(a);
	else
		rc = appliance_close(a, e);
	if (rc < 0)
		free(take(out->kernel));
	return rc;
}

int appliance_try(const char *folder, enum appliance_backend backend, struct appliance_trial *out, struct err *e)
{
	CLEANUP(appliance_files_free) struct appliance_files files = { .folder = NULL };
	const struct broker_how how = { .files = &files };
	struct broker *b;
	int rc = folder ? appliance_files_open(folder, &files, e) : appliance_files_find(&files, e);

	*out = (struct appliance_trial){ .backend = backend };
	if (rc == 0)
		rc = broker_start(&how, &b, e);
	if (rc < 0)
		return rc;
	rc = launch(b, backend, out, e);
	broker_free(b);
	return rc;
}
