/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tty.h - the user at the terminal is asked for a passphrase. */
#ifndef DRYDOCK_TTY_H
#define DRYDOCK_TTY_H

#include <stdbool.h>
#include <stddef.h>

/* The terminal of the process, whatever standard input and output are; -1: there is none. */
int tty_open(void);
/*
 * Prints the prompt and reads a line of at most `size` bytes (the rest is left away) into buf, its newline not counted; it
 * is not echoed unless echo is true.  false at the end of input.  A signal that ends or stops the process does so with the
 * terminal as it was before.
 */
bool tty_ask(int tty, const char *prompt, bool echo, char *buf, size_t size, size_t *len);
/* A line from a descriptor, byte by byte: what follows is left to others.  false at the end of input. */
bool tty_read_line(int fd, char *buf, size_t size, size_t *len);

#endif
