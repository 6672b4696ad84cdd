/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What launching is made of, without a machine: words, messages, the broker, the room, the probe. */
#include "launch.h"

#include "alloc.h"
#include "broker_ask.h"
#include "kvm_probe.h"
#include "landlock.h"
#include "room.h"
#include "testing.h"
#include "vm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(backends_have_words)
{
	enum appliance_backend b;
	struct err e = ERR_INIT;

	for (int i = 0; i < APPLIANCE_BACKENDS; i++) {
		ck_assert_int_eq(appliance_backend_parse(appliance_backend_word((enum appliance_backend)i), &b, &e), 0);
		ck_assert_int_eq(b, i);
	}
	ck_assert_int_eq(appliance_backend_parse("UML", &b, &e), -ERR_USAGE);
	ck_assert_str_eq(e.msg, "the appliance runs as auto, kvm, uml or tcg, not \"UML\"");
}
END_TEST

/* ---- messages ---- */

static int pair[2];

static void make_pair(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
}

static void close_pair(void)
{
	close(pair[0]);
	close(pair[1]);
}

static unsigned open_files(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

START_TEST(a_message_takes_descriptors_along)
{
	struct vm_word in, out = { .what = VM_SERVE, .text = "here" };
	int fds[VM_FDS_MAX], pipefd[2];
	char byte = 0;
	size_t n;

	make_pair();
	ck_assert_int_eq(pipe(pipefd), 0);
	ck_assert_int_eq(vm_send(pair[0], &out, sizeof out, pipefd, 2), 0);
	ck_assert_int_eq(vm_receive(pair[1], &in, sizeof in, fds, VM_FDS_MAX, &n), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(in.text, "here");
	ck_assert_int_eq(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(write(pipefd[1], "x", 1), 1);
	ck_assert_int_eq(read(fds[0], &byte, 1), 1);
	ck_assert_int_eq(byte, 'x');
	for (int i = 0; i < 2; i++) {
		close(fds[i]);
		close(pipefd[i]);
	}
	close_pair();
}
END_TEST

START_TEST(as_many_descriptors_as_there_are_disks)
{
	int given[VM_FDS_MAX], fds[VM_FDS_MAX];
	struct vm_word w = { .what = VM_SERVE };
	size_t n;

	make_pair();
	for (size_t i = 0; i < VM_FDS_MAX; i++)
		given[i] = pair[0];
	ck_assert_int_eq(vm_send(pair[0], &w, sizeof w, given, VM_FDS_MAX), 0);
	ck_assert_int_eq(vm_receive(pair[1], &w, sizeof w, fds, VM_FDS_MAX, &n), 0);
	ck_assert_uint_eq(n, VM_FDS_MAX);
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	close_pair();
}
END_TEST

START_TEST(a_message_of_another_length_is_refused_and_its_descriptors_closed)
{
	struct vm_word w = { .what = VM_OK };
	unsigned before;
	int fds[2];
	size_t n;

	make_pair();
	before = open_files();
	ck_assert_int_eq(vm_send(pair[0], &w, sizeof w - 1, pair, 2), 0);
	ck_assert_int_eq(vm_receive(pair[1], &w, sizeof w, fds, 2, &n), EPROTO);
	ck_assert_uint_eq(n, 0);
	ck_assert_uint_eq(open_files(), before);
	ck_assert_int_eq(vm_send(pair[0], &w, sizeof w, pair, 2), 0);
	ck_assert_int_eq(vm_receive(pair[1], &w, sizeof w, fds, 1, &n), EPROTO);
	ck_assert_uint_eq(open_files(), before);
	close_pair();
}
END_TEST

START_TEST(who_is_gone_is_told)
{
	struct vm_word w = { .what = VM_OK };
	size_t n;

	make_pair();
	close(pair[0]);
	ck_assert_int_eq(vm_receive(pair[1], &w, sizeof w, NULL, 0, &n), EPIPE);
	ck_assert_int_eq(vm_send(pair[1], &w, sizeof w, NULL, 0), EPIPE);
	close(pair[1]);
}
END_TEST

/* ---- the broker ---- */

/* Files that no machine comes up with: what is asked for is judged before they are looked at. */
static int launch(const struct appliance_how *how, const struct broker_how *settled, struct err *e)
{
	struct appliance *a = NULL;
	struct broker *b;
	int rc;

	ck_assert_int_eq(broker_start(settled, &b, e), 0);
	rc = appliance_launch(b, how, NULL, 0, &a, e);
	ck_assert_ptr_null(a);
	broker_free(b);
	return rc;
}

START_TEST(without_files_each_backend_is_named)
{
	struct err e = ERR_INIT;

	unsetenv("DRYDOCK_APPLIANCE");
	ck_assert_int_lt(launch(&(const struct appliance_how){ .backend = APPLIANCE_UML }, &(const struct broker_how){ 0 }, &e),
			 0);
	ck_assert_ptr_nonnull(strstr(e.msg, "no appliance came up (uml: "));
	ck_assert_int_lt(launch(&(const struct appliance_how){ 0 }, &(const struct broker_how){ 0 }, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.msg, "kvm: "));
	ck_assert_ptr_nonnull(strstr(e.msg, "; uml: "));
	ck_assert_ptr_nonnull(strstr(e.msg, "; tcg: the appliance was built without a kernel for it"));
}
END_TEST

START_TEST(a_network_must_have_been_settled)
{
	struct err e = ERR_INIT;

	ck_assert_int_lt(launch(&(const struct appliance_how){ .backend = APPLIANCE_TCG, .network = true },
				&(const struct broker_how){ 0 }, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.msg, "no network was asked for when the program began"));
	ck_assert_int_lt(launch(&(const struct appliance_how){ .backend = APPLIANCE_TCG, .network = true },
				&(const struct broker_how){ .network = true }, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.msg, "the appliance was built without a kernel for it"));
}
END_TEST

START_TEST(what_makes_no_sense_is_an_error_of_use)
{
	struct err e = ERR_INIT;

	ck_assert_int_eq(launch(&(const struct appliance_how){ .backend = APPLIANCE_TCG, .memory = 63 },
				&(const struct broker_how){ 0 }, &e), -ERR_USAGE);
	ck_assert_int_eq(launch(&(const struct appliance_how){ .backend = APPLIANCE_TCG, .smp = 65 },
				&(const struct broker_how){ 0 }, &e), -ERR_USAGE);
	ck_assert_int_eq(launch(&(const struct appliance_how){ .backend = APPLIANCE_TCG, .append = "a\tb" },
				&(const struct broker_how){ 0 }, &e), -ERR_USAGE);
}
END_TEST

/* By its monitor, QEMU opens files: who may be taken over by a guest does not get it. */
START_TEST(a_machine_to_be_saved_is_for_who_saves)
{
	struct err e = ERR_INIT;
	struct vm_request req;
	struct broker_vm vm;
	struct broker *b;

	vm_saved_request(&req, VM_BOOTS_TO_SAVE, false);
	ck_assert_int_eq(broker_start(&(const struct broker_how){ .network = true }, &b, &e), 0);
	fails(broker_ask(b, &req, &vm, &e), ERR_USAGE);
	ck_assert_str_eq(e.msg, "no such machine is saved");
	err_clear(&e);
	req.saved = VM_GOES_ON;
	req.network = true;
	fails(broker_ask(b, &req, &vm, &e), ERR_USAGE);
	err_clear(&e);
	req.network = false;
	req.append[0] = 'x';
	fails(broker_ask(b, &req, &vm, &e), ERR_USAGE);
	broker_free(b);
}
END_TEST

START_TEST(a_broker_that_is_gone_is_a_sentence)
{
	struct appliance *a = NULL;
	struct err e = ERR_INIT;
	struct broker *b;
	char path[64], line[256] = "";
	FILE *children;
	int pid;

	ck_assert_int_eq(broker_start(&(const struct broker_how){ 0 }, &b, &e), 0);
	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	children = fopen(path, "r");
	if (children) {
		ck_assert_ptr_nonnull(fgets(line, sizeof line, children));
		fclose(children);
		ck_assert_int_eq(sscanf(line, "%d", &pid), 1);
		ck_assert_int_eq(kill(pid, SIGKILL), 0);
		ck_assert_int_lt(appliance_launch(b, &(const struct appliance_how){ .backend = APPLIANCE_TCG }, NULL, 0, &a,
						  &e), 0);
		ck_assert_ptr_nonnull(strstr(e.msg, "the process that starts virtual machines is gone"));
	}
	broker_free(b);
}
END_TEST

/* ---- the room ---- */

/* In the room: what is there that was not put there, and what is missing that was. */
static int look_around(const char *program)
{
	if (access("/p/program", X_OK) != 0 || access("/etc/passwd", F_OK) == 0 || access("/proc/self", F_OK) == 0)
		return 2;
	if (access(program, F_OK) == 0)
		return 3;
	if (open("/p/program", O_WRONLY) >= 0)
		return 4;
	return open(ROOM_TMP "/new", O_CREAT | O_WRONLY, 0600) < 0 ? 5 : 0;
}

START_TEST(a_room_has_what_was_put_in_and_no_more)
{
	char program[] = "/var/tmp/room-test-XXXXXX";
	int file = mkstemp(program), guardian = -1, status = -1;
	struct room room = { .size = 1 << 20 };
	uid_t uid = geteuid();
	gid_t gid = getegid();
	pid_t pid;

	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(fchmod(file, 0700), 0);
	room_add(&room, program, "/p/program", LANDLOCK_READ | LANDLOCK_EXECUTE);
	room_add(&room, "/nothing/there", NULL, LANDLOCK_READ);
	ck_assert(!room.failed);
	pid = room_try(NULL) == 0 ? room_fork(ROOM_SPACES | ROOM_NO_NETWORK, &guardian) : -1;
	if (pid == 0) {
		if (room_enter(&room, uid, gid, NULL) < 0)
			_exit(1);
		_exit(look_around(program));
	}
	if (pid > 0) {
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
		close(guardian);
	}
	unlink(program);
	close(file);
	for (size_t i = 0; i < room.n; i++)
		free(room.items[i].source);
}
END_TEST

START_TEST(a_room_has_an_end)
{
	struct room room = { .size = 1 << 20 };

	for (int i = 0; i <= ROOM_ITEMS; i++)
		room_add(&room, "/usr", NULL, LANDLOCK_READ);
	ck_assert(room.failed);
	for (size_t i = 0; i < room.n; i++)
		free(room.items[i].source);
}
END_TEST

/* ---- KVM ---- */

START_TEST(the_probe_says_one_thing)
{
	struct kvm_probe p;
	struct err e = ERR_INIT;

	ck_assert_int_eq(kvm_probe(&p, &e), 0);
	ck_assert_int_eq(p.present, access("/dev/kvm", F_OK) == 0);
	ck_assert(p.words[0]);
	ck_assert(!p.fast || p.ran);
	ck_assert(!p.ran || p.usable);
	ck_assert(!p.usable || p.present);
	ck_assert(!p.ran || (p.ns > 0 && p.fast == (p.ns <= KVM_PROBE_FAST_NS)));
}
END_TEST

TEST_MAIN("launch", backends_have_words, a_message_takes_descriptors_along, as_many_descriptors_as_there_are_disks,
	  a_message_of_another_length_is_refused_and_its_descriptors_closed, who_is_gone_is_told,
	  without_files_each_backend_is_named, a_network_must_have_been_settled, what_makes_no_sense_is_an_error_of_use,
	  a_machine_to_be_saved_is_for_who_saves,
	  a_broker_that_is_gone_is_a_sentence, a_room_has_what_was_put_in_and_no_more, a_room_has_an_end,
	  the_probe_says_one_thing)
