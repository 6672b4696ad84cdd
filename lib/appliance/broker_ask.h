/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* broker_ask.h - what launch.c wants of a broker. */
#ifndef DRYDOCK_BROKER_ASK_H
#define DRYDOCK_BROKER_ASK_H

#include "broker.h"
#include "vm.h"

/* A machine that a guardian has been forked for. */
struct broker_vm {
	int life;     /* the line to its guardian */
	int guardian; /* its process: readable when it, and all that it had, is gone */
};

/* One question at a time; the others wait. */
int broker_ask(struct broker *b, const struct vm_request *req, struct broker_vm *vm, struct err *e);
const struct broker_how *broker_settled(const struct broker *b);
/* The image of tools, lent; NULL: there is none. */
struct block *broker_tools(const struct broker *b);

#endif
