/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virt.h - what virt-ls, virt-cat, virt-df, virt-filesystems and their like share: their common options, opening, mounting,
 * and the words in which they fail.
 *
 * A script that was written for one of them finds here the same options, output and exit status.  Domains are asked of libvirt
 * where its client library is installed, and a file of domain XML is taken for one.
 */
#ifndef DRYDOCK_VIRT_H
#define DRYDOCK_VIRT_H

#include "domain.h"
#include "guest_opts.h"

#include <getopt.h>

/* The release of the peers whose options and output these tools follow. */
#define VIRT_VERSION "1.48.2"

/* The long options that come without a letter; each tool's own begin at VIRT_OWN. */
enum {
	VIRT_HELP = 256,
	VIRT_LONG_OPTIONS,
	VIRT_SHORT_OPTIONS,
	VIRT_FORMAT,
	VIRT_BLOCKSIZE,
	VIRT_KEY,
	VIRT_KEYS_FROM_STDIN,
	VIRT_ECHO_KEYS,
	VIRT_OWN,
};

struct virt_image {
	const char *name, *format;
	bool domain; /* the name is a libvirt domain's, of -d: its disks come in its place */
};
struct virt {
	const char *name; /* "virt-ls" */
	const char *letters; /* as getopt takes them */
	const struct option *options;
	const char *const *beyond; /* those that the peer has not, and --long-options does not tell; NULL: none */
	const char *usage; /* the text of --help behind the name */
	struct virt_image *images;
	size_t nimages;
	struct domain *domains; /* those of -d, to which images belong */
	size_t ndomains;
	const char *uri; /* of libvirt */
	struct opt_list mounts;
	struct guest_opts opts; /* what the commands of our own take: of these, the keys */
	const char *format; /* for the images that follow */
	bool format_unused, format_given;
	bool verbose;
	int write_dir; /* with `writes`: a folder that files are made in */
	bool writes;
	struct dry_guest *guest;
	struct dry_machines *machines; /* of the guest */
};

enum { VIRT_GO_ON = -1 };

void virt_free(struct virt *v); /* for CLEANUP */
/* Handles an option that all tools have: VIRT_GO_ON, or the exit status.  '?' and the unknown are told. */
int virt_option(struct virt *v, int option, const char *long_name);
/* After the last option: finds the disks of the domains.  VIRT_GO_ON, or the exit status. */
int virt_options_end(struct virt *v);
/* Adds an image in the present format. */
int virt_add_image(struct virt *v, const char *name);
/* An operand, as the tools once took their guests: an image where it is a path or there is such a file, else a domain. */
int virt_add_operand(struct virt *v, const char *name);
/* Says where help is; EXIT_FAILED. */
int virt_usage(const struct virt *v);
/* The lines of --help about domains, and about keys. */
#define VIRT_DOMAIN_HELP                                                                                               \
	"  -c, --connect URI         the libvirt that knows the domain\n"                                               \
	"  -d, --domain DOMAIN       the disks of a libvirt domain: its name, UUID, or a file of its XML\n"
#define VIRT_KEYS_HELP                                                                                                 \
	"      --key SELECTOR        key of an encrypted volume: DEVICE:key:PASSPHRASE, DEVICE:file:FILE,\n"            \
	"                            DEVICE:header:FILE; DEVICE may be a UUID, or all\n"                               \
	"      --keys-from-stdin     read passphrases from standard input, one a line\n"                              \
	"      --echo-keys           show a passphrase while it is typed\n"
/*
 * Opens v's images as one guest, confined afterwards: VIRT_GO_ON or the exit status.  Volumes for which there is no key stay
 * locked and nobody is asked, unless --echo-keys says how.
 */
int virt_open(struct virt *v);
/* The same for a set of guests; *fatal as guest_set_open() has it. */
int virt_open_set(struct virt *v, struct guest_set *set, bool *fatal);
/* Makes one guest of v's images in the set: VIRT_GO_ON or the exit status. */
int virt_set_of_images(struct virt *v, struct guest_set *set);
/* Makes all domains that libvirt knows guests of the set, and keeps them in v->domains in the same order. */
int virt_set_of_all_domains(struct virt *v, struct guest_set *set);
/* The name that stands for a guest of v's images: the domain's (or its UUID), else its first disk's; free() it. */
char *virt_guest_name(const struct virt *v, bool uuid);
/* The same for the two guests of a tool that compares them, with the keys and options of the first. */
int virt_open_both(struct virt *v, struct virt *second);
/* The same for a tool that inspects: unless -m says what to mount, passphrases that are missing are asked for. */
int virt_open_asking(struct virt *v);
/*
 * Mounts what -m says, or what inspection finds: VIRT_GO_ON or the exit status.  As with the peers, inspection fails where
 * a volume stays locked.
 */
int virt_mount(struct virt *v);
/* VIRT_GO_ON, or the exit status and a sentence: an encrypted volume stays locked. */
int virt_unlocked(const struct virt *v);
/* The guest's warnings, on stderr. */
void virt_warnings(const struct virt *v);
/* "libguestfs: error: call: path: reason" on stderr; EXIT_FAILED. */
int virt_call_failed(const char *call, const char *path, const struct dry_error *e);
/* Paths must be absolute; false with the peer's sentence printed. */
bool virt_path_is_absolute(const char *call, const char *path);
/*
 * A path of a Windows that was inspected ("C:\\x", "\\x") in its tree, any other as it is: free() it; NULL with a sentence printed.
 * *elsewhere: another volume than the system's was mounted for it, until virt_mount_again(), which gives 0 or EXIT_FAILED.
 */
char *virt_windows_path(struct virt *v, const char *path, bool *elsewhere);
int virt_mount_again(struct virt *v);
/*
 * The subvolumes of a volume that the peers list behind it: all but the default one, which is what the volume itself shows.
 * Calls fn for each.
 */
void virt_subvolumes(struct dry_guest *g, size_t volume, void (*fn)(void *arg, const char *name), void *arg);
/*
 * The volumes in the order in which the peers list filesystems: whole disks first, then partitions, logical volumes last;
 * indices into dry_guest_volumes(), free() it.  Extended partitions, volumes of which others are made, and those that are
 * not active by themselves are not among them.  NULL and *n 0 when there are none.
 */
size_t *virt_filesystem_order(struct dry_guest *g, size_t *n, struct dry_error *e);

/* A size as the peers print it with -h: "4.9K"; buf of at least 16 bytes; returns buf. */
char *virt_human(uint64_t bytes, char *buf, size_t size);

#endif
