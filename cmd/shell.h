/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shell.h - commands over one opened guest, one after the other: drydock shell, and guestfish.
 *
 * A session begins with disks that are added; when it is launched they are opened, the process confines itself, and the
 * guest is read directly or (unless it is read only) changed as one transaction that its end keeps or drops.  Where it is read
 * only, a command that needs a machine gets one whose writes are thrown away (shell_machine.c).  What commands need of the
 * host (files, programs, pipes) is done by host_side.h.
 *
 * A command is a row of a table in one of the files shell_*.c, each of which has the commands of one subject.
 */
#ifndef DRYDOCK_SHELL_H
#define DRYDOCK_SHELL_H

#include "guest_opts.h"
#include "host_side.h"
#include "strbuf.h"
#include "words.h"

#include <stdio.h>

struct shell_image {
	char *name, *format; /* format NULL: guessed, or what the options say */
};

struct prepared;
struct shell_augeas;
struct shell_local;

/* What a command has mounted, in a session that writes: later ones hide those of the same path. */
struct shell_mounted {
	char *path, *options;
};
/* A volume that "cryptsetup-open" has opened: it is called "/dev/mapper/NAME" in this session. */
struct shell_mapping {
	char *name, *volume, *shown, *box; /* box: the encrypted volume itself */
};

struct shell {
	const char *name; /* that sentences begin with: "drydock", "guestfish" */
	bool peer;	  /* in the words of guestfish */
	bool readonly, inspect, trace, pipe_error, keep_going, quiet_end;
	struct guest_opts *opts; /* lent; its mounts are mounted when the session begins */
	struct shell_image *images;
	size_t nimages;
	struct prepared *prepared; /* disks that -N asks for */
	size_t nprepared;
	char **scratch; /* files of disks that go with the session */
	size_t nscratch;
	struct shell_mapping *mappings; /* names that encrypted volumes were opened under */
	size_t nmappings;
	struct shell_mounted *mounted;
	size_t nmounted;
	/* once it is launched */
	struct guest_set set;
	struct dry_guest *g;
	struct dry_change *c; /* NULL: the guest is read directly; with readonly, one that is thrown away */
	bool launched, ended, failed, quit;
	bool keys_from_stdin;
	bool scripted; /* the host side reads what is to be done, and does on the host what that says alone */
	bool touched; /* something may have been changed */
	struct host_side *host;
	/* the command at work */
	char where[300]; /* "FILE:LINE: ", "" */
	const struct shell_command *cmd;
	const char *pipe; /* what its output goes to; NULL: standard output */
	const char *pipe_after; /* a program that begins when the command has ended; one that feeds it by itself takes this */
	bool piping;	  /* that program runs */
	bool collecting;  /* its output is kept until it has ended */
	bool lost;	  /* nobody takes the output any more */
	struct strbuf out;
	void *buf;	     /* GUEST_FILE_CHUNK */
	struct shell_augeas *augeas; /* since aug-init */
	struct shell_local *local;   /* NULL: there is no libfuse */
	struct regex *regex; /* keeps the library of grep */
	char *prompt;
	unsigned depth;	 /* of commands that run commands */
	unsigned nested; /* of programs that print commands */
	uint32_t umask;
};

enum { SHELL_ARGS = 8, SHELL_OPTS = 12 };

/* One call of a command, its words judged by the form that its row tells. */
struct call {
	char **arg; /* positional; NULL behind the last */
	size_t n;
	int64_t num[SHELL_ARGS];     /* of those that are numbers and truths */
	const char *opt[SHELL_OPTS]; /* "name:VALUE", in the order of the form; NULL: not given */
};

enum {
	SHELL_FREE = 1u << 0,	/* works before the session is launched */
	SHELL_WRITES = 1u << 1, /* changes the guest; where a session only reads, in vain, and under the peer's name alone */
	SHELL_HOST = 1u << 2,	/* uses the host side, so that its output waits for its end */
	SHELL_EARLY = 1u << 3,	/* only before the session is launched */
	SHELL_MACHINE = 1u << 4, /* looks, and needs a machine for that */
};

/*
 * The form of a command's words, blanks between: "/path" is a path of the guest, "=dev" a device, "#n" a number,
 * "?flag" a truth, "~file" a file of the host, "*list" words in one word, anything else a text; "words..." takes all
 * that is left, at least none; "[x]" may be given as "x:VALUE", in which x may have one of those signs, too.
 */
struct shell_command {
	const char *name, *aliases, *args, *help;
	int (*run)(struct shell *s, struct call *c); /* 0, or -1 with a sentence printed */
	unsigned needs;
	const char *call; /* the name that the peer tells its errors under, where it is another */
};
struct shell_group {
	const char *title;
	const struct shell_command *commands;
	size_t n;
};
#define SHELL_GROUP(t, array)                                                                                          \
	{                                                                                                              \
		(t), (array), ARRAY_LEN(array)                                                                         \
	}

/* One of each subject. */
extern const struct shell_group shell_own_group, shell_read_group, shell_list_group, shell_write_group,
	shell_copy_group, shell_mount_group, shell_volumes_group, shell_disk_group, shell_inspect_group,
	shell_program_group, shell_session_group, shell_settings_group, shell_image_group, shell_crypt_group,
	shell_device_group, shell_mounted_group, shell_augeas_group, shell_local_group;

/* ---- shell_table.c ---- */

extern const struct shell_group *const shell_groups[]; /* ends at NULL */
const struct shell_command *shell_find(const char *name);
/* Has guestfish a command of that name? */
bool shell_peer_has(const char *name);
/* "cat path": the words of a command as its help tells them. */
void shell_form(const struct shell_command *cmd, struct strbuf *out);
void shell_help(struct shell *s, const struct shell_command *cmd);
void shell_list_commands(struct shell *s);

/* ---- shell_call.c: a command from its words ---- */

/* Runs it: 0, or -1 with a sentence printed.  words are changed. */
int shell_run_words(struct shell *s, char **word, size_t n, const char *pipe);
/* Runs a line as it stands in a script. */
int shell_run_line(struct shell *s, const char *line);
/* Where the command of a line begins, behind blanks and a "-", which says that it may fail; a comment is none: "". */
const char *shell_line_begin(const char *line, bool *may_fail);
bool shell_truth(const char *word, bool *out);
/* A number with a suffix of sizes, or in octal and hexadecimal. */
bool shell_number(const char *word, int64_t *out);

/* Output of the command at work. */
__attribute__((format(printf, 2, 3))) void shell_printf(struct shell *s, const char *fmt, ...);
void shell_line(struct shell *s, const char *text);
void shell_bytes(struct shell *s, const void *bytes, size_t len);
/* As fn of guest_file_each(): non-zero when nobody takes it. */
int shell_take_bytes(void *arg, const void *bytes, size_t len);
int shell_bool(struct shell *s, bool truth);
/* A sentence about the command at work; returns -1. */
__attribute__((format(printf, 2, 3))) int shell_error(struct shell *s, const char *fmt, ...);
/* The same of an error of the library; path NULL: the message says it all. */
int shell_fail(struct shell *s, const char *path, const struct dry_error *e);
int shell_nomem(struct shell *s);
/* An optional word's value; NULL: it was not given. */
const char *shell_opt(const struct shell *s, const struct call *c, const char *name);
/* The same of a truth: -1 with a sentence when it is none. */
int shell_opt_truth(struct shell *s, const struct call *c, const char *name, bool *out);

/* ---- shell_session.c ---- */

int shell_add_image(struct shell *s, const char *name, const char *format);
int shell_launch(struct shell *s);
/* Do the options say what is to be mounted or made, so that it is launched at once? */
bool shell_launch_wanted(const struct shell *s);
/* Keeps what was changed (keep) or drops it: 0, or -1. */
int shell_end(struct shell *s, bool keep);
void shell_free(struct shell *s); /* for CLEANUP */

/* ---- shell_machine.c ---- */

/* Starts the machine of a session that only reads, c: 0, or -1 with a sentence. */
int shell_machine(struct shell *s);
/* The options of a mount in that machine; free() it; NULL: out of memory. */
char *shell_mount_options(const struct shell *s, const struct dry_mount *m);

/* ---- shell_loop.c ---- */

int shell_interactive(struct shell *s);
/* Has the user pressed Ctrl-C since the command at work began?  Only at a prompt; elsewhere that ends the process. */
bool shell_stopped(void);
/* All of it: what the options said, then one of the three; the exit status. */
int shell_main(struct shell *s, const char *file, int argc, char **argv);

/* ---- shell_allow.c: for struct host_script ---- */

void shell_allow_line(struct host_allowed *a, const char *line);
void shell_allow_words(struct host_allowed *a, char *const *word, size_t n);

/* ---- shell_editline.c: lines from the terminal ---- */

struct shell_editline;
/* NULL and *why when there is no libedit; before the process confines itself. */
struct shell_editline *shell_editline_new(struct shell *s, const char **why);
void shell_editline_free(struct shell_editline *l);
/* A line without its end, lent; NULL: there is no more. */
const char *shell_editline_get(struct shell_editline *l);

/* ---- shell_prepared.c ---- */

/* "[FILE=]TYPE[:WORD...]": makes the file and adds it: 0, or -1. */
int shell_prepare(struct shell *s, const char *text);
/* After the launch: what is to be on them. */
int shell_prepare_content(struct shell *s);
void shell_prepare_help(void);

/* ---- fuse/shell_local.c ---- */

/* Before images are opened and the process confines itself: what "mount-local" will need. */
void shell_local_start(struct shell *s);
void shell_local_end(struct shell *s);

/* ---- shell_augeas.c ---- */

void shell_augeas_free(struct shell *s);

/* ---- shared between subjects ---- */

/* A glob of the guest's paths, those that match sorted; none: the word itself.  Appends to the list, to be freed. */
int shell_glob(struct shell *s, const char *pattern, char ***list, size_t *n);
/* "win:C:\x", or a path as it is; free() it; NULL with a sentence. */
char *shell_path(struct shell *s, const char *path);
/* Node and facts of a path, symlinks followed; -1 with a sentence. */
int shell_stat(struct shell *s, const char *path, bool follow, struct dry_node *node, struct dry_stat *st);
/* A program of the appliance; argv ends at NULL; what it prints goes to `out`, or with NULL to the command's output. */
int shell_tool(struct shell *s, const char *const *argv, const char *input, struct strbuf *out);
/* One that sees the guest's tree below /sysroot: its exit status and what it says of errors, or -1 with a sentence. */
int shell_tool_on_guest(struct shell *s, const char *const *argv, const char *input, struct strbuf *out, struct strbuf *err);
/* The name of a device in the appliance; free() it; NULL with a sentence. */
char *shell_device(struct shell *s, const char *name);
bool shell_has_volume(struct shell *s, const char *name);
/* The volume of that name (or alias); NULL with a sentence. */
const struct dry_volume *shell_volume(struct shell *s, const char *name);
/* The name of a volume behind one that the session gave it, and the other way; any other name as it is. */
const char *shell_real_name(const struct shell *s, const char *name);
const char *shell_shown_name(const struct shell *s, const char *name);
/*
 * A passphrase: a line of standard input where --keys-from-stdin says so, else from the terminal; `what` is it called in the
 * question.
 */
int shell_key(struct shell *s, const char *what, struct strbuf *out);
/* Is it the name of a disk?  Then which. */
bool shell_is_disk(struct shell *s, const char *name, struct dry_disk *out, size_t *index);
/* The disk of that name; false with a sentence. */
bool shell_disk(struct shell *s, const char *name, struct dry_disk *out, size_t *index);
/* Disks have changed: looks anew, where that can be. */
int shell_rescan(struct shell *s);
/* The mount that a path lies in; false with a sentence. */
bool shell_mount_of(struct shell *s, const char *path, struct dry_mount *out);
/* Mounts in a session of either kind. */
int shell_mount(struct shell *s, const char *device, const char *path, const char *options, const char *type);
/* A word for the host's shell: quoted. */
void shell_quote(struct strbuf *out, const char *word);
/* A program of the guest's. */
int shell_guest_program(struct shell *s, const char *const *argv);

#endif
