/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virt_ls.h - between virt_ls.c and the lines it prints; virt-diff prints the same ones. */
#ifndef DRYDOCK_VIRT_LS_H
#define DRYDOCK_VIRT_LS_H

#include "digest.h"
#include "pair.h"
#include "virt.h"

enum virt_ls_time { VIRT_LS_DATE, VIRT_LS_TIME_T, VIRT_LS_RELATIVE, VIRT_LS_DAYS };

struct virt_ls {
	struct virt virt;
	struct dry_guest *guest; /* whose files are printed, lent */
	bool is_long, recursive, csv, human, uids, times, extra;
	enum virt_ls_time time_style;
	const char *checksum;
	enum digest_kind digest;
	bool digest_known;
	void *buf;	    /* with checksum */
	int64_t now;
	const char *start; /* of -lR, as it is printed */
	bool start_printed;
	/* Of virt-diff: */
	char mark;	/* the first field; 0: none */
	bool no_atime;	/* times are two */
	const struct pair_xattrs *xattrs; /* the last fields; NULL: none */
};

/* Before the first file: the clock, buffers.  VIRT_GO_ON or the exit status. */
int virt_ls_prepare(struct virt_ls *l);
/* One field of comma separated values, or of text. */
void virt_ls_text(const struct virt_ls *l, struct strbuf *out, const char *text);
/* A record of -lR; false-like 0, or EXIT_FAILED with the failure told. */
int virt_ls_record(struct virt_ls *l, const struct dry_entry *ent);
/* A directory as "ls -la" prints it. */
int virt_ls_long(struct virt_ls *l, const char *path);

#endif
