/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* registry_api.h - the parts of the registry section of drydock.h to each other. */
#ifndef DRYDOCK_REGISTRY_API_H
#define DRYDOCK_REGISTRY_API_H

#include "guest_api.h"

#include "registry.h"

struct dry_registry {
	struct registry *registry;
	struct hive_value last; /* what dry_registry_get() lends */
};

/* ERR_NOT_FOUND with a path or name, whose backslashes are no escapes. */
int registry_no_such(struct err *e, const char *what, const char *name);
/* The last name of a path of a key. */
const char *registry_last_name(const char *path);
/* Lent from v. */
struct dry_registry_value registry_value_public(const struct hive_value *v);
/* A callback ended the walk. */
int registry_stopped(struct err *e);
/* Tells what could not be read: 0 to go on, or < 0, also where nobody is to be told. */
int registry_failed(int (*failed)(void *arg, const char *path, const struct dry_error *why), void *arg, const char *path,
		    const struct err *why, struct err *e);

#endif
