/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pvh_kernel.c - a kernel of some hundred instructions: what is tested with it is how QEMU is started, with KVM too, where
 * that is so slow that Linux would not come up.
 *
 * It starts as PVH says (32 bits, flat memory, an ELF note with the entry), looks for the virtio console among the
 * microvm's devices, says READY on its port 1, sends back what comes in, and powers off at a 'q'; at a 'p' it stops for good,
 * as a kernel that hangs does; at a 't' it faults until the machine is reset.
 *
 *	cc -m32 -nostdlib -ffreestanding -fno-pic -static -Wl,-Ttext=0x100000,--build-id=none -o KERNEL pvh_kernel.c
 *
 * With -DSILENT it does nothing at all.
 *
 * The devices speak virtio's legacy interface (virtio 1.0, 4.2.4), which is what microvm has.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned u32;
typedef unsigned long long u64;

__asm__(".pushsection .note.Xen, \"a\", @note\n"
	".long 4, 4, 18\n" /* name's length, value's length, XEN_ELFNOTE_PHYS32_ENTRY */
	".asciz \"Xen\"\n"
	".long pvh_entry\n"
	".popsection\n"
	".pushsection .text\n"
	".globl pvh_entry, _start\n"
	"_start:\n"
	"pvh_entry: mov $stack_end, %esp\n"
	"cld\n"
	"call run\n"
	"1: hlt\n"
	"jmp 1b\n"
	".popsection\n");

static u8 stack[16384] __attribute__((aligned(16), used));
__asm__(".globl stack_end\n.set stack_end, stack + 16384");

/* ---- virtio over memory ---- */

enum {
	FIRST = 0xfeb00000, STEP = 0x200, DEVICES = 24, /* where microvm has them */
	MAGIC = 0, VERSION = 4, DEVICE = 8, FEATURES = 0x20, FEATURES_SEL = 0x24, PAGE_SIZE_REG = 0x28, QUEUE_SEL = 0x30,
	QUEUE_NUM_MAX = 0x34, QUEUE_NUM = 0x38, QUEUE_ALIGN = 0x3c, QUEUE_PFN = 0x40, NOTIFY = 0x50, STATUS = 0x70,
	CONSOLE = 3, MULTIPORT = 1 << 1,
	ACK = 1, DRIVER = 2, DRIVER_OK = 4,
	N = 16, PAGE = 4096,
};

struct queue {
	struct { u64 addr; u32 len; u16 flags, next; } desc[N];
	u16 avail_flags;
	volatile u16 avail_idx;
	u16 avail[N];
	u8 pad[PAGE - 16 * N - 4 - 2 * N];
	u16 used_flags;
	volatile u16 used_idx;
	struct { u32 id, len; } used[N];
	u8 pad2[PAGE - 4 - 8 * N];
};
static struct queue queues[6] __attribute__((aligned(4096)));
static u16 seen[6];
static u8 bytes[6][N][256];
static u32 base;

static void put(u32 reg, u32 v)
{
	*(volatile u32 *)(base + reg) = v;
}

static u32 get(u32 reg)
{
	return *(volatile u32 *)(base + reg);
}

static void offer(u32 q, u32 slot, u32 len, u16 flags)
{
	struct queue *k = &queues[q];

	k->desc[slot].addr = (u32)bytes[q][slot];
	k->desc[slot].len = len;
	k->desc[slot].flags = flags;
	k->avail[k->avail_idx % N] = (u16)slot;
	__sync_synchronize();
	k->avail_idx++;
	__sync_synchronize();
	put(NOTIFY, q);
}

/* Sends, and waits until it was taken. */
static void send(u32 q, const void *data, u32 len)
{
	const u8 *from = data;

	for (u32 i = 0; i < len; i++)
		bytes[q][0][i] = from[i];
	offer(q, 0, len, 0);
	while (queues[q].used_idx == seen[q])
		;
	seen[q]++;
}

/* The next buffer that came in: its slot, or -1. */
static int next(u32 q, u32 *len)
{
	struct queue *k = &queues[q];
	u32 slot;

	if (k->used_idx == seen[q])
		return -1;
	__sync_synchronize();
	slot = k->used[seen[q] % N].id;
	*len = k->used[seen[q] % N].len;
	seen[q]++;
	return (int)slot;
}

/* ---- the console ---- */

struct control {
	u32 id;
	u16 event, value;
};
enum { DEVICE_READY, PORT_ADD, PORT_REMOVE, PORT_READY, CONSOLE_PORT, RESIZE, PORT_OPEN, PORT_NAME };
enum { CONTROL_IN = 2, CONTROL_OUT = 3, PORT_IN = 4, PORT_OUT = 5, WRITE = 2 };

static void tell(u32 id, u16 event, u16 value)
{
	struct control c = { id, event, value };

	send(CONTROL_OUT, &c, sizeof c);
}

static int find(void)
{
	for (u32 i = 0; i < DEVICES; i++) {
		base = FIRST + i * STEP;
		if (get(MAGIC) == 0x74726976 && get(VERSION) == 1 && get(DEVICE) == CONSOLE)
			return 1;
	}
	return 0;
}

static void begin(void)
{
	put(STATUS, 0);
	put(STATUS, ACK);
	put(STATUS, ACK | DRIVER);
	put(FEATURES_SEL, 0);
	put(FEATURES, MULTIPORT);
	put(PAGE_SIZE_REG, PAGE);
	for (u32 q = 0; q < 6; q++) {
		put(QUEUE_SEL, q);
		put(QUEUE_NUM, N);
		put(QUEUE_ALIGN, PAGE);
		put(QUEUE_PFN, (u32)&queues[q] / PAGE);
	}
	put(STATUS, ACK | DRIVER | DRIVER_OK);
	for (u32 slot = 0; slot < N; slot++) {
		offer(CONTROL_IN, slot, sizeof bytes[0][0], WRITE);
		offer(PORT_IN, slot, sizeof bytes[0][0], WRITE);
	}
	tell(0xffffffff, DEVICE_READY, 1);
}

static void power_off(void)
{
	*(volatile u8 *)0xfea00200 = 1 << 5 | 5 << 2; /* microvm's ACPI sleep register: go, to S5 */
}

static void fault(void)
{
	const struct { u16 limit; u32 at; } __attribute__((packed)) none = { 0, 0 };

	__asm__ volatile("lidt %0\n int3" ::"m"(none));
}

__attribute__((used)) void run(void)
{
	int slot, started = 0;
	u32 len;

#ifdef SILENT
	return;
#endif
	if (!find())
		return;
	begin();
	for (;;) {
		slot = next(CONTROL_IN, &len);
		if (slot >= 0) {
			struct control *c = (struct control *)bytes[CONTROL_IN][slot];

			if (c->event == PORT_ADD && c->id == 1 && !started) {
				tell(1, PORT_READY, 1);
				tell(1, PORT_OPEN, 1);
				send(PORT_OUT, "READY\n", 6);
				started = 1;
			}
			offer(CONTROL_IN, (u32)slot, sizeof bytes[0][0], WRITE);
		}
		slot = next(PORT_IN, &len);
		if (slot >= 0) {
			u8 first = bytes[PORT_IN][slot][0];

			if (first == 'q')
				power_off();
			if (first == 't')
				fault();
			if (first == 'p')
				return;
			send(PORT_OUT, bytes[PORT_IN][slot], len);
			offer(PORT_IN, (u32)slot, sizeof bytes[0][0], WRITE);
		}
	}
}
