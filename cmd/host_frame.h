/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host_frame.h - how host_side.c and the process behind it, host_serve.c, talk: frames of a kind and bytes. */
#ifndef DRYDOCK_HOST_FRAME_H
#define DRYDOCK_HOST_FRAME_H

#include "drydock.h"

#include <stdbool.h>
#include <stddef.h>

enum host_frame {
	/* questions; texts end at a NUL each */
	HOST_OPEN,   /* path */
	HOST_TREE,   /* flags in decimal, then path and name of each */
	HOST_OUTPUT, /* command */
	HOST_CREATE, /* path; DATA and END follow */
	HOST_PIPE,   /* command; the same */
	HOST_EDIT,   /* name; the same */
	HOST_RUN,    /* command */
	HOST_CHDIR,  /* path */
	HOST_SETENV, /* name, and a value or none */
	/* in either direction */
	HOST_DATA,
	HOST_END, /* struct host_end; as an end of DATA that goes there: nothing */
};
struct host_end {
	int code, sys_errno; /* enum dry_code */
	int status;	     /* of a command; of an editor: whether the text was changed */
	char msg[500];
};

/* No frame is longer. */
#define HOST_FRAME_MAX (256u << 10)

bool host_send(int fd, enum host_frame kind, const void *bytes, size_t len);
/* What the next frame is; its bytes are to be read with host_receive_bytes().  false: the other side is gone. */
bool host_receive(int fd, enum host_frame *kind, size_t *len);
bool host_receive_bytes(int fd, void *buf, size_t len);

/* The process's life. */
_Noreturn void host_serve(int fd);

#endif
