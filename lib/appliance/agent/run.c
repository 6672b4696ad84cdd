/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * run.c - programs for the client: their streams, their limits, their end.
 *
 * What a program says is read only as far as the client has given credit for, so that a program that says much waits and
 * nobody's memory grows; what it is to read has room for CREDIT_IN bytes here.
 */
#include "agent.h"
#include "alloc.h"
#include "io.h"
#include "limits.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CREDIT_IN (64 * 1024)
/* One frame of output. */
#define OUTPUT_SIZE (64 * 1024)

struct agent_run {
	uint32_t tag;
	pid_t pid;
	int control;	    /* to the keeper; -1: it has ended */
	int in, out[2];	    /* our ends; -1: closed */
	int progress;	    /* likewise; -1 also: it tells of none */
	char told[120];	    /* of a line of progress */
	size_t told_len;
	uint64_t told_ms;   /* when the client heard of some */
	bool terminal, shared; /* shared: its keeper is no namespace's first process, and ends it when told */
	uint64_t credit[2]; /* of out[] */
	uint8_t input[CREDIT_IN];
	size_t input_len;
	bool input_ended;
	uint64_t end_ms, output_left; /* UINT64_MAX: no limit */
	uint8_t cut;
	bool ended; /* status is known */
	uint32_t status;
	uint64_t drain_ms; /* after its end: how long for what it has said */
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void close_at(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Ends the program and all that is in its namespace or its group. */
static void kill_all(const struct agent_run *r)
{
	if (!r->shared || r->control < 0 || shutdown(r->control, SHUT_WR) < 0)
		kill(r->pid, SIGKILL);
}

static void run_free(struct agent_run *r)
{
	if (!r)
		return;
	if (r->pid > 0) {
		int status;

		kill_all(r);
		while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
			continue;
	}
	if (r->in != r->out[0])
		close_at(&r->in);
	close_at(&r->out[0]);
	close_at(&r->out[1]);
	close_at(&r->progress);
	close_at(&r->control);
	free(r);
}

/* ---- beginning ---- */

struct words {
	char **w;
	size_t n;
};

static void words_free(struct words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->w[i]);
	free(w->w);
}

static int get_words(struct proto_in *in, struct words *out)
{
	size_t n = proto_get_u16(in);
	CLEANUP(free_ptr) char *word = alloc_bytes(LIMIT_PROTO_WORD);

	if (in->bad || n > LIMIT_PROTO_WORDS)
		return EPROTO;
	out->w = alloc_array(n + 1, sizeof *out->w);
	if (!out->w || !word)
		return ENOMEM;
	for (; out->n < n; out->n++) {
		proto_get_str(in, word, LIMIT_PROTO_WORD);
		if (in->bad)
			return EPROTO;
		out->w[out->n] = alloc_strdup(word);
		if (!out->w[out->n])
			return ENOMEM;
	}
	return 0;
}

struct binds {
	struct agent_bind *b;
	size_t n;
};

static void binds_free(struct binds *b)
{
	for (size_t i = 0; i < b->n; i++)
		free(b->b[i].path);
	free(b->b);
}

static int get_binds(struct agent *a, struct proto_in *in, struct binds *out)
{
	size_t n = proto_get_u16(in);

	if (in->bad || n > AGENT_MOUNTS)
		return EPROTO;
	out->b = alloc_array(n + 1, sizeof *out->b);
	if (!out->b)
		return ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct agent_mount *m = mount_find(a, proto_get_u32(in));
		char path[LIMIT_PATH];

		proto_get_str(in, path, sizeof path);
		if (in->bad || path[0] != '/')
			return EPROTO;
		if (!m)
			return agent_say(a, EINVAL, "a program's root that is not mounted");
		snprintf(out->b[i].from, sizeof out->b[i].from, "%s", m->path);
		out->b[i].path = alloc_strdup(path);
		if (!out->b[i].path)
			return ENOMEM;
		out->n++;
	}
	return 0;
}

static int open_terminal(struct agent *a, struct agent_run *r, struct agent_program *p, uint16_t rows, uint16_t cols)
{
	const struct winsize size = { .ws_row = rows, .ws_col = cols };
	int number, unlock = 0;
	char path[64];
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	if (master < 0)
		return agent_say(a, errno, "no terminal can be had");
	r->in = r->out[0] = master;
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0 || ioctl(master, TIOCGPTN, &number) < 0)
		return errno;
	ioctl(master, TIOCSWINSZ, &size);
	snprintf(path, sizeof path, "/dev/pts/%d", number);
	for (int i = 0; i < 3; i++) {
		p->stdio[i] = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
		if (p->stdio[i] < 0)
			return errno;
	}
	return 0;
}

static int open_pipe(int *ours, int *theirs, bool to_it)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return errno;
	*ours = fds[to_it];
	*theirs = fds[!to_it];
	return fcntl(*ours, F_SETFL, O_NONBLOCK) < 0 ? errno : 0;
}

static int open_streams(struct agent *a, struct agent_run *r, struct agent_program *p, uint16_t rows, uint16_t cols)
{
	int control[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) < 0)
		return errno;
	r->control = control[0];
	p->control = control[1];
	if (p->progress >= 0) {
		rc = open_pipe(&r->progress, &p->progress, false);
		if (rc)
			return rc;
	}
	if (r->terminal)
		return open_terminal(a, r, p, rows, cols);
	rc = open_pipe(&r->in, &p->stdio[0], true);
	for (int i = 0; i < 2 && rc == 0; i++)
		rc = open_pipe(&r->out[i], &p->stdio[i + 1], false);
	return rc;
}

static uint64_t deadline(uint64_t ms)
{
	return ms > UINT64_MAX / 2 ? UINT64_MAX : now_ms() + ms;
}

static void send_credit(struct agent *a, const struct agent_run *r, size_t bytes)
{
	struct proto_out *o = agent_begin(a);

	proto_put_u8(o, 0);
	proto_put_u32(o, (uint32_t)bytes);
	agent_send(a, r->tag, PROTO_CREDIT, 0);
}

static int start(struct agent *a, struct agent_run *r, struct agent_program *p, uint16_t rows, uint16_t cols)
{
	int rc = open_streams(a, r, p, rows, cols);

	if (rc == 0)
		rc = keeper_start(a, p, &r->pid);
	for (int i = 0; i < 3; i++)
		close_at(&p->stdio[i]);
	close_at(&p->progress);
	close_at(&p->control);
	return rc;
}

int ask_run(struct agent *a, struct question *q)
{
	unsigned flags = proto_get_u8(&q->in);
	bool terminal = flags & PROTO_RUN_TERMINAL;
	uint16_t rows = proto_get_u16(&q->in), cols = proto_get_u16(&q->in);
	uint64_t ms = proto_get_u64(&q->in), output = proto_get_u64(&q->in);
	CLEANUP(words_free) struct words argv = { 0 };
	CLEANUP(words_free) struct words env = { 0 };
	CLEANUP(binds_free) struct binds binds = { 0 };
	struct agent_program p = { .stdio = { -1, -1, -1 }, .control = -1, .terminal = terminal,
				   .progress = flags & PROTO_RUN_PROGRESS ? 0 : -1 };
	struct agent_run *r;
	int rc = get_words(&q->in, &argv);

	if (rc == 0)
		rc = get_words(&q->in, &env);
	if (rc == 0)
		rc = get_binds(a, &q->in, &binds);
	if (rc)
		return rc;
	if (!proto_done(&q->in) || argv.n == 0 ||
	    flags & ~(PROTO_RUN_TERMINAL | PROTO_RUN_NETWORK | PROTO_RUN_PROGRESS | PROTO_RUN_TOOLS))
		return EPROTO;
	if (flags & PROTO_RUN_TOOLS && (flags & PROTO_RUN_NETWORK || binds.n == 0 || a->folders))
		return EINVAL;
	if (a->readonly)
		return EPERM;
	if (a->nruns == ARRAY_LEN(a->runs))
		return agent_say(a, EAGAIN, "more than %u programs at once", a->nruns);
	for (unsigned i = 0; i < a->nruns; i++)
		if (a->runs[i]->tag == q->tag)
			return EPROTO;
	p.argv = argv.w;
	p.env = env.w;
	p.binds = binds.b;
	p.nbinds = binds.n;
	p.shared = binds.n == 0;
	p.network = flags & PROTO_RUN_NETWORK;
	p.tools = flags & PROTO_RUN_TOOLS;
	p.host = a->folders;
	rc = binds.n == 0 || p.network || p.tools ? mount_tools(a) : 0;
	if (rc)
		return rc;
	r = alloc_zero(sizeof *r);
	if (!r)
		return ENOMEM;
	*r = (struct agent_run){ .tag = q->tag, .control = -1, .in = -1, .out = { -1, -1 }, .progress = -1, .terminal = terminal,
				 .shared = p.shared, .end_ms = deadline(ms), .output_left = output };
	nodes_written(a);
	rc = start(a, r, &p, rows, cols);
	if (rc) {
		run_free(r);
		return rc;
	}
	a->runs[a->nruns++] = r;
	send_credit(a, r, CREDIT_IN);
	return 0;
}

/* ---- going on ---- */

static void cut(struct agent_run *r, uint8_t why)
{
	if (r->cut || r->ended)
		return;
	r->cut = why;
	kill_all(r);
}

static void take_input(struct agent_run *r, struct proto_in *in)
{
	uint8_t stream = proto_get_u8(in);
	size_t len = in->left;
	const uint8_t *bytes = proto_get_bytes(in, len);

	if (in->bad || stream != 0 || len > sizeof r->input - r->input_len) {
		cut(r, PROTO_CUT_CANCEL); /* more than there was credit for */
		return;
	}
	if (len == 0)
		r->input_ended = true;
	else
		memcpy(r->input + r->input_len, bytes, len);
	r->input_len += len;
}

static void send_signal(struct agent_run *r, uint32_t number)
{
	uint8_t byte = (uint8_t)number;
	int sig = (int)number;

	if (number == 0 || number > 64 || r->control < 0)
		return;
	/* A terminal knows who is in front. */
	if (r->terminal && r->out[0] >= 0 && ioctl(r->out[0], TIOCSIG, sig) == 0)
		return;
	if (send(r->control, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
}

void run_take(struct agent *a, struct question *q)
{
	struct agent_run *r = NULL;
	uint8_t stream;
	uint32_t bytes;

	for (unsigned i = 0; i < a->nruns; i++)
		if (a->runs[i]->tag == q->tag)
			r = a->runs[i];
	/* It may have ended while the frame was on its way. */
	if (!r)
		return;
	switch (q->type) {
	case PROTO_DATA:
		take_input(r, &q->in);
		break;
	case PROTO_CREDIT:
		stream = proto_get_u8(&q->in);
		bytes = proto_get_u32(&q->in);
		if (!q->in.bad && stream >= 1 && stream <= 2)
			r->credit[stream - 1] += bytes;
		break;
	case PROTO_RESIZE: {
		const struct winsize size = { .ws_row = proto_get_u16(&q->in), .ws_col = proto_get_u16(&q->in) };

		if (!q->in.bad && r->terminal && r->out[0] >= 0)
			ioctl(r->out[0], TIOCSWINSZ, &size);
		break;
	}
	case PROTO_SIGNAL:
		send_signal(r, proto_get_u32(&q->in));
		break;
	case PROTO_CANCEL:
		cut(r, PROTO_CUT_CANCEL);
		break;
	}
}

/* Will it be read? */
static bool wants_output(const struct agent_run *r, int i)
{
	return r->out[i] >= 0 && r->credit[i] > 0 && !r->cut;
}

static bool wants_input(const struct agent_run *r)
{
	return r->in >= 0 && r->input_len > 0;
}

unsigned runs_poll(struct agent *a, struct pollfd *fds, int *wait_ms)
{
	uint64_t now = now_ms();
	unsigned n = 0;

	for (unsigned i = 0; i < a->nruns; i++) {
		const struct agent_run *r = a->runs[i];
		uint64_t end = r->ended ? r->drain_ms : r->end_ms;

		if (r->control >= 0)
			fds[n++] = (struct pollfd){ .fd = r->control, .events = POLLIN };
		for (int j = 0; j < 2; j++)
			if (wants_output(r, j))
				fds[n++] = (struct pollfd){ .fd = r->out[j], .events = POLLIN };
		if (r->progress >= 0)
			fds[n++] = (struct pollfd){ .fd = r->progress, .events = POLLIN };
		if (wants_input(r))
			fds[n++] = (struct pollfd){ .fd = r->in, .events = POLLOUT };
		if (end != UINT64_MAX) {
			uint64_t left = end > now ? end - now : 0;

			if (*wait_ms < 0 || left < (uint64_t)*wait_ms)
				*wait_ms = (int)MIN_OF(left, (uint64_t)60000);
		}
	}
	return n;
}

/* Reads one bit of what it says: false when there is none now. */
static bool pump_output(struct agent *a, struct agent_run *r, int i)
{
	struct proto_out *o = agent_begin(a);
	size_t room = MIN_OF(r->credit[i], (uint64_t)OUTPUT_SIZE);
	uint8_t *to;
	ssize_t n;

	proto_put_u8(o, (uint8_t)(i + 1));
	to = proto_put_room(o, room);
	n = read(r->out[i], to, room);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) { /* a terminal's end is EIO */
		if (r->in == r->out[i])
			r->in = -1;
		close_at(&r->out[i]);
		return false;
	}
	if ((uint64_t)n > r->output_left) {
		n = (ssize_t)r->output_left;
		cut(r, PROTO_CUT_OUTPUT);
	}
	if (r->output_left != UINT64_MAX)
		r->output_left -= (uint64_t)n;
	r->credit[i] -= (uint64_t)n;
	o->len -= room - (size_t)n;
	if (n > 0)
		agent_send(a, r->tag, PROTO_DATA, PROTO_ANSWER);
	return !r->cut;
}

/* A line of progress is whole; the client hears of it, unless it has heard of another a moment ago. */
static void tell_progress(struct agent *a, struct agent_run *r)
{
	const uint64_t now = now_ms();
	unsigned long step;
	unsigned long long done, of;
	struct proto_out *o;

	r->told[r->told_len] = '\0';
	r->told_len = 0;
	if (sscanf(r->told, "%9lu %18llu %18llu", &step, &done, &of) != 3 || done > of || now - r->told_ms < 100)
		return;
	r->told_ms = now;
	o = agent_begin(a);
	proto_put_u32(o, (uint32_t)step);
	proto_put_u64(o, done);
	proto_put_u64(o, of);
	agent_send(a, r->tag, PROTO_PROGRESS, PROTO_ANSWER);
}

static void pump_progress(struct agent *a, struct agent_run *r)
{
	char bytes[512];
	ssize_t n = r->progress >= 0 ? read(r->progress, bytes, sizeof bytes) : -1;

	if (n == 0)
		close_at(&r->progress);
	for (ssize_t i = 0; i < n; i++) {
		if (bytes[i] == '\n')
			tell_progress(a, r);
		else if (r->told_len < sizeof r->told - 1)
			r->told[r->told_len++] = bytes[i];
	}
}

static void pump_input(struct agent *a, struct agent_run *r)
{
	ssize_t n = 0;

	if (wants_input(r)) {
		n = write(r->in, r->input, r->input_len);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) { /* nobody reads it: it is taken and forgotten */
			n = (ssize_t)r->input_len;
			if (!r->terminal)
				close_at(&r->in);
		}
	} else if (r->in < 0) {
		n = (ssize_t)r->input_len;
	}
	if (n > 0) {
		memmove(r->input, r->input + n, r->input_len - (size_t)n);
		r->input_len -= (size_t)n;
		/* It may have been a key. */
		explicit_bzero(r->input + r->input_len, (size_t)n);
		send_credit(a, r, (size_t)n);
	}
	if (r->input_ended && r->input_len == 0 && r->in >= 0 && !r->terminal)
		close_at(&r->in);
}

/* Has the keeper told how it ended? */
static void pump_control(struct agent_run *r)
{
	uint32_t told;
	ssize_t n;
	int status;

	if (r->control < 0)
		return;
	n = recv(r->control, &told, sizeof told, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	close_at(&r->control);
	/* With the keeper all others of its namespace end; only then is it waited for. */
	if (n != sizeof told)
		kill(r->pid, SIGKILL);
	while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	r->pid = 0;
	r->status = n == sizeof told ? told : SIGKILL;
	r->ended = true;
	/* Only without a namespace can somebody hold its output open. */
	r->drain_ms = r->end_ms == UINT64_MAX ? now_ms() + 10000 : MAX_OF(r->end_ms, now_ms() + 1000);
}

/* Is all said and done? */
static bool is_over(const struct agent_run *r, uint64_t now)
{
	return r->ended && (r->cut || now >= r->drain_ms || (r->out[0] < 0 && r->out[1] < 0));
}

static bool is_keeper(const struct agent *a, pid_t pid)
{
	for (unsigned i = 0; i < a->nruns; i++)
		if (a->runs[i]->pid == pid)
			return true;
	return false;
}

/* The first process of a machine is left with what others began and did not wait for. */
static void forget_orphans(const struct agent *a)
{
	siginfo_t info = { 0 };

	/* Ends: each turn takes one that is dead, or returns at one that somebody here waits for. */
	while (a->init && waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid > 0) {
		if (is_keeper(a, info.si_pid) || waitpid(info.si_pid, NULL, WNOHANG) < 0)
			return;
		info = (siginfo_t){ 0 };
	}
}

static void finish(struct agent *a, unsigned i)
{
	struct agent_run *r = a->runs[i];
	struct proto_out *o = agent_begin(a);

	proto_put_u32(o, r->status);
	proto_put_u8(o, r->cut);
	agent_send(a, r->tag, PROTO_RUN, PROTO_ANSWER);
	run_free(r);
	a->runs[i] = a->runs[--a->nruns];
	forget_orphans(a);
}

void runs_pump(struct agent *a)
{
	uint64_t now = now_ms();

	for (unsigned i = 0; i < a->nruns;) {
		struct agent_run *r = a->runs[i];

		if (now >= r->end_ms)
			cut(r, PROTO_CUT_TIME);
		pump_input(a, r);
		for (int j = 0; j < 2; j++)
			for (unsigned times = 0; times < 4 && wants_output(r, j) && pump_output(a, r, j); times++)
				continue;
		pump_progress(a, r);
		pump_control(r);
		if (is_over(r, now))
			finish(a, i);
		else
			i++;
	}
}

void runs_kill(struct agent *a)
{
	while (a->nruns)
		run_free(a->runs[--a->nruns]);
}
