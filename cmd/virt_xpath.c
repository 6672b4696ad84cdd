/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virt_xpath.c - virt-inspector --xpath: a query about an XML document on standard input, answered by libxml2.
 *
 * The document may be a guest's words, so the process gives up its rights before it is parsed; entities stay what they are,
 * and nothing is fetched.
 */
#include "virt_inspector.h"

#include "alloc.h"
#include "libxml.h"
#include "limits.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int read_stdin(struct strbuf *out)
{
	char buf[64 * 1024];
	ssize_t got;

	while ((got = read(STDIN_FILENO, buf, sizeof buf)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			fprintf(stderr, "virt-inspector: standard input: %s\n", strerror(errno));
			return EXIT_FAILED;
		}
		strbuf_add(out, buf, (size_t)got);
		if (out->failed || out->len > LIMIT_XML_BYTES) {
			fprintf(stderr, "virt-inspector: standard input: %s\n",
				out->failed ? "out of memory" : "a document of more than 256 MiB");
			return EXIT_FAILED;
		}
	}
	return 0;
}

static bool print_node(const struct libxml *x, xmlNode *node)
{
	/* What stands for a namespace is another structure, which no function writes. */
	xmlBuffer *buf = node->type != XML_NAMESPACE_DECL ? x->xmlBufferCreate() : NULL;
	xmlSaveCtxt *save = buf ? x->xmlSaveToBuffer(buf, NULL, XML_SAVE_FORMAT | XML_SAVE_NO_DECL) : NULL;
	bool fine = save && x->xmlSaveTree(save, node) >= 0;

	fine &= save && x->xmlSaveClose(save) >= 0;
	if (fine)
		puts((const char *)x->xmlBufferContent(buf));
	else
		fprintf(stderr, "virt-inspector: a node of the answer cannot be written\n");
	if (buf)
		x->xmlBufferFree(buf);
	return fine;
}

static bool print_number(const struct libxml *x, double number)
{
	xmlChar *text = x->xmlXPathCastNumberToString(number);

	if (text)
		puts((const char *)text);
	free(text); /* libxml2's own allocator is malloc(), as nobody has set another */
	return text != NULL;
}

static bool print_object(const struct libxml *x, const xmlXPathObject *o)
{
	bool fine = true;

	switch (o->type) {
	case XPATH_NODESET:
	case XPATH_XSLT_TREE:
		for (int i = 0; o->nodesetval && i < o->nodesetval->nodeNr && fine; i++)
			fine = print_node(x, o->nodesetval->nodeTab[i]);
		return fine;
	case XPATH_BOOLEAN:
		puts(o->boolval ? "true" : "false");
		return true;
	case XPATH_NUMBER:
		return print_number(x, o->floatval);
	case XPATH_STRING:
		puts((const char *)o->stringval);
		return true;
	default:
		fprintf(stderr, "virt-inspector: the answer is of a kind that cannot be printed\n");
		return false;
	}
}

static int answer(const struct libxml *x, const struct strbuf *text, const char *query)
{
	xmlDoc *doc = x->xmlReadMemory(text->s, (int)text->len, NULL, NULL, XML_PARSE_NOBLANKS | XML_PARSE_NONET);
	xmlXPathContext *context = doc ? x->xmlXPathNewContext(doc) : NULL;
	xmlXPathObject *object = context ? x->xmlXPathEvalExpression((const xmlChar *)query, context) : NULL;
	int status = EXIT_FAILED;

	if (!doc)
		fprintf(stderr, "virt-inspector: unable to parse XML from stdin\n");
	else if (!object)
		fprintf(stderr, "virt-inspector: unable to evaluate XPath expression\n");
	else if (print_object(x, object))
		status = EXIT_DONE;
	if (object)
		x->xmlXPathFreeObject(object);
	if (context)
		x->xmlXPathFreeContext(context);
	if (doc)
		x->xmlFreeDoc(doc);
	return status;
}

int virt_xpath(const char *query)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;
	const struct dry_confine how = { .want = DRY_CONFINE_BEST, .write_dir = -1, .memory = 4 * GiB, .seconds = 3600 };
	struct dry_error e = { .code = DRY_OK };
	const char *why;
	const struct libxml *x = libxml_load(&why);

	if (!x) {
		fprintf(stderr, "virt-inspector: --xpath needs libxml2: %s\n", why);
		return EXIT_FAILED;
	}
	if (read_stdin(&text))
		return EXIT_FAILED;
	if (dry_confine(&how, NULL, &e) < 0) {
		fprintf(stderr, "virt-inspector: %s\n", e.msg);
		return EXIT_FAILED;
	}
	return answer(x, &text, query);
}
