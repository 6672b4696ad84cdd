/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libxml.h - libxml2, loaded when it is needed: its start, and that of what it needs, takes longer than most commands.
 */
#ifndef DRYDOCK_LIBXML_H
#define DRYDOCK_LIBXML_H

#include "late.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xmlsave.h>
#include <libxml/xpath.h>

/* What is used of it, by its own types. */
#define LIBXML_FUNCTIONS(f)                                                                                            \
	f(xmlReadMemory) f(xmlFreeDoc) f(xmlDocGetRootElement) f(xmlGetNoNsProp) f(xmlNodeGetContent)                  \
		f(xmlXPathNewContext) f(xmlXPathFreeContext) f(xmlXPathEvalExpression) f(xmlXPathFreeObject)           \
			f(xmlXPathCastNumberToString) f(xmlBufferCreate) f(xmlBufferFree) f(xmlBufferContent)          \
				f(xmlSaveToBuffer) f(xmlSaveTree) f(xmlSaveClose)
struct libxml {
	LIBXML_FUNCTIONS(LATE_MEMBER)
};

/* NULL and *why, a sentence without an end, when it is not there; from one thread, before there are others. */
const struct libxml *libxml_load(const char **why);

#endif
