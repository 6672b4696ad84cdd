/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return -(int)code;
	e->code = code;
	e->sys_errno = 0;
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	return -(int)code;
}

/* strerror() is not thread-safe; the GNU strerror_r() returns its text without touching shared state. */
static const char *errno_text(int errnum, char *buf, size_t size)
{
#ifdef __GLIBC__
	return strerror_r(errnum, buf, size);
#else
	if (strerror_r(errnum, buf, size) != 0)
		snprintf(buf, size, "error %d", errnum);
	return buf;
#endif
}

int err_sys(struct err *e, int errnum, const char *fmt, ...)
{
	char text[128];
	size_t used;
	va_list ap;

	if (!e)
		return -(int)ERR_SYSTEM;
	e->code = ERR_SYSTEM;
	e->sys_errno = errnum;
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	used = strlen(e->msg);
	snprintf(e->msg + used, sizeof e->msg - used, ": %s", errno_text(errnum, text, sizeof text));
	return -(int)ERR_SYSTEM;
}

int err_nomem(struct err *e)
{
	return err_set(e, ERR_NOMEM, "out of memory");
}

int err_in(struct err *e, int rc, const char *fmt, ...)
{
	static const char gap[] = "...";
	char context[sizeof e->msg / 2];
	size_t len, old, room, skip = 0;
	va_list ap;

	if (!e)
		return rc;
	va_start(ap, fmt);
	vsnprintf(context, sizeof context - 2, fmt, ap);
	va_end(ap);
	len = strlen(context);
	memcpy(context + len, ": ", 2);
	len += 2;
	old = strlen(e->msg);
	room = sizeof e->msg - 1 - len;
	if (old > room) {
		skip = old - room;
		memcpy(e->msg + skip, gap, strlen(gap));
	}
	memmove(e->msg + len, e->msg + skip, old - skip + 1);
	memcpy(e->msg, context, len);
	return rc;
}

void err_clear(struct err *e)
{
	if (!e)
		return;
	e->code = ERR_NONE;
	e->sys_errno = 0;
	e->msg[0] = '\0';
}

const char *err_code_name(enum err_code code)
{
	static const char *const names[] = {
		[ERR_NONE] = "none",	     [ERR_USAGE] = "usage",	[ERR_SYSTEM] = "system",
		[ERR_NOMEM] = "nomem",	     [ERR_NOT_FOUND] = "not-found", [ERR_CORRUPT] = "corrupt",
		[ERR_UNSUPPORTED] = "unsupported", [ERR_LIMIT] = "limit", [ERR_POLICY] = "policy",
		[ERR_CANCELED] = "canceled",
	};

	return (size_t)code < sizeof names / sizeof *names ? names[code] : "unknown";
}

int err_errno(const struct err *e)
{
	switch (e->code) {
	case ERR_NONE:
		return 0;
	case ERR_USAGE:
		return EINVAL;
	case ERR_SYSTEM:
		return e->sys_errno ? e->sys_errno : EIO;
	case ERR_NOMEM:
		return ENOMEM;
	case ERR_NOT_FOUND:
		return ENOENT;
	case ERR_CORRUPT:
		return EIO;
	case ERR_UNSUPPORTED:
		return EOPNOTSUPP;
	case ERR_LIMIT:
		return EFBIG;
	case ERR_POLICY:
		return EACCES;
	case ERR_CANCELED:
		return ECANCELED;
	}
	return EIO;
}
