/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machines.c - the machines' section of drydock.h: who starts machines, and the engine of a guest. */
#include "guest_api.h"

#include "broker.h"
#include "launch.h"
#include "limits.h"

_Static_assert((int)DRY_ENGINE_AUTO == (int)ENGINE_AUTO && (int)DRY_ENGINE_APPLIANCE == (int)ENGINE_APPLIANCE &&
		       (int)DRY_BACKEND_AUTO == (int)APPLIANCE_AUTO && (int)DRY_BACKEND_TCG == (int)APPLIANCE_TCG,
	       "public and internal words for engines and backends are one list");

struct dry_machines {
	struct broker *broker;
	struct appliance_files files;
	struct appliance_how how;
	char *append;
};

static void machines_freep(struct dry_machines **m)
{
	dry_machines_stop(*m);
}

int dry_machines_start(const struct dry_machines_how *how, struct dry_machines **out, struct dry_error *error)
{
	API_ERR(e, error);
	CLEANUP(machines_freep) struct dry_machines *m = alloc_zero(sizeof *m);
	int rc;

	if (!m)
		return err_nomem(e);
	if (how->memory && (how->memory / MiB < APPLIANCE_MEMORY_MIN || how->memory / MiB > APPLIANCE_MEMORY_MAX))
		return err_set(e, ERR_USAGE, "an appliance has from %u MiB of memory to %u MiB", APPLIANCE_MEMORY_MIN,
			       APPLIANCE_MEMORY_MAX);
	if (how->smp > APPLIANCE_SMP_MAX)
		return err_set(e, ERR_USAGE, "an appliance has at most %u processors", APPLIANCE_SMP_MAX);
	rc = appliance_files_find(&m->files, e);
	if (rc < 0)
		return rc;
	m->append = how->append ? alloc_strdup(how->append) : NULL;
	if (how->append && !m->append)
		return err_nomem(e);
	m->how = (struct appliance_how){
		.backend = (enum appliance_backend)how->backend,
		.memory = (unsigned)(how->memory / MiB),
		.smp = how->smp,
		.network = how->network,
		.append = m->append,
		.log = how->log,
		.log_arg = how->arg,
	};
	rc = appliance_possible(&m->files, m->how.backend, e);
	if (rc == 0)
		rc = broker_start(&(const struct broker_how){ .files = &m->files, .network = how->network }, &m->broker, e);
	if (rc < 0)
		return rc;
	*out = take(m);
	return 0;
}

void dry_machines_stop(struct dry_machines *m)
{
	if (!m)
		return;
	broker_free(m->broker);
	appliance_files_free(&m->files);
	free(m->append);
	free(m);
}

static int launch(void *arg, const struct appliance_disk *disks, size_t n, bool raid6, struct appliance **out, struct err *e)
{
	const struct dry_machines *m = arg;
	struct appliance_how how = m->how;

	how.programs = true;
	how.raid6 = raid6;
	return appliance_launch(m->broker, &how, disks, n, out, e);
}

struct guest_machine_how guest_machine_of(struct dry_guest *g)
{
	return (struct guest_machine_how){
		.disks = g->disks,
		.ndisks = g->ndisks,
		.contents = g->scanned ? &g->contents : NULL,
		.keys = guest_keys(g),
		.launch = launch,
		.arg = g->machines,
	};
}

int guest_engine(const struct dry_guest_open *how, struct engine **out, struct err *e)
{
	*out = NULL;
	if (how->engine == DRY_ENGINE_DIRECT || (how->engine == DRY_ENGINE_AUTO && !how->machines))
		return 0;
	if (!how->machines)
		return err_set(e, ERR_USAGE, "a guest that is to be read through the appliance needs one");
	return engine_new((enum engine_policy)how->engine, how->machines->broker, &how->machines->how, out, e);
}
