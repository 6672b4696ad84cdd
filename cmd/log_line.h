/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log_line.h - one entry of a log as people read it, and as JSON. */
#ifndef DRYDOCK_LOG_LINE_H
#define DRYDOCK_LOG_LINE_H

#include "cmd.h"
#include "strbuf.h"

/* "emerg" to "debug", ends at NULL. */
extern const char *const log_priorities[];

/*
 * "2026-11-25T21:50:40+0000 web sshd[77]: words", as journalctl's short-iso; further lines of the message are indented, and
 * what could do something to a terminal is written as \xHH.
 */
void log_line_text(struct strbuf *out, const struct dry_log_entry *ent, bool utc);
/* A JSON object and a newline; drydock-log(1) tells its members. */
void log_line_json(struct strbuf *out, const struct dry_log_entry *ent, const char *image);

#endif
