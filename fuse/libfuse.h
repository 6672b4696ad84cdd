/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libfuse.h - libfuse3, loaded when it is needed, so that no other command pays for its start. */
#ifndef DRYDOCK_LIBFUSE_H
#define DRYDOCK_LIBFUSE_H

#include "late.h"

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

/* What is used of it, by its own types. */
#define LIBFUSE_FUNCTIONS(f)                                                                                           \
	f(fuse_session_new) f(fuse_session_mount) f(fuse_session_unmount) f(fuse_session_destroy) f(fuse_session_fd)   \
		f(fuse_session_receive_buf) f(fuse_session_process_buf) f(fuse_session_exited) f(fuse_opt_add_arg)     \
			f(fuse_opt_free_args) f(fuse_lowlevel_help) f(fuse_pkgversion) f(fuse_req_userdata)            \
				f(fuse_req_ctx) f(fuse_reply_err) f(fuse_reply_none) f(fuse_reply_entry)               \
					f(fuse_reply_attr) f(fuse_reply_readlink) f(fuse_reply_open) f(fuse_reply_buf) \
						f(fuse_reply_data) f(fuse_reply_statfs) f(fuse_reply_xattr)            \
							f(fuse_reply_lseek) f(fuse_reply_write) f(fuse_reply_create)   \
								f(fuse_add_direntry) f(fuse_add_direntry_plus)
struct libfuse {
	LIBFUSE_FUNCTIONS(LATE_MEMBER)
};

/* NULL and *why, a sentence without an end, when it is not there; from one thread, before there are others. */
const struct libfuse *libfuse_load(const char **why);

#endif
