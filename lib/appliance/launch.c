/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "launch.h"

#include "alloc.h"
#include "broker_ask.h"
#include "client.h"
#include "machine.h"
#include "strbuf.h"
#include "text.h"
#include "vm.h"
#include "window.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct appliance {
	enum appliance_backend backend;
	unsigned launch_ms;
	struct machine *machine;
	struct client *client;
	struct block *tools; /* with a window for bulk data; NULL: no tools */
	uint8_t *window;
	uint64_t window_off;
};

/* The serial number of the disk of tools. */
#define TOOLS "tools"

/* ---- words ---- */

static const char *const backend_words[APPLIANCE_BACKENDS] = { "auto", "kvm", "uml", "tcg" };

const char *appliance_backend_word(enum appliance_backend backend)
{
	return backend_words[backend];
}

int appliance_backend_parse(const char *word, enum appliance_backend *out, struct err *e)
{
	for (int i = 0; i < APPLIANCE_BACKENDS; i++)
		if (strcmp(word, backend_words[i]) == 0) {
			*out = (enum appliance_backend)i;
			return 0;
		}
	return err_set(e, ERR_USAGE, "the appliance runs as auto, kvm, uml or tcg, not \"%s\"", word);
}

/* What the user wants: as told, else as the environment has it. */
static int backend_wanted(enum appliance_backend told, enum appliance_backend *out, struct err *e)
{
	const char *word = getenv("DRYDOCK_APPLIANCE");

	*out = told;
	if (told != APPLIANCE_AUTO || !word || !*word)
		return 0;
	return err_in(e, appliance_backend_parse(word, out, e), "DRYDOCK_APPLIANCE");
}

/* Where the order is decided. */
static const enum appliance_backend order[] = { APPLIANCE_KVM, APPLIANCE_UML, APPLIANCE_TCG };

int appliance_possible(const struct appliance_files *files, enum appliance_backend backend, struct err *e)
{
	CLEANUP(free_ptr) char *qemu = NULL;
	enum appliance_backend wanted;
	struct err why = ERR_INIT;
	int rc = backend_wanted(backend, &wanted, e);

	if (rc)
		return rc;
	if (!files)
		return err_set(e, ERR_NOT_FOUND, "there is no appliance; \"drydock appliance build\" makes one");
	if ((wanted == APPLIANCE_AUTO || wanted == APPLIANCE_UML) && files->uml.path)
		return 0;
	if (wanted == APPLIANCE_UML)
		return err_set(e, ERR_NOT_FOUND, "the appliance was built without user-mode Linux");
	if (!files->vmlinux.path)
		return err_set(e, ERR_NOT_FOUND, "the appliance was built without a kernel for QEMU");
	rc = vmm_qemu_find(&qemu, &why);
	return rc ? err_set(e, why.code, "%s", why.msg) : 0;
}

/* ---- one backend ---- */

static void log_line(const struct appliance_how *how, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void log_line(const struct appliance_how *how, const char *fmt, ...)
{
	CLEANUP(strbuf_free) struct strbuf line = STRBUF_INIT;
	va_list ap;

	if (!how->log)
		return;
	va_start(ap, fmt);
	strbuf_vprintf(&line, fmt, ap);
	va_end(ap);
	how->log(how->log_arg, line.s);
}

static unsigned deadline_ms(const struct appliance_how *how, enum appliance_backend backend)
{
	unsigned seconds = how->deadline ? how->deadline : backend == APPLIANCE_KVM ? APPLIANCE_SECONDS_KVM :
							   backend == APPLIANCE_UML ? APPLIANCE_SECONDS_UML :
										      APPLIANCE_SECONDS_TCG;

	return MIN_OF(seconds, 24 * 3600u) * 1000;
}

static unsigned left_ms(uint64_t end)
{
	uint64_t now = machine_now_ms();

	return now >= end ? 1 : (unsigned)(end - now);
}

static int make_request(const struct appliance_how *how, const struct machine_disk *disks, size_t n,
			struct vm_request *req, struct err *e)
{
	const char *append = how->append ? how->append : "";

	memset(req, 0, sizeof *req);
	req->ask = VM_START;
	req->memory = how->memory ? how->memory : APPLIANCE_MEMORY;
	req->smp = how->smp ? how->smp : 1;
	req->ndisks = (uint32_t)n;
	req->network = how->network;
	req->raid6 = how->raid6;
	req->verbose = how->verbose;
	req->programs = how->programs;
	if (req->memory < APPLIANCE_MEMORY_MIN || req->memory > APPLIANCE_MEMORY_MAX)
		return err_set(e, ERR_USAGE, "an appliance has between %d and %d MiB of memory, not %u", APPLIANCE_MEMORY_MIN,
			       APPLIANCE_MEMORY_MAX, req->memory);
	if (req->smp > APPLIANCE_SMP_MAX)
		return err_set(e, ERR_USAGE, "an appliance has at most %d processors, not %u", APPLIANCE_SMP_MAX, req->smp);
	if (strlen(append) >= sizeof req->append)
		return err_set(e, ERR_USAGE, "words for the appliance's kernel have less than %zu characters",
			       sizeof req->append);
	memcpy(req->append, append, strlen(append));
	for (size_t i = 0; i < n; i++) {
		req->writable[i] = disks[i].writable;
		snprintf(req->serials[i], sizeof req->serials[i], "%s", disks[i].serial);
	}
	return 0;
}

/* What an older or smaller QEMU, or another KVM, may not have: what is tried next when the machine ended at once. */
static bool next_variant(struct vm_request *req, const struct machine *m)
{
	CLEANUP(strbuf_free) struct strbuf said = STRBUF_INIT;

	if (req->backend == APPLIANCE_UML || !machine_ended(m))
		return false;
	machine_console(m, &said);
	if (!req->bare && strstr(said.s, "sandbox"))
		req->bare = 1;
	else if (!req->plain && req->backend == APPLIANCE_KVM)
		req->plain = 1;
	else if (req->board == VM_MICROVM)
		req->board = VM_Q35;
	else
		return false;
	return true;
}

/* ---- a machine that goes on from a saved one ---- */

/* In a twentieth of the time of a start; who has not come by then will not. */
#define GOES_ON_MS 15000

static bool may_go_on(const struct vm_request *req)
{
	return req->backend == APPLIANCE_TCG && !req->network && !req->verbose && !req->append[0] &&
	       req->memory == APPLIANCE_MEMORY && req->smp == 1 && req->ndisks <= SAVED_SLOTS;
}

static int go_on(struct broker *b, const struct appliance_how *how, struct vm_request *req, const struct machine_disk *disks,
		 uint64_t end, struct appliance *a, bool *began, struct err *e)
{
	uint8_t word[CLIENT_WAKE_SIZE];
	uint64_t soon = MIN_OF(end, machine_now_ms() + GOES_ON_MS);
	int rc;

	req->saved = VM_GOES_ON;
	rc = machine_start(b, req, disks, how->log, how->log_arg, soon, &a->machine, e);
	*began = rc == 0;
	if (!rc) {
		size_t len = client_wake_frame(word, req->ndisks);

		rc = len ? machine_say(a->machine, word, len, e) : err_sys(e, errno, "random numbers");
		explicit_bzero(word, sizeof word);
	}
	if (!rc)
		rc = machine_wait(a->machine, soon, e);
	if (!rc)
		rc = client_new(machine_channel(a->machine), left_ms(soon), &a->client, e);
	req->saved = VM_BOOTS;
	if (rc)
		machine_end(take(a->machine));
	return rc;
}

/* Has the broker make one, and waits for it; half of the time is left for a start from nothing. */
static int save(struct broker *b, const struct vm_request *like, uint64_t end, struct err *e)
{
	const struct vm_request req = { .ask = VM_SAVE, .programs = like->programs };
	struct broker_vm saver = { -1, -1 };
	struct vm_word w;
	size_t n;
	int rc = broker_ask(b, &req, &saver, e);

	if (rc)
		return rc;
	if (!machine_wait_for(saver.life, end - left_ms(end) / 2))
		rc = err_set(e, ERR_SYSTEM, "it was not saved in time");
	else if (vm_receive(saver.life, &w, sizeof w, NULL, 0, &n) != 0)
		rc = err_set(e, ERR_SYSTEM, "the process that saves it was killed");
	else if (w.what != VM_OK)
		rc = err_set(e, ERR_UNSUPPORTED, "%.*s", (int)strnlen(w.text, sizeof w.text), w.text);
	close_fd(&saver.life);
	close_fd(&saver.guardian);
	return rc;
}

/* Whatever fails here costs a start from nothing, and no more. */
static int try_saved(struct broker *b, const struct appliance_how *how, struct vm_request *req, const struct machine_disk *disks,
		     uint64_t end, struct appliance *a, struct err *e)
{
	const struct vm_request drop = { .ask = VM_DROP, .programs = req->programs };
	bool began;
	int rc = go_on(b, how, req, disks, end, a, &began, e);

	if (rc == -ERR_NOT_FOUND) {
		log_line(how, "appliance: %s; one is booted and saved", e->msg);
		err_clear(e);
		rc = save(b, req, end, e);
		if (rc)
			return rc;
		rc = go_on(b, how, req, disks, end, a, &began, e);
	}
	/* One that was whole, and does not come up, will not the next time. */
	if (rc && began && rc != -ERR_NOMEM)
		(void)broker_ask(b, &drop, NULL, NULL);
	return rc;
}

static int try_backend(struct broker *b, const struct appliance_how *how, enum appliance_backend backend,
		       const struct machine_disk *disks, size_t n, struct appliance *a, struct err *e)
{
	uint64_t end = machine_now_ms() + deadline_ms(how, backend);
	struct vm_request req;
	int rc = make_request(how, disks, n, &req, e);

	if (rc)
		return rc;
	req.backend = backend;
	if (backend == APPLIANCE_UML && how->network)
		return err_set(e, ERR_UNSUPPORTED, "user-mode Linux has no network here");
	if (may_go_on(&req)) {
		rc = try_saved(b, how, &req, disks, end, a, e);
		if (!rc)
			return 0;
		if (e->code == ERR_NOMEM)
			return rc;
		log_line(how, "appliance: %s: %s; it is started from nothing", backend_words[backend], e->msg);
		err_clear(e);
	}
	/* Each turn is another variant, of which there are four. */
	for (;;) {
		bool again;

		rc = machine_start(b, &req, disks, how->log, how->log_arg, end, &a->machine, e);
		if (!rc)
			rc = machine_wait(a->machine, end, e);
		if (!rc)
			rc = client_new(machine_channel(a->machine), left_ms(end), &a->client, e);
		if (!rc)
			return 0;
		again = a->machine && next_variant(&req, a->machine);
		machine_end(take(a->machine));
		if (!again)
			return rc;
		log_line(how, "appliance: %s: %s; another machine is tried", backend_words[backend], e->msg);
		err_clear(e);
	}
}

/* ---- the launch ---- */

static int collect_disks(struct broker *b, const struct appliance_how *how, const struct appliance_disk *disks, size_t n,
			 struct appliance *a, struct machine_disk *out, size_t *count, struct err *e)
{
	struct block *tools = how->no_tools ? NULL : broker_tools(b);
	int rc;

	if (n > APPLIANCE_DISKS_MAX)
		return err_set(e, ERR_LIMIT, "an appliance has at most %d disks, not %zu", APPLIANCE_DISKS_MAX, n);
	for (size_t i = 0; i < n; i++)
		out[i] = (struct machine_disk){ .block = disks[i].block, .writable = disks[i].writable, .serial = disks[i].serial };
	if (tools) {
		rc = window_block(tools, CLIENT_WINDOW, &a->tools, &a->window, &a->window_off, e);
		if (rc < 0)
			return rc;
		out[n++] = (struct machine_disk){ .block = a->tools, .writable = true, .steady = true, .serial = TOOLS };
	}
	*count = n;
	return 0;
}

/* Only where nobody asked for KVM by name: who did, wants it however slow it is. */
static int worth_a_try(struct broker *b, enum appliance_backend backend, enum appliance_backend wanted, struct err *e)
{
	const struct vm_request probe = { .ask = VM_PROBE };

	if (wanted != APPLIANCE_AUTO || backend != APPLIANCE_KVM)
		return 0;
	return broker_ask(b, &probe, NULL, e);
}

/* For CLEANUP. */
static void launch_failed(struct appliance **a)
{
	if (*a)
		block_unref((*a)->tools);
	free(*a);
}

int appliance_launch(struct broker *b, const struct appliance_how *how, const struct appliance_disk *disks, size_t n,
		     struct appliance **out, struct err *e)
{
	CLEANUP(launch_failed) struct appliance *a = alloc_zero(sizeof *a);
	CLEANUP(strbuf_free) struct strbuf reasons = STRBUF_INIT;
	struct machine_disk all[VM_DISKS_MAX];
	enum appliance_backend wanted;
	uint64_t began = machine_now_ms();
	size_t count = 0;
	int rc = a ? 0 : err_nomem(e);

	if (!rc)
		rc = backend_wanted(how->backend, &wanted, e);
	if (!rc)
		rc = collect_disks(b, how, disks, n, a, all, &count, e);
	if (rc)
		return rc;
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		struct err why = ERR_INIT;
		const char *word = backend_words[order[i]];

		if ((wanted != APPLIANCE_AUTO && wanted != order[i]) || how->without & 1u << order[i])
			continue;
		rc = worth_a_try(b, order[i], wanted, &why);
		if (!rc)
			rc = try_backend(b, how, order[i], all, count, a, &why);
		if (!rc) {
			a->backend = order[i];
			a->launch_ms = (unsigned)(machine_now_ms() - began);
			if (a->tools)
				client_set_window(a->client, "serial:" TOOLS, a->window_off, a->window);
			log_line(how, "appliance: %s: ready after %u ms", word, a->launch_ms);
			*out = take(a);
			return 0;
		}
		/* What is wrong with the question is wrong for all. */
		if (why.code == ERR_USAGE || why.code == ERR_NOMEM)
			return err_set(e, why.code, "%s", why.msg);
		log_line(how, "appliance: %s: %s", word, why.msg);
		strbuf_printf(&reasons, "%s%s: %s", reasons.len ? "; " : "", word, why.msg);
	}
	return err_set(e, ERR_UNSUPPORTED, "no appliance came up (%s)", reasons.len ? reasons.s : "none is left to be tried");
}

struct client *appliance_client(struct appliance *a)
{
	return a->client;
}

enum appliance_backend appliance_backend(const struct appliance *a)
{
	return a->backend;
}

const char *appliance_backend_name(const struct appliance *a)
{
	return backend_words[a->backend];
}

unsigned appliance_launch_ms(const struct appliance *a)
{
	return a->launch_ms;
}

bool appliance_ended(struct appliance *a)
{
	return machine_ended(a->machine);
}

void appliance_console(struct appliance *a, struct strbuf *out)
{
	machine_console(a->machine, out);
}

int appliance_disk_error(struct appliance *a, struct err *e)
{
	return machine_disk_error(a->machine, e);
}

/* ---- the end ---- */

/* Unmounting and powering off take hundredths of a second; a mounted bcache takes five. */
#define POWER_OFF_MS 10000

int appliance_close(struct appliance *a, struct err *e)
{
	struct err gone = ERR_INIT;
	int rc = 0;

	if (!a)
		return 0;
	if (client_lost(a->client))
		rc = err_set(e, ERR_SYSTEM, "the appliance was lost");
	else
		rc = client_poweroff(a->client, e);
	if (!rc && !machine_gone(a->machine, POWER_OFF_MS))
		rc = err_set(e, ERR_SYSTEM, "the appliance did not power off in %d s", POWER_OFF_MS / 1000);
	if (machine_disk_error(a->machine, &gone) != 0 && !rc)
		rc = err_set(e, gone.code, "%s", gone.msg);
	appliance_kill(a);
	return rc;
}

void appliance_kill(struct appliance *a)
{
	if (!a)
		return;
	client_free(a->client);
	machine_end(a->machine);
	block_unref(a->tools);
	free(a);
}
