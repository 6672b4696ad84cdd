/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * firstboot.h - scripts that a guest runs once, when it starts next.
 *
 *	Linux	/usr/lib/drydock/firstboot.sh runs what lies in /usr/lib/drydock/firstboot, in the order of names; each script is
 *		moved to firstboot-done before it runs, so none runs twice.  What they say goes to the console and to
 *		/var/log/drydock-firstboot.log.  A unit of systemd, or a script of sysvinit or OpenRC, starts it, and is turned off
 *		after the last.
 *	Windows	\Program Files\drydock\firstboot has the scripts (.bat), beside firstboot.bat, which a service of the name
 *		drydock-firstboot starts as LocalSystem, and which removes the service after the last
 */
#ifndef DRYDOCK_FIRSTBOOT_H
#define DRYDOCK_FIRSTBOOT_H

#include "reg_text.h"
#include "tree.h"

/*
 * Adds a script with a name for people ("install packages").  For Windows the service must be added to the registry, too: edits
 * that are to be made once are appended (NULL: a guest that is none).
 */
int firstboot_add(struct tree *t, const char *name, const void *script, size_t len, struct reg_edits *registry, struct err *e);

#endif
