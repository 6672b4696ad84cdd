/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tls.h"

#include "alloc.h"
#include "late.h"
#include "limits.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- libssl ---- */

/* What is used of it, by its own types. */
#define LIBSSL_FUNCTIONS(f) \
	f(SSL_CTX_new) f(SSL_CTX_free) f(TLS_server_method) f(TLS_client_method) f(SSL_CTX_ctrl) \
	f(SSL_CTX_set_options) f(SSL_CTX_set_verify) f(SSL_CTX_get_cert_store) \
	f(SSL_CTX_use_certificate_chain_file) f(SSL_CTX_use_PrivateKey) f(SSL_CTX_check_private_key) \
	f(SSL_CTX_set_psk_server_callback) f(SSL_CTX_set_psk_client_callback) f(SSL_CTX_set_cipher_list) \
	f(SSL_CTX_set_num_tickets) f(SSL_CTX_set_ex_data) f(SSL_new) f(SSL_free) f(SSL_set_bio) f(SSL_ctrl) \
	f(SSL_set1_host) f(SSL_accept) f(SSL_connect) f(SSL_read) f(SSL_write) f(SSL_get_error) \
	f(SSL_get1_peer_certificate) f(SSL_get_verify_result) f(SSL_set_accept_state) \
	f(SSL_set_connect_state)
struct libssl {
	LIBSSL_FUNCTIONS(LATE_MEMBER)
};

static int libssl_load(struct libssl *s, struct err *e)
{
#define SYMBOL(name) { #name, &s->name },
	const struct late_symbol symbols[] = { LIBSSL_FUNCTIONS(SYMBOL) };
	const char *missing;

	/* For all, as callbacks find it so; and for ever, as it does something when the process ends. */
	if (late_load("libssl.so.3", RTLD_GLOBAL, symbols, ARRAY_LEN(symbols), &missing))
		return 0;
	if (missing)
		return err_set(e, ERR_UNSUPPORTED, "TLS: libssl has no %s", missing);
	return err_set(e, ERR_UNSUPPORTED, "TLS: libssl.so.3 cannot be loaded");
}

/* What the library says was wrong with the last call, behind our words. */
static int ssl_error(struct err *e, enum err_code code, const char *what)
{
	unsigned long why = ERR_peek_last_error();
	const char *text = why ? ERR_reason_error_string(why) : NULL;

	ERR_clear_error();
	return err_set(e, code, "%s%s%s", what, text ? ": " : "", text ? text : "");
}

/* ---- credentials ---- */

struct psk {
	char *name;
	unsigned char key[PSK_MAX_PSK_LEN];
	unsigned len;
};

struct tls_creds {
	atomic_uint refs;
	struct libssl ssl;
	SSL_CTX *ctx;
	BIO_METHOD *method;
	bool client, certificates;
	char *username;
	struct psk *psks;
	size_t npsks;
	char **allowed;
	size_t nallowed;
};

struct tls_creds *tls_creds_ref(struct tls_creds *c)
{
	if (c)
		atomic_fetch_add(&c->refs, 1);
	return c;
}

void tls_creds_unref(struct tls_creds *c)
{
	if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	if (c->ctx)
		c->ssl.SSL_CTX_free(c->ctx);
	BIO_meth_free(c->method);
	for (size_t i = 0; i < c->npsks; i++) {
		OPENSSL_cleanse(c->psks[i].key, sizeof c->psks[i].key);
		free(c->psks[i].name);
	}
	free(c->psks);
	for (size_t i = 0; i < c->nallowed; i++)
		free(c->allowed[i]);
	free(c->allowed);
	free(c->username);
	free(c);
}

static void creds_freep(struct tls_creds **c)
{
	tls_creds_unref(*c);
}

/* ---- keys that are shared ---- */

static bool parse_hex(const char *text, struct psk *out)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	size_t n = strspn(text, digits);

	if (n == 0 || n % 2 || n / 2 > sizeof out->key || text[n])
		return false;
	for (size_t i = 0; i < n / 2; i++)
		out->key[i] = (unsigned char)((strchr(digits, text[2 * i]) - digits) % 16 << 4 |
					      (strchr(digits, text[2 * i + 1]) - digits) % 16);
	out->len = (unsigned)(n / 2);
	return true;
}

static int add_psk(struct tls_creds *c, const char *path, unsigned number, char *line, struct err *e)
{
	struct psk *more, psk = { .name = NULL };
	char *colon = strrchr(line, ':');

	line[strcspn(line, "\r\n")] = '\0';
	if (!*line || *line == '#')
		return 0;
	if (!colon || colon == line || !parse_hex(colon + 1, &psk))
		return err_set(e, ERR_USAGE, "%s: line %u is not NAME:KEY, the key in hexadecimal digits", path, number);
	*colon = '\0';
	more = alloc_resize(c->psks, c->npsks + 1, sizeof *c->psks);
	if (more)
		c->psks = more;
	psk.name = more ? alloc_strdup(line) : NULL;
	if (!psk.name)
		return err_nomem(e);
	c->psks[c->npsks++] = psk;
	OPENSSL_cleanse(&psk.key, sizeof psk.key);
	return 0;
}

static void close_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

static int load_psks(struct tls_creds *c, const char *dir, struct err *e)
{
	CLEANUP(free_ptr) char *path = alloc_printf("%s/keys.psk", dir);
	CLEANUP(close_file) FILE *f = path ? fopen(path, "re") : NULL;
	char line[2048];
	int rc = 0;

	if (!path)
		return err_nomem(e);
	if (!f)
		return err_sys(e, errno, "%s", path);
	for (unsigned n = 1; rc == 0 && n <= LIMIT_TLS_KEYS && fgets(line, sizeof line, f); n++)
		rc = add_psk(c, path, n, line, e);
	OPENSSL_cleanse(line, sizeof line);
	if (rc == 0 && c->npsks == 0)
		rc = err_set(e, ERR_USAGE, "%s: there is no key in it", path);
	return rc;
}

static const struct psk *find_psk(const struct tls_creds *c, const char *name)
{
	for (size_t i = 0; i < c->npsks; i++)
		if (strcmp(c->psks[i].name, name) == 0)
			return &c->psks[i];
	return NULL;
}

/* Whose session it is: all that a callback is given. */
static const struct tls_creds *creds_of(SSL *s)
{
	__typeof__(SSL_get_SSL_CTX) *ctx_of;
	__typeof__(SSL_CTX_get_ex_data) *data_of;
	const struct late_symbol symbols[] = { { "SSL_get_SSL_CTX", &ctx_of }, { "SSL_CTX_get_ex_data", &data_of } };

	if (late_find(RTLD_DEFAULT, symbols, ARRAY_LEN(symbols)))
		return NULL;
	return data_of(ctx_of(s), 0);
}

static unsigned psk_of_client(SSL *s, const char *name, unsigned char *key, unsigned max)
{
	const struct tls_creds *c = creds_of(s);
	const struct psk *psk = c && name ? find_psk(c, name) : NULL;

	if (!psk || psk->len > max)
		return 0;
	memcpy(key, psk->key, psk->len);
	return psk->len;
}

static unsigned psk_for_server(SSL *s, const char *hint, char *name, unsigned max_name, unsigned char *key, unsigned max)
{
	const struct tls_creds *c = creds_of(s);
	const struct psk *psk = c ? find_psk(c, c->username) : NULL;

	(void)hint;
	if (!psk || psk->len > max || strlen(psk->name) + 1 > max_name)
		return 0;
	memcpy(name, psk->name, strlen(psk->name) + 1);
	memcpy(key, psk->key, psk->len);
	return psk->len;
}

static int use_psks(struct tls_creds *c, const struct tls_how *how, struct err *e)
{
	int rc = load_psks(c, how->dir, e);

	if (rc < 0)
		return rc;
	c->username = alloc_strdup(how->username ? how->username : "qemu");
	if (!c->username)
		return err_nomem(e);
	if (how->client && !find_psk(c, c->username))
		return err_set(e, ERR_NOT_FOUND, "%s/keys.psk: there is no key of the name \"%s\"", how->dir, c->username);
	if (how->client)
		c->ssl.SSL_CTX_set_psk_client_callback(c->ctx, psk_for_server);
	else
		c->ssl.SSL_CTX_set_psk_server_callback(c->ctx, psk_of_client);
	/* Those of TLS 1.2; 1.3 has its own. */
	return c->ssl.SSL_CTX_set_cipher_list(c->ctx, "ECDHE-PSK:DHE-PSK:PSK:!eNULL") == 1
		       ? 0
		       : ssl_error(e, ERR_SYSTEM, "no cipher with shared keys");
}

/* ---- certificates ---- */

static int passphrase_for(char *buf, int size, int writing, void *arg)
{
	const char *text = arg;

	(void)writing;
	if (!text || strlen(text) > (size_t)size)
		return -1;
	memcpy(buf, text, strlen(text));
	return (int)strlen(text);
}

static int load_key(struct tls_creds *c, const char *path, const char *passphrase, struct err *e)
{
	CLEANUP(close_file) FILE *f = fopen(path, "re");
	EVP_PKEY *key;
	int ok;

	if (!f)
		return err_sys(e, errno, "%s", path);
	key = PEM_read_PrivateKey(f, NULL, passphrase_for, (void *)(uintptr_t)passphrase);
	if (!key) {
		ERR_clear_error();
		return err_set(e, ERR_USAGE, "%s: no private key, or one that needs another passphrase", path);
	}
	ok = c->ssl.SSL_CTX_use_PrivateKey(c->ctx, key) == 1 && c->ssl.SSL_CTX_check_private_key(c->ctx) == 1;
	EVP_PKEY_free(key);
	return ok ? 0 : ssl_error(e, ERR_USAGE, path);
}

/* Certificates of authorities, or what they have revoked. */
static int load_trusted(struct tls_creds *c, const char *path, int (*load)(X509_LOOKUP *, const char *, int), struct err *e)
{
	X509_LOOKUP *lookup = X509_STORE_add_lookup(c->ssl.SSL_CTX_get_cert_store(c->ctx), X509_LOOKUP_file());

	if (access(path, R_OK) < 0)
		return err_sys(e, errno, "%s", path);
	return lookup && load(lookup, path, X509_FILETYPE_PEM) > 0 ? 0 : ssl_error(e, ERR_USAGE, path);
}

static int use_certificates(struct tls_creds *c, const struct tls_how *how, struct err *e)
{
	const char *own = how->client ? "client" : "server";
	CLEANUP(free_ptr) char *ca = alloc_printf("%s/ca-cert.pem", how->dir);
	CLEANUP(free_ptr) char *crl = alloc_printf("%s/ca-crl.pem", how->dir);
	CLEANUP(free_ptr) char *cert = alloc_printf("%s/%s-cert.pem", how->dir, own);
	CLEANUP(free_ptr) char *key = alloc_printf("%s/%s-key.pem", how->dir, own);
	int rc;

	if (!ca || !crl || !cert || !key)
		return err_nomem(e);
	rc = load_trusted(c, ca, X509_load_cert_file, e);
	if (rc == 0 && access(crl, F_OK) == 0) {
		rc = load_trusted(c, crl, X509_load_crl_file, e);
		X509_STORE_set_flags(c->ssl.SSL_CTX_get_cert_store(c->ctx), X509_V_FLAG_CRL_CHECK);
	}
	if (rc < 0)
		return rc;
	if (access(cert, R_OK) < 0 && (!how->client || errno != ENOENT))
		return err_sys(e, errno, "%s", cert);
	if (access(cert, R_OK) == 0) {
		if (c->ssl.SSL_CTX_use_certificate_chain_file(c->ctx, cert) != 1)
			return ssl_error(e, ERR_USAGE, cert);
		rc = load_key(c, key, how->passphrase, e);
		if (rc < 0)
			return rc;
	}
	if (how->client || !how->any_client)
		c->ssl.SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	c->certificates = true;
	return 0;
}

/* ---- the socket, as OpenSSL sees it: no call waits, none raises a signal ---- */

static int bio_read(BIO *b, char *buf, int len)
{
	ssize_t n;

	BIO_clear_retry_flags(b);
	do
		n = recv((int)(intptr_t)BIO_get_data(b), buf, (size_t)len, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		BIO_set_retry_read(b);
	return (int)n;
}

static int bio_write(BIO *b, const char *buf, int len)
{
	ssize_t n;

	BIO_clear_retry_flags(b);
	do
		n = send((int)(intptr_t)BIO_get_data(b), buf, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		BIO_set_retry_write(b);
	return (int)n;
}

static long bio_ctrl(BIO *b, int what, long n, void *p)
{
	(void)b;
	(void)n;
	(void)p;
	return what == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *b)
{
	BIO_set_init(b, 1);
	return 1;
}

static BIO_METHOD *socket_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "a socket that does not wait");

	if (m && BIO_meth_set_read(m, bio_read) == 1 && BIO_meth_set_write(m, bio_write) == 1 &&
	    BIO_meth_set_ctrl(m, bio_ctrl) == 1 && BIO_meth_set_create(m, bio_create) == 1)
		return m;
	BIO_meth_free(m);
	return NULL;
}

/* ---- making them ---- */

static int copy_allowed(struct tls_creds *c, const struct tls_how *how, struct err *e)
{
	if (how->nallowed == 0)
		return 0;
	c->allowed = alloc_array(how->nallowed, sizeof *c->allowed);
	for (size_t i = 0; c->allowed && i < how->nallowed; i++) {
		c->allowed[i] = alloc_strdup(how->allowed[i]);
		if (!c->allowed[i])
			return err_nomem(e);
		c->nallowed++;
	}
	return c->allowed ? 0 : err_nomem(e);
}

int tls_creds_new(const struct tls_how *how, struct tls_creds **out, struct err *e)
{
	CLEANUP(creds_freep) struct tls_creds *c = NULL;
	int rc;

	c = alloc_zero(sizeof *c);
	if (!c)
		return err_nomem(e);
	c->refs = 1;
	rc = libssl_load(&c->ssl, e);
	if (rc < 0)
		return rc;
	c->client = how->client;
	c->method = socket_method();
	c->ctx = c->ssl.SSL_CTX_new(how->client ? c->ssl.TLS_client_method() : c->ssl.TLS_server_method());
	if (!c->ctx || !c->method)
		return ssl_error(e, ERR_SYSTEM, "TLS cannot be set up");
	c->ssl.SSL_CTX_ctrl(c->ctx, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
	c->ssl.SSL_CTX_ctrl(c->ctx, SSL_CTRL_MODE,
			 SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS, NULL);
	c->ssl.SSL_CTX_ctrl(c->ctx, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, NULL);
	c->ssl.SSL_CTX_ctrl(c->ctx, SSL_CTRL_SET_DH_AUTO, 1, NULL);
	/* Clients come once.  One that ends without a word of TLS has ended; NBD tells by itself what was cut off. */
	c->ssl.SSL_CTX_set_num_tickets(c->ctx, 0);
	c->ssl.SSL_CTX_set_options(c->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_IGNORE_UNEXPECTED_EOF);
	c->ssl.SSL_CTX_set_ex_data(c->ctx, 0, c);
	rc = how->psk ? use_psks(c, how, e) : use_certificates(c, how, e);
	if (rc == 0)
		rc = copy_allowed(c, how, e);
	if (rc == 0)
		*out = take(c);
	return rc;
}

/* ---- sessions ---- */

struct tls {
	struct tls_creds *creds;
	/* OpenSSL's object is for one thread at a time.  It never waits, so that a reader and a writer share it well. */
	pthread_mutex_t lock;
	SSL *ssl;
};

void tls_free(struct tls *t)
{
	if (!t)
		return;
	if (t->ssl)
		t->creds->ssl.SSL_free(t->ssl);
	tls_creds_unref(t->creds);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

int tls_new(struct tls_creds *c, int fd, const char *hostname, struct tls **out, struct err *e)
{
	struct tls *t = alloc_zero(sizeof *t);
	BIO *bio;

	if (!t)
		return err_nomem(e);
	pthread_mutex_init(&t->lock, NULL);
	t->creds = tls_creds_ref(c);
	t->ssl = c->ssl.SSL_new(c->ctx);
	bio = t->ssl ? BIO_new(c->method) : NULL;
	if (!bio) {
		tls_free(t);
		return ssl_error(e, ERR_NOMEM, "TLS cannot be set up");
	}
	BIO_set_data(bio, (void *)(intptr_t)fd);
	c->ssl.SSL_set_bio(t->ssl, bio, bio);
	if (c->client)
		c->ssl.SSL_set_connect_state(t->ssl);
	else
		c->ssl.SSL_set_accept_state(t->ssl);
	if (c->client && hostname && c->certificates) {
		c->ssl.SSL_set1_host(t->ssl, hostname);
		c->ssl.SSL_ctrl(t->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)hostname);
	}
	*out = t;
	return 0;
}

/* Under the lock: what a call that gave n wants; 0: nothing would help. */
static short wanted(struct tls *t, int n)
{
	int why = t->creds->ssl.SSL_get_error(t->ssl, n);

	ERR_clear_error();
	return why == SSL_ERROR_WANT_READ ? POLLIN : why == SSL_ERROR_WANT_WRITE ? POLLOUT : 0;
}

static int judge_peer(struct tls *t, struct err *e)
{
	CLEANUP(free_ptr) char *name = t->creds->nallowed ? tls_peer(t) : NULL;

	if (!t->creds->nallowed)
		return 0;
	for (size_t i = 0; name && i < t->creds->nallowed; i++)
		if (strcmp(name, t->creds->allowed[i]) == 0)
			return 0;
	return err_set(e, ERR_POLICY, "TLS: a client of the name \"%s\" is not allowed", name ? name : "");
}

static int handshake_error(struct tls *t, unsigned long why, struct err *e)
{
	long verify = t->creds->certificates ? t->creds->ssl.SSL_get_verify_result(t->ssl) : X509_V_OK;
	const char *text = why ? ERR_reason_error_string(why) : NULL;

	if (verify != X509_V_OK)
		return err_set(e, ERR_POLICY, "TLS: the other side's certificate: %s", X509_verify_cert_error_string(verify));
	return err_set(e, ERR_POLICY, "TLS: %s", text ? text : "the other side has ended the handshake");
}

int tls_handshake(struct tls *t, short *want, struct err *e)
{
	unsigned long why = 0;
	int n;

	*want = 0;
	pthread_mutex_lock(&t->lock);
	ERR_clear_error();
	n = t->creds->client ? t->creds->ssl.SSL_connect(t->ssl) : t->creds->ssl.SSL_accept(t->ssl);
	if (n != 1) {
		why = ERR_peek_last_error();
		*want = wanted(t, n);
	}
	pthread_mutex_unlock(&t->lock);
	if (n == 1)
		return judge_peer(t, e);
	return *want ? 1 : handshake_error(t, why, e);
}

ssize_t tls_recv(struct tls *t, void *buf, size_t len, short *want)
{
	int n;

	*want = 0;
	pthread_mutex_lock(&t->lock);
	n = t->creds->ssl.SSL_read(t->ssl, buf, (int)MIN_OF(len, (size_t)INT_MAX));
	if (n <= 0) {
		int why = t->creds->ssl.SSL_get_error(t->ssl, n);

		*want = wanted(t, n);
		n = why == SSL_ERROR_ZERO_RETURN ? 0 : -1;
	}
	pthread_mutex_unlock(&t->lock);
	return n;
}

ssize_t tls_send(struct tls *t, const void *buf, size_t len, short *want)
{
	int n;

	*want = 0;
	pthread_mutex_lock(&t->lock);
	n = t->creds->ssl.SSL_write(t->ssl, buf, (int)MIN_OF(len, (size_t)INT_MAX));
	if (n <= 0) {
		*want = wanted(t, n);
		n = -1;
	}
	pthread_mutex_unlock(&t->lock);
	return n;
}

char *tls_peer(struct tls *t)
{
	X509 *cert = t->creds->ssl.SSL_get1_peer_certificate(t->ssl);
	BIO *text = cert ? BIO_new(BIO_s_mem()) : NULL;
	const unsigned long flags = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
	char *out = NULL, *bytes;
	long len;

	if (text && X509_NAME_print_ex(text, X509_get_subject_name(cert), 0, flags) >= 0) {
		len = BIO_get_mem_data(text, &bytes);
		out = len > 0 ? alloc_strndup(bytes, (size_t)len) : NULL;
	}
	BIO_free(text);
	X509_free(cert);
	return out;
}
