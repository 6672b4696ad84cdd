/* SPDX-License-Identifier: GPL-2.0-or-later */
/* evtx_test.c - Windows event logs, as they are and as they should not be. */
#include "testing.h"

#include "alloc.h"
#include "evtx.h"
#include "evtx_make.h"
#include "limits.h"
#include "logs.h"
#include "tree.h"

#include <inttypes.h>
#include <string.h>

static struct ev m;

struct told {
	struct strbuf text, xml;
	char failed[1100];
	unsigned nfailed;
};

/* "seconds host provider[pid]<priority>: message" */
static int on_entry(void *arg, const struct log_entry *ent, struct err *err)
{
	struct told *t = arg;

	(void)err;
	strbuf_printf(&t->text, "%" PRId64 " %s %s[%s]<%d>: %.100s\n", ent->usec / 1000000, ent->host ? ent->host : "-",
		      ent->identifier ? ent->identifier : "-", ent->pid ? ent->pid : "-", ent->priority, ent->message);
	strbuf_printf(&t->xml, "%s\n", ent->xml ? ent->xml : "-");
	return 0;
}

static int on_failure(void *arg, const char *path, const struct err *why, struct err *err)
{
	struct told *t = arg;

	(void)err, (void)path;
	snprintf(t->failed, sizeof t->failed, "%s", why->msg);
	t->nfailed++;
	return 0;
}

static const struct log_query everything = { .max_priority = -1 };

/* What is told of the log; xml NULL: whatever. */
static void tells_of(const char *script, const char *wanted, const char *xml, const char *failure)
{
	struct told t = { .text = STRBUF_INIT, .xml = STRBUF_INIT };
	const struct log_walk w = { .entry = on_entry, .failed = on_failure, .arg = &t };
	struct vfs *v = tree(script);

	ok(log_walk(v, &everything, &w, &e));
	ck_assert_str_eq(t.text.s, wanted);
	if (xml)
		ck_assert_str_eq(t.xml.s, xml);
	ck_assert_str_eq(t.failed, failure);
	ck_assert_uint_le(t.nfailed, 1);
	strbuf_free(&t.text);
	strbuf_free(&t.xml);
	vfs_free(v);
}

#define LOGS "mkdir -p Windows/System32/winevt/Logs; mv ../System.evtx Windows/System32/winevt/Logs"

static void tells(const char *wanted, const char *xml, const char *failure)
{
	ev_write(&m, "System.evtx");
	tells_of(LOGS, wanted, xml, failure);
}

/* Two records of one template. */
static void make_two(void)
{
	size_t t;

	ev_begin(&m);
	ev_chunk(&m, 1);
	ev_record(&m, 5);
	t = ev_service_template(&m);
	ev_service_values(&m, 1, "Windows Update");
	ev_record_end(&m);
	ev_record(&m, 6);
	ev_template_again(&m, t);
	ev_service_values(&m, 2, "a<b>&\"\x1b[31m");
	ev_record_end(&m);
	ev_chunk_end(&m);
}

#define SYSTEM_XML(time)                                                                                               \
	"<Event xmlns=\"http://schemas.microsoft.com/win/2004/08/events/event\"><System><Provider "                    \
	"Name=\"Service Control Manager\" Guid=\"{89abcdef-4567-0123-1032-547698badcfe}\"/>"                           \
	"<EventID Qualifiers=\"16384\">7036</EventID><Level>4</Level><Keywords>0x8080000000000000</Keywords>"          \
	"<TimeCreated SystemTime=\"" time "\"/><Correlation/><Execution ProcessID=\"77\"/>"                            \
	"<Computer>PC</Computer><Security UserID=\"S-1-5-18\"/></System>"

START_TEST(events_of_templates_are_read_as_text_and_as_xml)
{
	make_two();
	tells("1700000001 PC Service Control Manager[77]<6>: 7036: param1=Windows Update, ab, cd\n"
	      "1700000002 PC Service Control Manager[77]<6>: 7036: param1=a<b>&\"\x1b[31m, ab, cd\n",
	      SYSTEM_XML("2023-11-14T22:13:21.1234567Z") "<EventData><Data Name=\"param1\">Windows Update</Data><Data>ab</Data>"
							 "<Data>cd</Data></EventData></Event>\n"
	      SYSTEM_XML("2023-11-14T22:13:22.1234567Z") "<EventData><Data Name=\"param1\">a&lt;b&gt;&amp;\"\xef\xbf\xbd[31m</Data>"
							 "<Data>ab</Data><Data>cd</Data></EventData></Event>\n",
	      "");
}
END_TEST

/* A record of <Event><System><EventID>id</EventID></System></Event>, without a template. */
static void make_plain(const char *id)
{
	ev_record(&m, 0);
	ev_open(&m, "Event", 0);
	EV_CLOSE(&m);
	ev_open(&m, "System", 0);
	EV_CLOSE(&m);
	ev_open(&m, "EventID", 0);
	EV_CLOSE(&m);
	ev_text(&m, id);
	EV_END(&m);
	EV_END(&m);
	EV_END(&m);
	ev_record_end(&m);
}

START_TEST(chunks_are_read_from_the_oldest_record_on_and_names_in_any_case)
{
	ev_begin(&m);
	ev_chunk(&m, 9);
	make_plain("3");
	ev_chunk_end(&m);
	ev_chunk(&m, 7);
	make_plain("1");
	make_plain("2");
	ev_chunk_end(&m);
	ev_write(&m, "x");
	tells_of("mkdir -p WINDOWS/system32/WinEvt/logs WINDOWS/system32/config; mv ../x WINDOWS/system32/WinEvt/logs/App.EVTX\n"
		 "echo x >WINDOWS/system32/config/SysEvent.Evt; : >WINDOWS/system32/WinEvt/logs/empty.evtx",
		 "1700000000 - -[-]<-1>: 1\n1700000000 - -[-]<-1>: 2\n1700000000 - -[-]<-1>: 3\n", NULL,
		 "event logs of Windows XP and before are not read");
}
END_TEST

START_TEST(a_log_that_was_not_closed_is_read_and_sums_are_judged_where_it_was)
{
	make_two();
	m.file[120] = 1; /* dirty */
	memset(m.c + 40, 0xee, 16);
	tells("1700000001 PC Service Control Manager[77]<6>: 7036: param1=Windows Update, ab, cd\n"
	      "1700000002 PC Service Control Manager[77]<6>: 7036: param1=a<b>&\"\x1b[31m, ab, cd\n",
	      NULL, "");
	ev_begin(&m);
	ev_chunk(&m, 1);
	make_plain("1");
	ev_chunk_end(&m);
	m.c[200] = 1;
	tells("1700000000 - -[-]<-1>: 1\n", NULL, "a head with a wrong checksum in chunk 0");
	m.c[200] = 0;
	m.c[52]++;
	ev_set(&m, 124, crc32(crc32(0, m.c, 120), m.c + 128, 384), 4);
	tells("1700000000 - -[-]<-1>: 1\n", NULL, "records with a wrong checksum in chunk 0");
}
END_TEST

START_TEST(heads_are_judged)
{
	make_two();
	m.file[0] = 'x';
	tells("", NULL, "it is no event log");
	make_two();
	m.file[38] = 4;
	tells("", NULL, "an event log of version 4.1");
	make_two();
	m.c[0] = 'x';
	tells("", NULL, "");
	ev_write(&m, "whole");
	tells_of("mkdir -p Windows/System32/winevt/Logs; head -c 99 ../whole >Windows/System32/winevt/Logs/a.evtx\n"
		 "truncate -s 1T Windows/System32/winevt/Logs/b.txt", "", NULL, "it is too short for an event log");
}
END_TEST

START_TEST(records_that_lie_about_their_size_are_damage)
{
	size_t first;

	ev_begin(&m);
	ev_chunk(&m, 1);
	make_plain("1");
	first = m.record;
	make_plain("2");
	ev_chunk_end(&m);
	m.file[120] = 1;
	ev_set(&m, first + 4, 0xfffffff0, 4);
	tells("", NULL, "a record that leaves its chunk in chunk 0");
	ev_set(&m, first + 4, 8, 4);
	tells("", NULL, "a record that leaves its chunk in chunk 0");
	ev_set(&m, first + 4, m.record - first, 4);
	ev_set(&m, m.record - 4, 1, 4);
	tells("1700000000 - -[-]<-1>: 2\n", NULL, "a record that is damaged in chunk 0");
}
END_TEST

START_TEST(names_and_templates_outside_of_the_chunk_are_damage)
{
	static const size_t places[] = { 65536, 65530, 0xffffffff, 0x80000000 };

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		for (int template = 0; template < 2; template++) {
			char words[80];

			ev_begin(&m);
			ev_chunk(&m, 1);
			ev_record(&m, 0);
			if (template) {
				ev_template_again(&m, places[i]);
				ev_values(&m, 0);
			} else {
				ev_put(&m, 0x01, 1);
				ev_put(&m, 0, 6);
				ev_put(&m, places[i], 4);
			}
			ev_record_end(&m);
			make_plain("2");
			ev_chunk_end(&m);
			snprintf(words, sizeof words, "an event that is damaged at byte %d of its chunk",
				 template ? 550 : places[i] == 65530 ? 65530 : 551);
			tells("1700000000 - -[-]<-1>: 2\n", NULL, words);
		}
	}
}
END_TEST

START_TEST(names_that_would_be_mark_up_are_damage)
{
	ev_begin(&m);
	ev_chunk(&m, 1);
	ev_record(&m, 0);
	ev_open(&m, "a><b", 0);
	EV_EMPTY(&m);
	ev_record_end(&m);
	ev_chunk_end(&m);
	tells("", NULL, "an event that is damaged at byte 551 of its chunk");
}
END_TEST

START_TEST(a_template_in_itself_ends)
{
	size_t t;

	ev_begin(&m);
	ev_chunk(&m, 1);
	ev_record(&m, 0);
	t = ev_template(&m);
	ev_template_again(&m, t);
	ev_values(&m, 0);
	ev_template_end(&m, t);
	ev_values(&m, 0);
	ev_record_end(&m);
	make_plain("2");
	ev_chunk_end(&m);
	tells("1700000000 - -[-]<-1>: 2\n", NULL, "an event nested more than 32 deep");
}
END_TEST

/* An instance of a template of eight instances of a template of ... */
static void make_growing(unsigned levels)
{
	size_t t = ev_template(&m);

	if (levels) {
		size_t inner = m.at + 10;

		make_growing(levels - 1);
		for (int i = 0; i < 7; i++) {
			ev_template_again(&m, inner);
			ev_values(&m, 0);
		}
	}
	ev_template_end(&m, t);
	ev_values(&m, 0);
}

START_TEST(templates_that_grow_at_each_level_are_given_up)
{
	ev_begin(&m);
	ev_chunk(&m, 1);
	ev_record(&m, 0);
	make_growing(15);
	ev_record_end(&m);
	ev_chunk_end(&m);
	tells("", NULL, "an event that is out of all proportion to the file");
}
END_TEST

START_TEST(a_value_that_is_used_again_and_again_is_given_up)
{
	size_t t, body, len;

	ev_begin(&m);
	ev_chunk(&m, 1);
	ev_record(&m, 0);
	t = ev_template(&m);
	ev_open(&m, "Event", 0);
	EV_CLOSE(&m);
	for (int i = 0; i < 5000; i++)
		ev_gap(&m, 0x0d, 0, 0x01);
	EV_END(&m);
	ev_template_end(&m, t);
	body = m.at;
	len = 30000;
	ev_values(&m, 1);
	ev_value(&m, len, 0x01);
	for (size_t i = 0; i < len / 2; i++)
		ev_put(&m, 'x', 2);
	ev_record_end(&m);
	ev_chunk_end(&m);
	ck_assert_uint_lt(body, m.at);
	tells("", NULL, "an event that is out of all proportion to the file");
}
END_TEST

START_TEST(values_are_written_as_windows_writes_them)
{
	static const struct {
		unsigned type;
		size_t len;
		const char *bytes, *text;
	} values[] = {
		{ 0x00, 0, "", "" },
		{ 0x02, 3, "a\xe4", "a\xef\xbf\xbd" },
		{ 0x03, 1, "\xff", "-1" },
		{ 0x04, 1, "\xff", "255" },
		{ 0x05, 2, "\x00\x80", "-32768" },
		{ 0x07, 4, "\xfe\xff\xff\xff", "-2" },
		{ 0x09, 8, "\xff\xff\xff\xff\xff\xff\xff\xff", "-1" },
		{ 0x0a, 8, "\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615" },
		{ 0x0b, 4, "\x00\x00\xc0\x3f", "1.5" },
		{ 0x0c, 8, "\x00\x00\x00\x00\x00\x00\xf0\x7f", "1.#INF" },
		{ 0x0d, 4, "\x01\x00\x00\x00", "true" },
		{ 0x0e, 2, "\x0a\xff", "0AFF" },
		{ 0x12, 16, "\xe7\x07\x0b\x00\x02\x00\x0e\x00\x16\x00\x0d\x00\x14\x00\x07\x00", "2023-11-14T22:13:20.007Z" },
		{ 0x13, 12, "\x01\x01\x00\x00\x00\x00\x00\x05\x12\x00\x00\x00", "S-1-5-18" },
		{ 0x13, 12, "\x01\x02\x00\x00\x00\x00\x00\x05\x12\x00\x00\x00", "010200000000000512000000" },
		{ 0x10, 4, "\x10\x00\x00\x00", "0x10" },
		{ 0x14, 4, "\xff\x00\x00\x00", "0xff" },
		{ 0x08, 3, "\x01\x02\x03", "010203" },
		{ 0x77, 1, "\x01", "01" },
	};

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		const struct evtx_value v = { (uint8_t)values[i].type, (const uint8_t *)values[i].bytes, values[i].len };
		CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;

		evtx_value_text(&out, &v);
		ck_assert_str_eq(out.s, values[i].text);
	}
}
END_TEST

TEST_MAIN("evtx", events_of_templates_are_read_as_text_and_as_xml,
	  chunks_are_read_from_the_oldest_record_on_and_names_in_any_case,
	  a_log_that_was_not_closed_is_read_and_sums_are_judged_where_it_was, heads_are_judged,
	  records_that_lie_about_their_size_are_damage, names_and_templates_outside_of_the_chunk_are_damage,
	  names_that_would_be_mark_up_are_damage, a_template_in_itself_ends, templates_that_grow_at_each_level_are_given_up,
	  a_value_that_is_used_again_and_again_is_given_up, values_are_written_as_windows_writes_them)
