/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* elf_needs.h - which libraries a program or library names, and where it says they are. */
#ifndef DRYDOCK_ELF_NEEDS_H
#define DRYDOCK_ELF_NEEDS_H

#include "err.h"

#include <stddef.h>
#include <stdint.h>

/* All pointers are into the file's bytes, and are NUL-terminated there. */
struct elf_needs {
	uint16_t machine;	/* e_machine: 62 is x86-64 */
	const char *interp;	/* the program that loads it; NULL: none */
	const char *runpath;	/* DT_RUNPATH, or DT_RPATH; NULL: none */
	const char **needed;	/* in the order of the file; to be freed by elf_needs_free() */
	size_t nneeded;
};

/* 1, or 0 for what is no ELF file of 64 bits in little-endian order; ERR_CORRUPT when one contradicts itself. */
int elf_needs_read(const void *bytes, size_t len, struct elf_needs *out, struct err *e);
void elf_needs_free(struct elf_needs *n); /* for CLEANUP; zeroed is fine */

#endif
