/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image.h - what the commands on images have in common: opening them, and the options for that. */
#ifndef DRYDOCK_CMD_IMAGE_H
#define DRYDOCK_CMD_IMAGE_H

#include "cmd.h"

/* What the user said about opening; zeroed to begin with. */
struct image_how {
	const char *format;
	bool force_share;
	struct opt_list allow; /* --allow-backing */
	const char *snapshot;
	const char *cache;
	struct opt_list objects, secret_files, open; /* --object, --secret, --open */
};

#define IMAGE_OPT_FORMAT(how) OPT_STRING('f', "format", "FMT", &(how)->format, "format of the image (guessed if not given)")
#define IMAGE_OPT_SHARE(how)                                                                                           \
	OPT_FLAG('U', "force-share", &(how)->force_share, "read although another process is writing to it")
#define IMAGE_OPT_ALLOW(how)                                                                                           \
	OPT_LIST(0, "allow-backing", "PATH", &(how)->allow,                                                            \
		 "file or folder that images may name, any, or none (the image's folder)")
#define IMAGE_OPT_SNAPSHOT(how)                                                                                        \
	OPT_STRING('l', "snapshot", "SNAP", &(how)->snapshot, "read this internal snapshot, by id or name")

#define IMAGE_OPT_NEW_SECRETS(how)                                                                                     \
	OPT_LIST(0, "secret", "ID=FILE", &(how)->secret_files, "a passphrase or key: what the file holds"),            \
		OPT_LIST(0, "object", "TEXT", &(how)->objects, "the same as secret,id=ID,file=FILE or data=TEXT, ...")
#define IMAGE_OPT_SECRETS(how)                                                                                         \
	OPT_LIST(0, "open", "K=V,...", &(how)->open, "further options of opening the image (encrypt.key-secret=ID)"),  \
		IMAGE_OPT_NEW_SECRETS(how)

/* What --object and --secret give, for the caller to free; NULL: nothing.  EXIT_DONE, else a sentence was printed. */
int image_secrets_of(const struct image_how *how, struct dry_secrets **out);
void image_secretsp(struct dry_secrets **s); /* for CLEANUP */
void image_how_free(struct image_how *how); /* for CLEANUP */
/* The policy that --allow-backing makes; lent parts belong to how. */
struct dry_policy image_policy_of(const struct image_how *how);
/* A flag for image_open(): "-" is standard input. */
#define IMAGE_STREAM (1u << 31)
/* Opens an image with DRY_OPEN_* flags; a failure is printed and its exit status returned, else EXIT_DONE. */
int image_open(const char *name, const struct image_how *how, unsigned flags, struct dry_image **out);
/* How image_open() would open it; *opts (what --open says) and *secrets are the caller's to free. */
int image_how_to_open(const struct image_how *how, unsigned flags, struct dry_open *out, struct dry_opts **opts,
		      struct dry_secrets **secrets);
/* For CLEANUP. */
void image_closep(struct dry_image **img);
void image_optsp(struct dry_opts **opts);

/* The format that a new image's name speaks of ("web.qcow2"), NULL when it speaks of none. */
const char *image_format_of_name(const char *name);
/* Parses every -o text into new options; *help: one of them was "help".  EXIT_DONE, else a sentence was printed. */
int image_create_opts(const char *verb, const struct opt_list *texts, struct dry_opts **out, bool *help);
/* Prints the options of a format's create. */
int image_print_create_opts(const char *verb, const char *format);

#endif
