/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vmm_qemu.c - QEMU, with KVM or without.
 *
 * Its microvm starts in half the time of a q35, which is what is tried where it does not.  It gets its disks by the NBD
 * protocol over sockets that it inherits, the channel in the same way, and no file of the host but its own, the kernel and the
 * initramfs.  Its own sandbox keeps it from starting programs; where the host has namespaces it runs in a room of its
 * own (room.h), and in any case without network unless one was asked for.
 */
#include "vm.h"

#include "alloc.h"
#include "digest.h"
#include "io.h"
#include "landlock.h"
#include "limits.h"
#include "room.h"
#include "strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#define MEMORY_PATH ROOM_TMP "/memory"

int vmm_qemu_find(char **path, struct err *e)
{
	static const char name[] = "qemu-system-x86_64";
	static const char *const elsewhere[] = { "/usr/libexec/qemu-kvm", "/usr/bin/qemu-kvm" };
	const char *at = getenv("PATH");

	for (const char *end; at && *at; at = *end ? end + 1 : end) {
		CLEANUP(free_ptr) char *file = NULL;

		end = strchr(at, ':');
		if (!end)
			end = at + strlen(at);
		/* A relative folder is what happens to be there. */
		if (*at != '/')
			continue;
		file = alloc_printf("%.*s/%s", (int)(end - at), at, name);
		if (!file)
			return err_nomem(e);
		if (access(file, X_OK) == 0) {
			*path = realpath(file, NULL);
			return *path ? 0 : err_sys(e, errno, "%s", file);
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++)
		if (access(elsewhere[i], X_OK) == 0) {
			*path = alloc_strdup(elsewhere[i]);
			return *path ? 0 : err_nomem(e);
		}
	return err_set(e, ERR_NOT_FOUND, "there is no %s on this host", name);
}

/* ---- the processor's counter ---- */

struct tsc_moment tsc_now(void)
{
	struct tsc_moment best = { 0 };
	uint64_t least = UINT64_MAX;

	/* Between the two the processor may have been somebody else's: the closest pair counts. */
	for (int i = 0; i < 5; i++) {
		struct tsc_moment m = { 0 };
		struct timespec a, b;
		uint64_t between;

		clock_gettime(CLOCK_MONOTONIC, &a);
#if defined(__x86_64__)
		m.tsc = __rdtsc();
#endif
		clock_gettime(CLOCK_MONOTONIC, &b);
		m.ns = (uint64_t)a.tv_sec * 1000000000u + (uint64_t)a.tv_nsec;
		between = (uint64_t)b.tv_sec * 1000000000u + (uint64_t)b.tv_nsec - m.ns;
		if (between < least) {
			least = between;
			best = m;
		}
	}
	return best;
}

/*
 * How fast it runs, in kHz; 0: not known.  Without KVM the guest sees the host's; left alone it measures it by a timer that
 * QEMU emulates, which under load fails, and then it hangs.
 */
static unsigned long tsc_khz(const struct tsc_moment *began)
{
	const uint64_t least = 10000000u; /* 10 ms: a moment is known to a microsecond */
	struct tsc_moment now = tsc_now();

	if (now.ns - began->ns < least) {
		const struct timespec rest = { .tv_nsec = (long)(least - (now.ns - began->ns)) };

		nanosleep(&rest, NULL);
		now = tsc_now();
	}
	return (unsigned long)((double)(now.tsc - began->tsc) * 1e6 / (double)(now.ns - began->ns));
}

/* ---- the room ---- */

static int qemu_room(const struct vm_request *req, const struct vm_host *host, struct room *room, struct err *e)
{
	static const char *const system[] = { "/lib", "/lib64", "/usr", "/bin", "/nix/store", "/gnu/store" };
	CLEANUP(free_ptr) char *qemu = NULL;
	const char *slash;
	int rc;

	rc = vmm_qemu_find(&qemu, e);
	if (rc)
		return rc;
	for (size_t i = 0; i < ARRAY_LEN(system); i++)
		room_add(room, system[i], NULL, LANDLOCK_READ | LANDLOCK_EXECUTE);
	/* PREFIX/bin/qemu-system-x86_64 has its firmware in PREFIX/share. */
	slash = strrchr(qemu, '/');
	while (slash > qemu && slash[-1] != '/')
		slash--;
	if (strncmp(qemu, "/usr/", 5) != 0 && slash > qemu + 1) {
		CLEANUP(free_ptr) char *prefix = alloc_strndup(qemu, (size_t)(slash - qemu - 1));

		if (!prefix)
			return err_nomem(e);
		room_add(room, prefix, NULL, LANDLOCK_READ | LANDLOCK_EXECUTE);
	}
	room_add(room, host->kernel, NULL, LANDLOCK_READ);
	room_add(room, host->initrd, NULL, LANDLOCK_READ);
	room_add(room, "/etc/ld.so.cache", "/etc/ld.so.cache", LANDLOCK_READ);
	room_add(room, "/dev/null", "/dev/null", LANDLOCK_DEVICE);
	room_add(room, "/dev/urandom", "/dev/urandom", LANDLOCK_READ);
	if (req->backend == APPLIANCE_KVM)
		room_add(room, "/dev/kvm", "/dev/kvm", LANDLOCK_DEVICE);
	if (req->network) {
		room_add(room, "/etc/resolv.conf", "/etc/resolv.conf", LANDLOCK_READ);
		room->network = true;
	}
	room->size = 16 * MiB + (req->saved != VM_BOOTS ? req->memory * MiB : 0);
	return 0;
}

/* A file is the memory of a machine that is saved: nobody has it but that machine, and whoever saves or fills it. */
static int make_memory(const struct vm_request *req, const struct vm_host *host, struct vm_wires *w, struct err *e)
{
	/* Where there is no room, there is no folder that it could be in and not be left behind. */
	w->memory = host->room ? open(MEMORY_PATH, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)
			       : memfd_create("drydock", MFD_CLOEXEC);
	if (w->memory < 0 || ftruncate(w->memory, (off_t)req->memory * (off_t)MiB) < 0)
		return err_sys(e, errno, "the memory of the machine");
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w->monitor) < 0 ? err_sys(e, errno, "a socket") : 0;
}

static int qemu_wire(const struct vm_request *req, const struct vm_host *host, struct vm_wires *w, struct err *e)
{
	int pair[2];

	if (req->saved != VM_BOOTS) {
		int rc = make_memory(req, host, w, e);

		if (rc)
			return rc;
	}

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w->channel) < 0)
		return err_sys(e, errno, "a socket");
	for (uint32_t i = 0; i < req->ndisks; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			return err_sys(e, errno, "a socket");
		w->disks[i] = pair[0];
		w->disks_vm[i] = pair[1];
	}
	return 0;
}

/* ---- the command line ---- */

static void kernel_words(const struct vm_request *req, const struct vm_host *host, struct strbuf *s)
{
	/* The console is QEMU's own output; it costs, so it is there only when somebody wants to know. */
	strbuf_puts(s, req->verbose ? "console=ttyS0 " : "quiet ");
	/* A panic ends the machine: it starts again, and QEMU does not. */
	strbuf_puts(s, "panic=-1 no_timer_check cryptomgr.notests");
	if (req->backend == APPLIANCE_TCG && host->began.ns) {
		unsigned long khz = tsc_khz(&host->began);

		if (khz)
			strbuf_printf(s, " tsc_early_khz=%lu tsc=reliable", khz);
	}
	/*
	 * An instruction that repeats itself is what a processor copies and clears with best, and what costs QEMU a turn for
	 * every eight bytes: without REP_GOOD, which is number 112 on all kernels, Linux writes loops out, and moves three
	 * times as much.
	 */
	if (req->backend == APPLIANCE_TCG)
		strbuf_puts(s, " clearcpuid=112");
	/* What takes time, and nobody here misses. */
	strbuf_puts(s, " initcall_blacklist=init_kprobe_trace,load_system_certificate_list,cubictcp_register,"
		       "event_trace_init,");
	if (!req->network)
		strbuf_puts(s, "inet6_init,");
	strbuf_puts(s, "cmos_init,tracer_init_tracefs,balloon_wait_finish,crypto_kdf108_init,slab_sysfs_init");
	strbuf_puts(s, " chan=vport0p1");
	if (req->network)
		strbuf_puts(s, " net=user");
	if (req->append[0])
		strbuf_printf(s, " %s", req->append);
}

/* What makes it one that is saved: memory in a file, empty places for disks that it does not have, and a monitor. */
static void saved_devices(const struct vm_request *req, const struct vm_host *host, const struct vm_wires *w, struct vm_argv *a)
{
	for (uint32_t i = req->ndisks; i < SAVED_SLOTS; i++) {
		vm_arg(a, "-blockdev");
		vm_arg(a, "driver=null-co,node-name=d%u,size=0", i);
		vm_arg(a, "-device");
		vm_arg(a, "virtio-blk-device,drive=d%u", i);
	}
	vm_arg(a, "-object");
	if (host->room)
		vm_arg(a, "memory-backend-file,id=memory,size=%uM,share=on,mem-path=" MEMORY_PATH, req->memory);
	else
		vm_arg(a, "memory-backend-file,id=memory,size=%uM,share=on,mem-path=/proc/self/fd/%d", req->memory, w->memory);
	vm_arg(a, "-chardev");
	vm_arg(a, "socket,id=monitor,fd=%d", w->monitor[1]);
	vm_arg(a, "-mon");
	vm_arg(a, "chardev=monitor,mode=control");
	if (req->saved == VM_GOES_ON) {
		vm_arg(a, "-incoming");
		vm_arg(a, "defer");
	}
}

static void devices(const struct vm_request *req, const struct vm_host *host, const struct vm_wires *w, struct vm_argv *a)
{
	const char *bus = req->board == VM_MICROVM ? "device" : "pci";

	vm_arg(a, "-chardev");
	vm_arg(a, "socket,id=ch0,fd=%d", w->channel[1]);
	vm_arg(a, "-device");
	vm_arg(a, "virtio-serial-%s", bus);
	vm_arg(a, "-device");
	vm_arg(a, "virtserialport,chardev=ch0,name=agent");
	for (uint32_t i = 0; i < req->ndisks; i++) {
		vm_arg(a, "-blockdev");
		vm_arg(a, "driver=nbd,node-name=d%u,server.type=fd,server.str=%d,export=%s,discard=unmap,read-only=%s", i,
		       w->disks_vm[i], req->serials[i], req->writable[i] ? "off" : "on");
		vm_arg(a, "-device");
		vm_arg(a, "virtio-blk-%s,drive=d%u,serial=%s", bus, i, req->serials[i]);
	}
	if (req->saved != VM_BOOTS)
		saved_devices(req, host, w, a);
	if (req->network) {
		vm_arg(a, "-netdev");
		vm_arg(a, "user,id=n0");
		vm_arg(a, "-device");
		vm_arg(a, "virtio-net-%s,netdev=n0", bus);
	}
}

/*
 * Without KVM each feature of a processor that Linux finds is code to be translated before it runs: a start takes a sixth less
 * with those that it and our tools make something of.  Programs of a guest may be built for all of them (x86-64-v3).
 */
static const char kernel_cpu[] = "qemu64,+rdrand,+ssse3,+sse4.1,+sse4.2,+popcnt,+aes,+pclmulqdq";
/* Who is told that moves of single bytes are quick, makes them: each is a turn of QEMU's. */
static const char programs_cpu[] = "max,-erms";

static void qemu_argv(const struct vm_request *req, const struct vm_host *host, const struct vm_wires *w,
		      struct vm_argv *a)
{
	CLEANUP(strbuf_free) struct strbuf words = STRBUF_INIT;
	CLEANUP(free_ptr) char *qemu = NULL;

	/* It was there a moment ago. */
	if (vmm_qemu_find(&qemu, NULL) != 0) {
		a->failed = true;
		return;
	}
	vm_arg(a, "%s", qemu);
	vm_arg(a, "-M");
	if (req->board == VM_MICROVM)
		/* Without its clock Linux spends two seconds looking for it. */
		vm_arg(a, "microvm,rtc=on,isa-serial=%s%s", req->verbose ? "on" : "off",
		       req->saved != VM_BOOTS ? ",memory-backend=memory" : "");
	else
		vm_arg(a, "q35,usb=off,vmport=off");
	vm_arg(a, "-accel");
	vm_arg(a, "%s", req->backend == APPLIANCE_KVM ? "kvm" : "tcg,thread=multi");
	vm_arg(a, "-cpu");
	if (req->backend == APPLIANCE_KVM)
		vm_arg(a, "host%s", req->plain ? ",-arch-capabilities" : "");
	else
		vm_arg(a, "%s", req->programs ? programs_cpu : kernel_cpu);
	vm_arg(a, "-m");
	vm_arg(a, "%uM", req->memory);
	vm_arg(a, "-smp");
	vm_arg(a, "%u", req->smp);
	vm_arg(a, "-nodefaults");
	vm_arg(a, "-no-user-config");
	vm_arg(a, "-display");
	vm_arg(a, "none");
	vm_arg(a, "-no-reboot");
	if (!req->bare) {
		vm_arg(a, "-sandbox");
		vm_arg(a, "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
	}
	if (req->verbose) {
		vm_arg(a, "-serial");
		vm_arg(a, "stdio");
	}
	vm_arg(a, "-kernel");
	vm_arg(a, "%s", host->kernel);
	vm_arg(a, "-initrd");
	vm_arg(a, "%s", host->initrd);
	devices(req, host, w, a);
	kernel_words(req, host, &words);
	vm_arg(a, "-append");
	vm_arg(a, "%s", words.s);
	a->failed = a->failed || words.failed;
}

/* ---- one that is saved ---- */

void vm_saved_request(struct vm_request *req, enum vm_saved saved, bool programs)
{
	*req = (struct vm_request){
		.ask = VM_START,
		.backend = APPLIANCE_TCG,
		.board = VM_MICROVM,
		.memory = APPLIANCE_MEMORY,
		.smp = 1,
		.saved = (uint8_t)saved,
		.programs = programs,
	};
}

static int add_file(struct digest *d, const char *path, struct err *e)
{
	char line[160];
	struct stat st;

	if (stat(path, &st) < 0)
		return err_sys(e, errno, "%s", path);
	snprintf(line, sizeof line, "%lld %lld.%09ld %llu\n", (long long)st.st_size, (long long)st.st_mtim.tv_sec,
		 st.st_mtim.tv_nsec, (unsigned long long)st.st_ino);
	digest_add(d, line, strlen(line));
	return 0;
}

/* Of a machine with the same words but for what is another each time: numbers of descriptors, and the speed of the counter. */
static int add_words(struct digest *d, const struct vm_request *req, struct err *e)
{
	struct vm_host host = { .kernel = (char[]){ "kernel" }, .initrd = (char[]){ "initrd" }, .room = true };
	struct vm_request same = *req;
	struct vm_argv argv = { .items = NULL };
	struct vm_wires w;
	int rc;

	memset(&w, 0xff, sizeof w);
	same.ndisks = 0;
	same.saved = VM_BOOTS_TO_SAVE;
	qemu_argv(&same, &host, &w, &argv);
	rc = argv.failed ? err_nomem(e) : 0;
	for (size_t i = 0; i < argv.n; i++) {
		if (rc == 0)
			digest_add(d, argv.items[i], strlen(argv.items[i]) + 1);
		free(argv.items[i]);
	}
	free(argv.items);
	return rc;
}

int vmm_qemu_saved(const struct vm_request *req, const struct vm_host *host, struct saved_of *of, struct err *e)
{
	CLEANUP(free_ptr) char *qemu = NULL;
	char text[DIGEST_TEXT];
	struct digest d;
	int rc = vmm_qemu_find(&qemu, e);

	digest_start(&d, DIGEST_SHA256);
	digest_add(&d, host->files->key, sizeof host->files->key);
	if (rc == 0)
		rc = add_file(&d, qemu, e);
	if (rc == 0)
		rc = add_file(&d, host->files->vmlinux.path, e);
	if (rc == 0)
		rc = add_file(&d, host->files->vmlinux_initrd.path, e);
	if (rc == 0)
		rc = add_words(&d, req, e);
	digest_end(&d, text);
	if (rc)
		return rc;
	memcpy(of->key, text, sizeof of->key);
	of->memory = req->memory;
	of->khz = tsc_khz(&host->began);
	return 0;
}

int vmm_qemu_go_on(const struct vm_wires *w)
{
	char words[400];

	/* What it says to that, nobody needs: it goes on, or it ends. */
	snprintf(words, sizeof words,
		 "{\"execute\":\"qmp_capabilities\"}\n"
		 "{\"execute\":\"migrate-set-capabilities\",\"arguments\":{\"capabilities\":"
		 "[{\"capability\":\"x-ignore-shared\",\"state\":true}]}}\n"
		 "{\"execute\":\"migrate-incoming\",\"arguments\":{\"uri\":\"fd:%d\"}}\n", w->state);
	return io_write(w->monitor[0], words, strlen(words));
}

static const char *const qemu_env[] = { "TMPDIR=" ROOM_TMP, "HOME=/", "PATH=/usr/bin:/bin", NULL };

const struct vmm vmm_qemu = {
	.name = "QEMU",
	.needs_room = false,
	.room = qemu_room,
	.wire = qemu_wire,
	.argv = qemu_argv,
	.env = qemu_env,
};
