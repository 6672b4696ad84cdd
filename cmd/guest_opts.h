/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_opts.h - what every command that looks into guests shares: its options, IMAGE:/path operands, opening, and the
 * confinement that comes before the first look.
 */
#ifndef DRYDOCK_GUEST_OPTS_H
#define DRYDOCK_GUEST_OPTS_H

#include "cmd.h"
#include "guest_keys.h"
#include "image.h"

struct guest_opts {
	struct opt_list images, mounts, domains;
	const char *uri; /* of libvirt; NULL: where it looks by itself */
	struct image_how image;
	struct guest_keys keys;
	int confine; /* enum dry_confinement */
	int engine;  /* enum dry_engine */
	int backend; /* enum dry_backend */
	struct dry_machines_how machine; /* further wishes about it */
	bool needs_machine; /* nothing can be done without */
	bool writes;	    /* set by guest_set_open(): the images themselves are written to */
	bool verbose;
};

extern const char *const confine_words[]; /* in the order of enum dry_confinement */
extern const char *const engine_words[];  /* of enum dry_engine */
extern const char *const backend_words[]; /* of enum dry_backend */

#define GUEST_OPTS_ENGINE(o)                                                                                           \
	OPT_CHOICE(0, "engine", "auto|direct|appliance", &(o)->engine, engine_words,                                    \
		   "who reads filesystems: drydock itself, or Linux in a small machine"),                               \
	OPT_CHOICE(0, "appliance", "auto|kvm|uml|tcg", &(o)->backend, backend_words, "what that machine runs on")
#define GUEST_OPTS(o)                                                                                                  \
	OPT_LIST('a', "add", "IMAGE", &(o)->images, "a disk of the guest; repeat it for more disks"),                  \
	IMAGE_OPT_FORMAT(&(o)->image), IMAGE_OPT_ALLOW(&(o)->image), IMAGE_OPT_SHARE(&(o)->image),                     \
	GUEST_KEYS_OPTS(&(o)->keys),                                                                                   \
	OPT_CHOICE(0, "confine", "best|required|off", &(o)->confine, confine_words, "give up rights before reading"),  \
	GUEST_OPTS_ENGINE(o),                                                                                          \
	OPT_FLAG('v', "verbose", &(o)->verbose, "tell what was mounted, confined, recovered")
#define GUEST_OPT_MOUNT(o)                                                                                             \
	OPT_LIST('m', "mount", "DEV[:DIR[:OPTS[:TYPE]]]", &(o)->mounts, "mount this; nothing is mounted by itself then")

/* For commands whose own -d is another option: LETTER is 0 then. */
#define GUEST_OPT_DOMAIN(o, letter)                                                                                    \
	OPT_LIST(letter, "domain", "DOMAIN", &(o)->domains, "a libvirt domain, by name or UUID, or a file of its XML"), \
	OPT_STRING('c', "connect", "URI", &(o)->uri, "the libvirt that knows the domains")

void guest_opts_free(struct guest_opts *o); /* for CLEANUP */

/* One guest: an operand's image, all of -a, or a domain's disks. */
struct guest_ref {
	const char *label; /* its (first) image, as the user wrote it; the domain's name */
	const char **images;
	const char **formats; /* NULL: all as the option says */
	size_t nimages;
	const char *snapshot; /* of its images, an internal one; NULL: the present */
	struct dry_guest *guest; /* NULL: could not be opened, and that was said */
	struct dry_guest **more; /* the same guest again, as often as the set's `handles` says */
	size_t nmore;
	struct guest_lane *lane; /* guest_run.h: where what is printed goes; NULL: straight out */
	bool mounted, failed;
};
/* One operand. */
struct guest_item {
	size_t guest;
	const char *path; /* in the guest; NULL: the operand was an image alone */
};
struct guest_set {
	struct guest_ref *guests;
	size_t nguests;
	struct guest_item *items;
	size_t nitems;
	char **texts; /* pieces of operands */
	size_t ntexts;
	struct dry_machines *machines; /* for all of them, by guest_set_open(); NULL: there are none, or they are not wanted */
	unsigned handles; /* for threads that work on one guest: it is opened so many times; 0: once */
};
/* What is said where dry_guest_written() is not NULL. */
#define GUEST_WRITTEN "it was written to while it was read: what is shown may be of different moments"
void guest_set_free(struct guest_set *s); /* for CLEANUP */
/* Closes all handles of one guest. */
void guest_close(struct guest_ref *g);

/*
 * Operands that are images: each a guest of its own, or with -a and -d none.  Operands that are IMAGE[:/PATH], or with -a
 * and -d paths, in each of the domains.  Return 0, or the exit status with a sentence printed.
 */
int guest_set_images(const char *verb, const struct guest_opts *o, int argc, char **argv, struct guest_set *s);
int guest_set_paths(const char *verb, const struct guest_opts *o, int argc, char **argv, struct guest_set *s);
/* One guest of those images and formats (NULL: guess), copied.  0, or EXIT_FAILED with a sentence printed. */
int guest_set_add(struct guest_set *s, const char *const *images, const char *const *formats, size_t n);
/* Adds the guest that a domain is: 0, or EXIT_FAILED with a sentence printed. */
struct domain;
int guest_set_domain(struct guest_set *s, const struct domain *d);
/* Splits "IMAGE:/path" or "IMAGE:path": the length of IMAGE, or 0 when it is an image alone. */
size_t guest_split(const char *operand);

/* "DEV[:DIR[:OPTS[:TYPE]]]", split where it stands; a field that is not there is NULL, DIR then "/". */
struct mount_spec {
	char *device, *dir, *opts, *type;
};
void guest_mount_split(char *text, struct mount_spec *out);
/* The first mount option in a list that is not known: its length and *name, or 0 when all are. */
size_t guest_mount_unknown(const char *opts, const char **name);
/*
 * The texts of -m as mounts: both arrays have room for all, copies is what the mounts point into, to be freed one by one.  0, or
 * EXIT_FAILED when memory is out.
 */
int guest_mounts_split(const struct opt_list *texts, struct dry_shell_mount *mounts, char **copies);
/* Are all mount options in such a text known?  0, or the exit status with a sentence printed. */
int guest_mount_check(const char *text);
/* Mounts what such a text names: 0, or < 0 with *e filled. */
int guest_mount_given(struct dry_guest *g, const char *text, struct dry_error *e);
/* The type of filesystem of the volume that a DEV names, where it is named by its own name; NULL: not known. */
const char *guest_mount_type(struct dry_guest *g, const char *device);

/*
 * Is the volume one whose files can be read only if a machine comes up that nobody asked for?  Then it is no failure when none
 * does.
 */
bool guest_volume_may_fail(const struct guest_opts *o, const struct dry_volume *v);

struct guest_confine {
	int write_dir;	  /* -1: none */
	uint64_t seconds; /* 0: no limit */
	bool trust_backing; /* follow every backing file, as the peers do */
	unsigned image_flags; /* DRY_OPEN_WRITE, DRY_OPEN_TEMPORARY: images are opened before the process is confined */
	const char *scratch;  /* an image of this name is thrown away whatever the flags say; NULL: none */
	bool shell;	      /* the terminal will be used */
	/* What may be written to the images of the one guest is thrown away; where there is no appliance, nothing can be. */
	bool throwaway;
	bool mount;	      /* a FUSE filesystem will be served */
	const char *undo;     /* with DRY_OPEN_CHANGE: as struct dry_guest_open has it; NULL: none */
	const char *const *read_paths; /* with image_flags: files and folders that may still be opened for reading */
	size_t nread;
};
/*
 * Opens the images of all guests and confines the process.  An image that cannot be opened is told and leaves its guest
 * NULL: then the answer is EXIT_FAILED, yet the others can be worked on.  *fatal: nothing may be done.
 */
int guest_set_open(struct guest_opts *o, const struct guest_confine *c, struct guest_set *s, bool *fatal);
/* Mounts what is asked for, once; NULL with a sentence printed (the first time) when it cannot be. */
struct dry_guest *guest_ready(const struct guest_opts *o, struct guest_set *s, size_t guest);
/* "drydock: LABEL: " and a sentence on stderr, when it is the guest's turn. */
__attribute__((format(printf, 2, 3))) void guest_say(const struct guest_ref *g, const char *fmt, ...);
/* The same with the error's message; returns EXIT_FAILED. */
int guest_fail(const struct guest_ref *g, const struct dry_error *e);
/* The same with the path of the file of which the message does not tell the name. */
int guest_fail_file(const struct guest_ref *g, const char *path, const struct dry_error *e);
/* Mounts in one handle of the guest what is asked for: 0, or < 0 with *e filled. */
int guest_mount_asked(const struct guest_opts *o, struct dry_guest *g, struct dry_error *e);
/* The guest's warnings, and with -v its notes; without, volumes that the keys which were given do not open. */
void guest_notes(const struct guest_opts *o, const struct guest_ref *g);

#endif
