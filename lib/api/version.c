/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api.h"

#ifndef DRYDOCK_VERSION
#error "the Makefile passes -DDRYDOCK_VERSION"
#endif

const char *dry_version(void)
{
	return DRYDOCK_VERSION;
}

void api_err_copy(struct api_err *a)
{
	if (!a->out)
		return;
	a->out->code = (enum dry_code)a->err.code;
	a->out->sys_errno = a->err.sys_errno;
	/* Success, the answer of most calls, need not copy a thousand bytes. */
	if (a->err.code == ERR_NONE)
		a->out->msg[0] = '\0';
	else
		memcpy(a->out->msg, a->err.msg, sizeof a->out->msg);
}
