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
	HOST_PACK,   /* program, file, command behind it or ""; DATA and END follow */
	HOST_UNPACK, /* folder, name, "d" of a folder; the same */
	HOST_LINE,   /* nothing: the next line of the script, or its words; status: its number, 0: there is none */
	HOST_ONLY,   /* of each a letter for its kind and the text: from now on nothing else, but what lines ask for */
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

struct host_script;
/* The process's life; script NULL: there is none. */
_Noreturn void host_serve(int fd, const struct host_script *script);

#endif
