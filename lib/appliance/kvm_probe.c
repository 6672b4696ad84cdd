/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm_probe.h"

#include "alloc.h"
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef __x86_64__
#include <cpuid.h>
#endif

/* What the child tells. */
struct finding {
	int32_t errnum; /* of the step that failed */
	uint32_t step;
	uint64_t ns;
};
enum { STEP_OPEN, STEP_MAKE, STEP_RUN, STEP_DONE };

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#ifdef __x86_64__

#define CODE_AT 0x1000

/* Real mode: mov cx, n; loop: dec cx; jnz loop; hlt. */
static const uint8_t code[] = { 0xb9, (KVM_PROBE_INSTRUCTIONS / 2) & 0xff, (KVM_PROBE_INSTRUCTIONS / 2) >> 8,
				0x49, 0x75, 0xfd, 0xf4 };

struct machine {
	int kvm, vm, cpu;
	uint8_t *memory;
	struct kvm_run *run;
};

/* 0 or an errno. */
static int machine_make(struct machine *m)
{
	struct kvm_userspace_memory_region region = { .guest_phys_addr = CODE_AT, .memory_size = 0x1000 };
	int size;

	m->vm = ioctl(m->kvm, KVM_CREATE_VM, 0);
	if (m->vm < 0)
		return errno;
	m->memory = mmap(NULL, 0x1000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m->memory == MAP_FAILED)
		return errno;
	memcpy(m->memory, code, sizeof code);
	region.userspace_addr = (uintptr_t)m->memory;
	if (ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return errno;
	m->cpu = ioctl(m->vm, KVM_CREATE_VCPU, 0);
	size = ioctl(m->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (m->cpu < 0 || size < 0)
		return errno;
	m->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, m->cpu, 0);
	return m->run == MAP_FAILED ? errno : 0;
}

/* The code once more, from its start.  0 or an errno. */
static int machine_run(struct machine *m, uint64_t *ns)
{
	struct kvm_regs regs = { .rip = CODE_AT, .rflags = 2 };
	struct kvm_sregs sregs;
	uint64_t start;

	if (ioctl(m->cpu, KVM_GET_SREGS, &sregs) < 0)
		return errno;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(m->cpu, KVM_SET_SREGS, &sregs) < 0 || ioctl(m->cpu, KVM_SET_REGS, &regs) < 0)
		return errno;
	start = now_ns();
	while (ioctl(m->cpu, KVM_RUN, 0) < 0)
		if (errno != EINTR)
			return errno;
	*ns = now_ns() - start;
	return m->run->exit_reason == KVM_EXIT_HLT ? 0 : ENOEXEC;
}

static void look(struct finding *f)
{
	struct machine m = { .vm = -1, .cpu = -1 };

	m.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	f->errnum = m.kvm < 0 ? errno : 0;
	if (f->errnum)
		return;
	f->step = STEP_MAKE;
	f->errnum = ioctl(m.kvm, KVM_GET_API_VERSION, 0) == KVM_API_VERSION ? machine_make(&m) : ENOTSUP;
	if (f->errnum)
		return;
	f->step = STEP_RUN;
	f->ns = UINT64_MAX;
	for (int turn = 0; turn < 3 && f->ns > KVM_PROBE_FAST_NS; turn++) {
		uint64_t ns;

		f->errnum = machine_run(&m, &ns);
		if (f->errnum)
			return;
		f->ns = MIN_OF(f->ns, ns);
	}
	f->step = STEP_DONE;
}

void cpu_virtualization(struct cpu_virtualization *out)
{
	unsigned a, b, c, d;

	memset(out, 0, sizeof *out);
	if (__get_cpuid(1, &a, &b, &c, &d)) {
		out->vmx = c & 1u << 5;
		out->hypervisor = c & 1u << 31;
	}
	if (__get_cpuid(0x80000001, &a, &b, &c, &d))
		out->svm = c & 1u << 2;
}

#else

static void look(struct finding *f)
{
	f->errnum = ENOTSUP;
}

void cpu_virtualization(struct cpu_virtualization *out)
{
	memset(out, 0, sizeof *out);
}

#endif

static void say(struct kvm_probe *p, const struct finding *f)
{
	p->present = access("/dev/kvm", F_OK) == 0;
	p->usable = f->step > STEP_MAKE;
	p->ran = f->step == STEP_DONE;
	p->ns = p->ran ? f->ns : 0;
	p->fast = p->ran && f->ns <= KVM_PROBE_FAST_NS;
	if (!p->present)
		snprintf(p->words, sizeof p->words, "there is no /dev/kvm");
	else if (f->step == STEP_OPEN)
		snprintf(p->words, sizeof p->words, "/dev/kvm cannot be opened: %s", strerror(f->errnum));
	else if (f->step == STEP_MAKE)
		snprintf(p->words, sizeof p->words, "/dev/kvm makes no machine: %s", strerror(f->errnum));
	else if (!p->ran && f->errnum == ETIMEDOUT)
		snprintf(p->words, sizeof p->words, "a machine of /dev/kvm did not run %d instructions in %d ms",
			 KVM_PROBE_INSTRUCTIONS, KVM_PROBE_MS);
	else if (!p->ran)
		snprintf(p->words, sizeof p->words, "a machine of /dev/kvm does not run: %s", strerror(f->errnum));
	else
		snprintf(p->words, sizeof p->words, "/dev/kvm runs %.*f million instructions a second%s", p->fast ? 0 : 1,
			 KVM_PROBE_INSTRUCTIONS * 1e3 / (double)(f->ns ? f->ns : 1),
			 p->fast ? "" : ": it is not the hardware that does");
}

/* What the child says within the time, else ETIMEDOUT. */
static void hear(int fd, struct finding *f)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t end = now_ns() + KVM_PROBE_MS * 1000000u;
	size_t got = 0;

	for (;;) {
		uint64_t now = now_ns();
		int n = now >= end ? 0 : poll(&p, 1, (int)((end - now) / 1000000u) + 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0 && io_read(fd, f, sizeof *f, &got) == 0 && got == sizeof *f)
			return;
		/* It was told to run, and that is all that is known. */
		*f = (struct finding){ .step = STEP_RUN, .errnum = n > 0 ? ENOEXEC : ETIMEDOUT };
		return;
	}
}

int kvm_probe(struct kvm_probe *out, struct err *e)
{
	struct finding f = { 0 };
	pid_t parent = getpid(), child;
	int fds[2];

	memset(out, 0, sizeof *out);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(e, errno, "a pipe");
	child = fork();
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		if (getppid() == parent) {
			look(&f);
			(void)io_write(fds[1], &f, sizeof f);
		}
		_exit(0);
	}
	close(fds[1]);
	if (child > 0) {
		hear(fds[0], &f);
		kill(child, SIGKILL);
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close(fds[0]);
	if (child < 0)
		return err_sys(e, errno, "a process");
	say(out, &f);
	return 0;
}
