/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reg_text_test.c - the text of regedit: each form of a line, both encodings, and what is wrong with a line. */
#include "testing.h"

#include "alloc.h"
#include "hive.h"
#include "limits.h"
#include "reg_text.h"
#include "strbuf.h"

static struct err e = ERR_INIT;
static const struct reg_text_how plain = { .ascii = false };

/* "K key;", "D key;" a key made or removed; "V key|name|type|hex;", "X key|name;" a value. */
static char *told(const struct reg_edits *edits)
{
	struct strbuf b = STRBUF_INIT;

	for (size_t i = 0; i < edits->n; i++) {
		const struct reg_edit *x = &edits->items[i];

		strbuf_printf(&b, "%c %s", "KDVX"[x->kind], x->key);
		if (x->kind >= REG_EDIT_VALUE)
			strbuf_printf(&b, "|%s", x->name);
		if (x->kind == REG_EDIT_VALUE) {
			strbuf_printf(&b, "|%x|", x->type);
			for (size_t k = 0; k < x->len; k++)
				strbuf_printf(&b, "%02x", x->data[k]);
		}
		strbuf_putc(&b, ';');
	}
	return strbuf_detach(&b);
}

static void says(const void *text, size_t len, const struct reg_text_how *how, const char *want)
{
	CLEANUP(reg_edits_free) struct reg_edits edits = { NULL, 0 };
	char *got;

	ok(reg_text_parse(text, len, how, &edits, &e));
	got = told(&edits);
	ck_assert_str_eq(got, want);
	free(got);
}

static void refused(const char *text, const char *sentence)
{
	CLEANUP(reg_edits_free) struct reg_edits edits = { NULL, 0 };

	fails(reg_text_parse(text, strlen(text), &plain, &edits, &e), ERR_USAGE);
	ck_assert_str_eq(e.msg, sentence);
}

START_TEST(each_form_of_a_value_is_read)
{
	static const char text[] = "Windows Registry Editor Version 5.00\r\n\r\n"
				   "[HKEY_LOCAL_MACHINE\\SOFTWARE\\A b]\r\n"
				   "@=\"d\"\r\n"
				   "; a remark\r\n"
				   "\"n\\\"\\\\\"=\"a\\\\b\"\r\n"
				   "\"dw\"=dword:0000002a\r\n"
				   "\"bin\"=hex:01,02,\\\r\n"
				   "  03\r\n"
				   "\"none\"=hex(0):\r\n"
				   "\"exp\"=hex(2):61,00,00,00\r\n"
				   "\"s\"=str(2):\"%x%\"\r\n"
				   "\"gone\"=-\r\n"
				   "[-HKLM\\SOFTWARE\\Old]\r\n";

	says(text, sizeof text - 1, &plain,
	     "K HKEY_LOCAL_MACHINE\\SOFTWARE\\A b;"
	     "V HKEY_LOCAL_MACHINE\\SOFTWARE\\A b||1|64000000;"
	     "V HKEY_LOCAL_MACHINE\\SOFTWARE\\A b|n\"\\|1|61005c0062000000;"
	     "V HKEY_LOCAL_MACHINE\\SOFTWARE\\A b|dw|4|2a000000;"
	     "V HKEY_LOCAL_MACHINE\\SOFTWARE\\A b|bin|3|010203;"
	     "V HKEY_LOCAL_MACHINE\\SOFTWARE\\A b|none|0|;"
	     "V HKEY_LOCAL_MACHINE\\SOFTWARE\\A b|exp|2|61000000;"
	     "V HKEY_LOCAL_MACHINE\\SOFTWARE\\A b|s|2|25007800250000" "00;"
	     "X HKEY_LOCAL_MACHINE\\SOFTWARE\\A b|gone;"
	     "D HKLM\\SOFTWARE\\Old;");
}
END_TEST

START_TEST(utf16_is_read_with_its_mark_and_without)
{
	static const char text[] = "[A\xe9]\n\"x\"=\"\xe9\"\n"; /* Latin-1, made wider below */
	uint8_t wide[2 + 2 * sizeof text] = { 0xff, 0xfe };
	size_t n = sizeof text - 1;

	for (size_t i = 0; i < n; i++)
		wide[2 + 2 * i] = (uint8_t)text[i];
	says(wide, 2 + 2 * n, &plain, "K A\xc3\xa9;V A\xc3\xa9|x|1|e9000000;");
	says(wide + 2, 2 * n, &plain, "K A\xc3\xa9;V A\xc3\xa9|x|1|e9000000;");
	says("\xef\xbb\xbf[A]\n", 7, &plain, "K A;");
}
END_TEST

START_TEST(texts_may_be_kept_byte_by_byte)
{
	const struct reg_text_how ascii = { .ascii = true };

	says("[A]\n\"x\"=\"ab\"", 12, &ascii, "K A;V A|x|1|616200;");
}
END_TEST

START_TEST(a_text_may_go_on_in_the_next_line)
{
	says("[A]\n\"x\"=\"a\nb\"\n", 14, &plain, "K A;V A|x|1|61000a0062000000;");
}
END_TEST

START_TEST(a_prefix_is_taken_away)
{
	const struct reg_text_how how = { .prefix = "HKLM\\SOFTWARE" };
	CLEANUP(reg_edits_free) struct reg_edits edits = { NULL, 0 };

	says("[hklm\\software\\A]\n", 18, &how, "K \\A;");
	says("[HKLM\\SOFTWARE]\n", 16, &how, "K ;");
	fails(reg_text_parse("[HKLM\\SOFTWARES]\n", 17, &how, &edits, &e), ERR_USAGE);
	ck_assert_str_eq(e.msg, "line 1: the key does not lie below HKLM\\SOFTWARE");
}
END_TEST

START_TEST(a_wrong_line_is_told_by_its_number)
{
	refused("[A]\n\n\"x\"=dword:123456789\n", "line 3: a dword has one to eight hexadecimal digits");
	refused("[A]\n\"x\"=\"a\n", "line 3: a quote is not closed");
	refused("[A\n", "line 1: a key's name is not closed by \"]\"");
	refused("\"x\"=\"a\"\n", "line 1: a value before the first key");
	refused("[-A]\n\"x\"=\"a\"\n", "line 2: a value of a key that is removed");
	refused("[A]\n\"x\"\n", "line 2: the name of a value is not followed by \"=\"");
	refused("[A]\n\"x\"=word:1\n", "line 2: the kind of the value is none of \"text\", dword:, hex: and -");
	refused("[A]\n\"x\"=hex(z):1\n", "line 2: the number of a type is wrong");
	refused("[A]\n\"x\"=hex:1 2\n", "line 2: something follows what should be its end");
	refused("hello\n", "line 1: it begins neither a key nor a value");
	refused("[-\\]\n", "line 1: a hive's root cannot be removed");
	refused("[A]\n\"\xff\"=-\n", "byte 5: it is neither UTF-8 nor UTF-16");
}
END_TEST

static void value(const char *type, const char *text, uint32_t want, const char *bytes, size_t len)
{
	struct reg_edit edit = { .kind = REG_EDIT_VALUE };

	ok(reg_value_parse(type, text, &edit, &e));
	ck_assert_uint_eq(edit.type, want);
	ck_assert_uint_eq(edit.len, len);
	ck_assert_int_eq(memcmp(edit.data, bytes, len), 0);
	free(edit.data);
}

START_TEST(values_of_a_command_line)
{
	struct reg_edit edit = { .kind = REG_EDIT_VALUE };

	value("sz", "a", REG_SZ, "a\0\0", 4);
	value("multi", "a\\0b", REG_MULTI_SZ, "a\0\0\0b\0\0\0\0", 10);
	value("multi", "", REG_MULTI_SZ, "\0", 2);
	value("dword", "42", REG_DWORD, "*\0\0", 4);
	value("qword", "0x100000000", REG_QWORD, "\0\0\0\0\1\0\0", 8);
	value("binary", "0aFF", REG_BINARY, "\n\xff", 2);
	value("0x10001", "7a", 0x10001, "z", 1);
	fails(reg_value_parse("dword", "4294967296", &edit, &e), ERR_USAGE);
	fails(reg_value_parse("binary", "abc", &edit, &e), ERR_USAGE);
	fails(reg_value_parse("text", "abc", &edit, &e), ERR_USAGE);
}
END_TEST

START_TEST(a_value_that_no_cell_holds_is_refused)
{
	CLEANUP(reg_edits_free) struct reg_edits edits = { NULL, 0 };
	CLEANUP(free_ptr) uint8_t *bytes = alloc_zero(LIMIT_HIVE_CELL + 1);
	struct reg_edit edit = { .kind = REG_EDIT_VALUE, .key = (char *)"A", .data = bytes, .len = LIMIT_HIVE_CELL };

	ok(reg_edits_add(&edits, &edit, &e));
	edit.len++;
	fails(reg_edits_add(&edits, &edit, &e), ERR_UNSUPPORTED);
}
END_TEST

TEST_MAIN("reg_text", each_form_of_a_value_is_read, utf16_is_read_with_its_mark_and_without, texts_may_be_kept_byte_by_byte,
	  a_text_may_go_on_in_the_next_line, a_prefix_is_taken_away, a_wrong_line_is_told_by_its_number, values_of_a_command_line,
	  a_value_that_no_cell_holds_is_refused)
