/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * saver.h - boots a machine with QEMU, without any disk, and saves it for those that go on from it (saved.h).
 *
 * Takes as long as a start and a little more.  Of two at once, one waits for the other and finds that it is done.  For a process
 * that has seen no guest: what is saved is run by all that come after.
 */
#ifndef DRYDOCK_SAVER_H
#define DRYDOCK_SAVER_H

#include "err.h"
#include "files.h"

#include <stdbool.h>

/*
 * That there is one, whole and of this machine; made when there is none.  programs: with the processor that programs of guests
 * are shown.  What fails because of this host's QEMU is not tried again for a day.
 */
int saver_save(const struct appliance_files *files, bool programs, struct err *e);

#endif
