/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* convert.h - a whole conversion: a target is made, filled, made stable, and only then gets its name. */
#ifndef DRYDOCK_CONVERT_H
#define DRYDOCK_CONVERT_H

#include "copy.h"

/* Options of create, judged and completed: see convert_plan_create(). */
struct create_plan {
	const char *format;
	const struct dict *opts; /* NULL: none */
	const struct block_policy *policy;
	bool no_backing; /* do not look at the backing file */
	const struct secrets *secrets; /* what key-secret options name; NULL: none */
};

/*
 * Checks the options of a new image at path; numbers and switches are written in one way, a missing "size" becomes
 * the backing file's.  out is dict_free()d by the caller, on failure too.
 */
int convert_plan_create(const char *path, const struct create_plan *plan, struct dict *out, struct err *e);
/* A new empty image, which appears whole and stable or not at all (target.h). */
int convert_create(const char *path, const struct create_plan *plan, struct err *e);

enum convert_stage {
	CONVERT_PREPARE,
	CONVERT_CREATE,
	CONVERT_OPEN,
	CONVERT_MAP,
	CONVERT_READ,
	CONVERT_WRITE,
	CONVERT_FINISH,
	CONVERT_DONE,
};

struct convert {
	/* Its target, target_is_zero, over_backing, base and share are filled in here. */
	struct copy_job copy;
	const char *target;
	bool to_stream; /* into out_fd, which stays the caller's; target is not looked at */
	int out_fd;
	const char *format;	 /* NULL with keep: guess */
	const struct dict *opts; /* of create; with keep: of opening */
	const struct block_policy *policy;
	const struct secrets *secrets; /* what key-secret options name; NULL: none */
	unsigned open_flags;	 /* BLOCK_DIRECT, _WRITETHROUGH, _UNSAFE, _GUESS_WRITE for the target */
	bool keep;		 /* write into what is there */
	void (*notice)(void *arg, const char *sentence); /* with keep: as in struct block_open; NULL: nobody is told */
	void *notice_arg;
	bool keep_is_zero;
	bool bitmaps;		 /* the only source's bitmaps go into the target */
	bool skip_broken;	 /* but for those that are inconsistent, which else are ERR_CORRUPT */
	bool verify; /* read the target back and compare */
	/*
	 * Keep a journal (resume.h), leave what is done when the conversion does not end well, and go on from where an
	 * earlier one was.  resume_note: what tells sources apart that are the same files (a snapshot); NULL: nothing.
	 */
	bool resume;
	const char *resume_note;
};
struct convert_result {
	enum convert_stage stage;
	struct copy_result copy;
	uint64_t resumed; /* all before it was in the target already */
};

int convert_run(const struct convert *how, struct convert_result *result, struct err *e);

#endif
