/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest_keys.h"

#include "alloc.h"
#include "locked.h"
#include "text.h"
#include "tty.h"

#include <stdio.h>
#include <unistd.h>

/* A person mistypes; who does so three times does not know it. */
enum { TRIES = 3 };

void guest_keys_free(struct guest_keys *k)
{
	opt_list_free(&k->selectors);
	dry_keys_free(k->keys);
	if (k->has_tty)
		close(k->tty);
	*k = (struct guest_keys){ .has_tty = false };
}

/* Anybody may list the arguments of a process; these are the process's own memory. */
static void argument_wipe(const char *selector)
{
	char *kind = strchr(selector, ':');

	if (kind && text_starts(kind, ":key:", NULL))
		memset(kind + strlen(":key:"), '*', strlen(kind + strlen(":key:")));
}

int guest_keys_load(struct guest_keys *k, struct dry_error *e)
{
	if (k->keys) /* by a caller who opens guests several times */
		return 0;
	pthread_mutex_init(&k->asking, NULL);
	k->keys = dry_keys_new();
	if (!k->keys) {
		*e = (struct dry_error){ .code = DRY_NOMEM, .msg = "out of memory" };
		return -DRY_NOMEM;
	}
	for (size_t i = 0; i < k->selectors.n; i++) {
		int rc = dry_keys_add(k->keys, k->selectors.items[i], e);

		argument_wipe(k->selectors.items[i]);
		if (rc < 0)
			return rc;
	}
	if ((k->ask || k->later) && !k->from_stdin) {
		k->tty = tty_open();
		k->has_tty = k->tty >= 0;
	}
	return 0;
}

static int ask_terminal(struct guest_keys *k, const char *image, const char *volume, unsigned nth, char *buf, size_t size,
			size_t *len)
{
	CLEANUP(free_ptr) char *prompt =
		k->peer ? alloc_printf("Enter key or passphrase (\"%s\"): ", volume)
			: alloc_printf("%sPassphrase for %s of %s: ", nth ? "No key slot opens with that.\n" : "", volume, image);

	if (!prompt)
		return -DRY_NOMEM;
	/* Nothing but Enter: it is not known. */
	return tty_ask(k->tty, prompt, k->echo, buf, size, len) && *len ? 1 : 0;
}

static int ask_one(void *arg, const char *image, const char *volume, const char *uuid, unsigned nth, char *buf, size_t size,
	       size_t *len)
{
	struct guest_keys *k = arg;
	bool is_stdin = k->from_stdin || (k->peer && !k->has_tty);
	int rc = 0;

	(void)uuid;
	if (k->silent)
		return 0;
	if (k->has_tty)
		rc = nth < (k->peer ? 1 : TRIES) ? ask_terminal(k, image, volume, nth, buf, size, len) : 0;
	else if (is_stdin && nth == 0)
		rc = tty_read_line(STDIN_FILENO, buf, size, len);
	k->failed |= rc == 0 && nth == 0;
	return rc;
}

/* Guests are worked on side by side: one question at a time. */
static int ask(void *arg, const char *image, const char *volume, const char *uuid, unsigned nth, char *buf, size_t size,
	       size_t *len)
{
	struct guest_keys *k = arg;
	int rc;

	pthread_mutex_lock(&k->asking);
	rc = ask_one(k, image, volume, uuid, nth, buf, size, len);
	pthread_mutex_unlock(&k->asking);
	return rc;
}

struct dry_ask guest_keys_ask(struct guest_keys *k)
{
	if (!k->from_stdin && !k->ask)
		return (struct dry_ask){ .passphrase = NULL };
	return (struct dry_ask){ .passphrase = ask, .arg = k };
}
