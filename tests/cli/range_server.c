/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * range_server.c - a web server for one test: parts of the files of a folder, and whatever goes wrong with that.
 *
 * usage: range_server FOLDER LOG [FAULT...]
 *
 * Listens on 127.0.0.1, prints its port, and serves each connection in a process of its own; their group is to be killed.
 * The log has a line for each answer: status, bytes of the body that were sent, range, path.  Faults:
 *
 *	whole		every answer is the whole file, with status 200
 *	endless		and after that it goes on
 *	reset=N		every Nth answer ends in its middle, by a reset
 *	busy=N		every Nth answer has status 503
 *	short		a part has no more than 1000 bytes, and says so
 *	long		a part has more bytes than it says
 *	other		a part is another one than was asked for, and says so
 *	lie		a part says to be the one that was asked for, and the file to be 8 EiB long
 *	huge		the file is said to have 2^63 - 1 bytes, always
 *	change=N	from the Nth answer on the ETag is another one
 *	grow=N		from the Nth answer on the file is one byte longer
 *	delay=MS	each answer begins so late, as that of a server far away
 *	drip		a byte in a second
 *	silent		nothing at all
 *	garbage		what is not HTTP
 *	headers		headers without an end
 *	tls=FILE	not a fault: over TLS, with a certificate and a key in that file
 *	greet		noise as soon as somebody connects
 *	loop		a redirection to the same path
 *	auth=USER:PW	status 401 without that user and password
 *	cookie=TEXT	status 403 without that cookie
 *
 * A path "/to/HOST:PORT/REST" is a redirection to http://HOST:PORT/REST.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int folder, log_fd, nfaults;
static char **faults;
static atomic_ulong *count;

struct request {
	char path[1024], cookie[256], authorization[256];
	bool has_range;
	uint64_t from, to;
};

/* The text behind "NAME=", "" for NAME alone; NULL: there is no such fault. */
static const char *fault(const char *name)
{
	size_t len = strlen(name);

	for (int i = 0; i < nfaults; i++)
		if (strncmp(faults[i], name, len) == 0 && (!faults[i][len] || faults[i][len] == '='))
			return faults[i] + len + (faults[i][len] == '=');
	return NULL;
}

static unsigned long fault_number(const char *name)
{
	const char *text = fault(name);

	return text ? strtoul(text, NULL, 10) : 0;
}

/* Each connection is a process. */
static SSL *tls;

static void begin_tls(int sock, const char *file)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (!ctx || SSL_CTX_use_certificate_chain_file(ctx, file) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, file, SSL_FILETYPE_PEM) != 1 || !(tls = SSL_new(ctx)) ||
	    SSL_set_fd(tls, sock) != 1 || SSL_accept(tls) != 1)
		_exit(1);
}

static bool send_all(int sock, const void *bytes, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = tls ? SSL_write(tls, (const char *)bytes + at, (int)(len - at))
				: send(sock, (const char *)bytes + at, len - at, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

__attribute__((format(printf, 2, 3))) static bool say(int sock, const char *fmt, ...)
{
	char text[4096];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return send_all(sock, text, (size_t)n);
}

/* One line or the end of the connection. */
static bool read_line(int sock, char *line, size_t size)
{
	size_t len = 0;
	char c;

	while ((tls ? SSL_read(tls, &c, 1) : recv(sock, &c, 1, 0)) == 1) {
		if (c == '\n') {
			if (len && line[len - 1] == '\r')
				len--;
			line[len] = '\0';
			return true;
		}
		if (len + 1 < size)
			line[len++] = c;
	}
	return false;
}

static bool read_request(int sock, struct request *r)
{
	char line[4096];

	memset(r, 0, sizeof *r);
	if (!read_line(sock, line, sizeof line) || sscanf(line, "GET %1023s", r->path) != 1)
		return false;
	while (read_line(sock, line, sizeof line) && *line) {
		if (sscanf(line, "Range: bytes=%" SCNu64 "-%" SCNu64, &r->from, &r->to) == 2)
			r->has_range = true;
		(void)sscanf(line, "Cookie: %255[^\n]", r->cookie);
		(void)sscanf(line, "Authorization: Basic %255s", r->authorization);
	}
	return true;
}

static void note(const struct request *r, int status, uint64_t sent)
{
	char line[1400];
	int n = snprintf(line, sizeof line, "%d %" PRIu64 " %" PRIu64 "-%" PRIu64 " %s\n", status, sent, r->from, r->to, r->path);
	ssize_t unused = write(log_fd, line, (size_t)n);

	(void)unused;
}

static bool answer(int sock, const struct request *r, int status)
{
	note(r, status, 0);
	return say(sock, "HTTP/1.1 %d Status\r\nContent-Length: 4\r\n%s\r\nno.\n", status,
		   status == 401 ? "WWW-Authenticate: Basic realm=\"r\"\r\n" : "");
}

static bool is_authorized(const struct request *r)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *want = fault("auth");
	char text[256] = "";
	size_t n = 0, len = want ? strlen(want) : 0;

	for (size_t i = 0; i < len; i += 3) {
		unsigned v = (unsigned)(unsigned char)want[i] << 16;

		v |= i + 1 < len ? (unsigned)(unsigned char)want[i + 1] << 8 : 0;
		v |= i + 2 < len ? (unsigned)(unsigned char)want[i + 2] : 0;
		text[n++] = letters[v >> 18];
		text[n++] = letters[v >> 12 & 63];
		text[n++] = i + 1 < len ? letters[v >> 6 & 63] : '=';
		text[n++] = i + 2 < len ? letters[v & 63] : '=';
	}
	return !want || strcmp(text, r->authorization) == 0;
}

static void reset(int sock)
{
	const struct linger l = { .l_onoff = 1 };

	setsockopt(sock, SOL_SOCKET, SO_LINGER, &l, sizeof l);
}

static bool send_file(int sock, int fd, uint64_t from, uint64_t len, uint64_t *sent)
{
	static char buf[1 << 17];

	while (len) {
		size_t n = len < sizeof buf ? (size_t)len : sizeof buf;
		ssize_t got = pread(fd, buf, n, (off_t)from);

		if (fault("drip") && got > 1) {
			got = 1;
			sleep(1);
		}
		if (got <= 0 || !send_all(sock, buf, (size_t)got))
			return false;
		from += (uint64_t)got;
		len -= (uint64_t)got;
		*sent += (uint64_t)got;
	}
	return true;
}

static bool hostile(int sock)
{
	if (fault("silent")) {
		pause();
		return true;
	}
	if (fault("garbage"))
		return !say(sock, "\x01\x02\x03 this is no web server\r\n\r\n") || true;
	if (fault("headers")) {
		(void)say(sock, "HTTP/1.1 206 Partial Content\r\n");
		for (unsigned i = 0; say(sock, "X-Header-%u: %0900d\r\n", i, 0); i++)
			;
		return true;
	}
	return false;
}

static bool serve_part(int sock, struct request *r, int fd, uint64_t size, unsigned long nth)
{
	const bool whole = fault("whole") || fault("endless") || !r->has_range;
	const unsigned long changed = fault_number("change"), grown = fault_number("grow"), resets = fault_number("reset");
	uint64_t told = size, from = r->from, len, sent = 0;
	bool good;

	if (fault("huge") || (fault("lie") && r->from))
		told = INT64_MAX;
	if (grown && nth >= grown)
		told++;
	if (r->has_range && from >= size && !fault("huge")) {
		note(r, 416, 0);
		return say(sock, "HTTP/1.1 416 Range\r\nContent-Range: bytes *" "/%" PRIu64 "\r\nContent-Length: 0\r\n\r\n", size);
	}
	if (r->to >= size)
		r->to = size - 1;
	len = r->to + 1 - from;
	if (fault("short") && len > 1000)
		len = 1000;
	if (fault("other"))
		from++;
	if (whole)
		good = say(sock, "HTTP/1.1 200 OK\r\n%s\r\n", fault("endless") ? "" : "Connection: close\r\n");
	else
		good = say(sock,
			   "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64
			   "\r\nETag: \"%d\"\r\nContent-Length: %" PRIu64 "\r\n\r\n",
			   from, from + len - 1, told, changed && nth >= changed, len + (fault("long") ? 5 : 0));
	if (whole)
		(void)(good && send_file(sock, fd, 0, size, &sent));
	while (good && fault("endless"))
		good = send_file(sock, fd, 0, size, &sent);
	if (whole) {
		note(r, 200, sent);
		return false;
	}
	if (resets && nth % resets == 0) {
		(void)(good && send_file(sock, fd, r->from, len / 2, &sent));
		reset(sock);
		note(r, 206, sent);
		return false;
	}
	good = good && send_file(sock, fd, r->from, len, &sent);
	if (good && fault("long"))
		good = say(sock, "more.");
	note(r, 206, sent);
	return good;
}

/* One answer; false: the connection ends. */
static bool serve(int sock, struct request *r)
{
	const unsigned long nth = atomic_fetch_add(count, 1) + 1, busy = fault_number("busy");
	const char *cookie = fault("cookie");
	struct stat st;
	char host[256], rest[512];
	bool good;
	int fd;

	if (hostile(sock))
		return false;
	if (fault("delay"))
		usleep((useconds_t)fault_number("delay") * 1000);
	if (fault("loop")) {
		note(r, 302, 0);
		return say(sock, "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", r->path);
	}
	if (sscanf(r->path, "/to/%255[^/]/%511s", host, rest) == 2) {
		note(r, 302, 0);
		return say(sock, "HTTP/1.1 302 Found\r\nLocation: http://%s/%s\r\nContent-Length: 0\r\n\r\n", host, rest);
	}
	if (busy && nth % busy == 0)
		return answer(sock, r, 503);
	if (!is_authorized(r))
		return answer(sock, r, 401);
	if (cookie && strcmp(cookie, r->cookie) != 0)
		return answer(sock, r, 403);
	fd = openat(folder, r->path + 1, O_RDONLY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return answer(sock, r, 404);
	good = serve_part(sock, r, fd, (uint64_t)st.st_size, nth);
	close(fd);
	return good;
}

static void serve_connection(int sock)
{
	struct request r;
	const int on = 1;

	setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (fault("tls"))
		begin_tls(sock, fault("tls"));
	if (fault("greet"))
		(void)say(sock, "NBDMAGIK%0900d", 0);
	while (read_request(sock, &r) && serve(sock, &r))
		;
	close(sock);
	_exit(0);
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int sock = socket(AF_INET, SOCK_STREAM, 0);

	if (argc < 3) {
		fprintf(stderr, "usage: range_server FOLDER LOG [FAULT...]\n");
		return 2;
	}
	faults = argv + 3;
	nfaults = argc - 3;
	signal(SIGCHLD, SIG_IGN);
	folder = open(argv[1], O_RDONLY | O_DIRECTORY);
	log_fd = open(argv[2], O_WRONLY | O_CREAT | O_APPEND, 0666);
	count = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (folder < 0 || log_fd < 0 || count == MAP_FAILED || sock < 0 || bind(sock, (struct sockaddr *)&at, sizeof at) < 0 ||
	    listen(sock, 64) < 0 || getsockname(sock, (struct sockaddr *)&at, &len) < 0) {
		perror("range_server");
		return 1;
	}
	printf("%d\n", ntohs(at.sin_port));
	fclose(stdout);
	setpgid(0, 0);
	/* Until it is killed, with its group. */
	for (;;) {
		int got = accept(sock, NULL, NULL);

		if (got < 0 && errno != EINTR)
			return 1;
		if (got >= 0 && fork() == 0) {
			close(sock);
			serve_connection(got);
		}
		if (got >= 0)
			close(got);
	}
}
