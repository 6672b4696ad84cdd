/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd.h - the command line: one thin file per command over drydock.h.
 *
 * A command is a row of the table in main.c.  Its run() gets argv[0] = its name, and returns the exit status.
 */
#ifndef DRYDOCK_CMD_H
#define DRYDOCK_CMD_H

#include "drydock.h"
#include "opts.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct command {
	const char *name, *summary;
	int (*run)(int argc, char **argv);
};

/* One per command file: cmd/NAME.c. */
int cmd_amend(int argc, char **argv);
int cmd_appliance(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_bitmap(int argc, char **argv);
int cmd_boot(int argc, char **argv);
int cmd_cat(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_chmod(int argc, char **argv);
int cmd_chown(int argc, char **argv);
int cmd_commit(int argc, char **argv);
int cmd_commit_mount(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_convert(int argc, char **argv);
int cmd_cp(int argc, char **argv);
int cmd_create(int argc, char **argv);
int cmd_dd(int argc, char **argv);
int cmd_df(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_edit(int argc, char **argv);
int cmd_find(int argc, char **argv);
int cmd_hash(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_io(int argc, char **argv);
int cmd_ln(int argc, char **argv);
int cmd_log(int argc, char **argv);
int cmd_ls(int argc, char **argv);
int cmd_map(int argc, char **argv);
int cmd_measure(int argc, char **argv);
int cmd_mkdir(int argc, char **argv);
int cmd_mount(int argc, char **argv);
int cmd_mv(int argc, char **argv);
int cmd_rebase(int argc, char **argv);
int cmd_registry(int argc, char **argv);
int cmd_rescue(int argc, char **argv);
int cmd_resize(int argc, char **argv);
int cmd_rm(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_customize(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_shell(int argc, char **argv);
int cmd_snapshot(int argc, char **argv);
int cmd_sysprep(int argc, char **argv);
int cmd_tail(int argc, char **argv);
int cmd_tar(int argc, char **argv);
int cmd_touch(int argc, char **argv);
int cmd_truncate(int argc, char **argv);
int cmd_undo(int argc, char **argv);
int cmd_unmount(int argc, char **argv);
int cmd_version(int argc, char **argv);
int cmd_volumes(int argc, char **argv);
int cmd_write(int argc, char **argv);

/* Prints "drydock: MESSAGE" on stderr and returns EXIT_FAILED (EXIT_USAGE for DRY_USAGE). */
int cmd_fail(const struct dry_error *e);
/* Prints "drydock: " and a sentence on stderr. */
__attribute__((format(printf, 1, 2))) void cmd_warn(const char *fmt, ...);
/* For the `notice` of whatever opens images: prints the sentence likewise. */
void cmd_notice(void *arg, const char *sentence);
/* Prints "drydock VERB: " and a sentence and where help is; returns EXIT_USAGE. */
__attribute__((format(printf, 2, 3))) int cmd_usage(const char *verb, const char *fmt, ...);
/* Closes standard output, so that a full disk is noticed: returns status, or EXIT_FAILED with a sentence. */
int cmd_done(int status);

/* Peers' names: the program was called as one of these. */
struct compat {
	const char *name;
	int (*run)(int argc, char **argv);
};
int cmd_qemu_img(int argc, char **argv);
int cmd_qemu_io(int argc, char **argv);
int cmd_guestfish(int argc, char **argv);
int cmd_guestmount(int argc, char **argv);
int cmd_guestunmount(int argc, char **argv);
int cmd_qemu_nbd(int argc, char **argv);

/* One per peer's name: cmd/virt_NAME.c. */
int virt_alignment_scan(int argc, char **argv);
int virt_cat(int argc, char **argv);
int virt_copy_in(int argc, char **argv);
int virt_copy_out(int argc, char **argv);
int virt_customize(int argc, char **argv);
int virt_df(int argc, char **argv);
int virt_diff(int argc, char **argv);
int virt_edit(int argc, char **argv);
int virt_filesystems(int argc, char **argv);
int virt_get_kernel(int argc, char **argv);
int virt_index_validate(int argc, char **argv);
int virt_inspector(int argc, char **argv);
int virt_list_filesystems(int argc, char **argv);
int virt_list_partitions(int argc, char **argv);
int virt_log(int argc, char **argv);
int virt_ls(int argc, char **argv);
int virt_rescue(int argc, char **argv);
int virt_sysprep(int argc, char **argv);
int virt_tail(int argc, char **argv);
int virt_tar_in(int argc, char **argv);
int virt_tar_out(int argc, char **argv);
int virt_win_reg(int argc, char **argv);

#endif
