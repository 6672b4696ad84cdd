/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "alloc.h"
#include "xml.h"

static struct strbuf out = STRBUF_INIT;

static void text_is(const char *text, const char *want)
{
	struct xml x = XML_INIT(&out);

	strbuf_reset(&out);
	xml_element(&x, "t", text);
	ck_assert_str_eq(out.s, want);
}

START_TEST(elements_are_indented_and_texts_are_not)
{
	struct xml x = XML_INIT(&out);

	strbuf_reset(&out);
	xml_declaration(&x);
	xml_start(&x, "a");
	xml_start(&x, "b");
	xml_attribute(&x, "c", "d");
	xml_attribute(&x, "e", "<\"&\n>");
	xml_element(&x, "f", "g\nh");
	xml_element(&x, "i", NULL);
	xml_end(&x, "b");
	xml_start(&x, "j");
	xml_attribute(&x, "k", "");
	xml_text(&x, "l");
	xml_end(&x, "j");
	xml_end(&x, "a");
	ck_assert_str_eq(out.s, "<?xml version=\"1.0\"?>\n"
				"<a>\n"
				"  <b c=\"d\" e=\"&lt;&quot;&amp;&#10;&gt;\">\n"
				"    <f>g\nh</f>\n"
				"    <i/>\n"
				"  </b>\n"
				"  <j k=\"\">l</j>\n"
				"</a>\n");
}
END_TEST

START_TEST(what_is_written_may_be_taken_away_meanwhile)
{
	struct xml x = XML_INIT(&out);

	strbuf_reset(&out);
	xml_declaration(&x);
	xml_start(&x, "a");
	xml_element(&x, "b", "c");
	ck_assert_str_eq(out.s, "<?xml version=\"1.0\"?>\n<a>\n  <b>c</b>");
	strbuf_reset(&out);
	xml_element(&x, "d", "e");
	xml_end(&x, "a");
	ck_assert_str_eq(out.s, "\n  <d>e</d>\n</a>\n");
}
END_TEST

START_TEST(no_text_can_be_markup)
{
	text_is("</t><x a=\"b\">&amp;]]>", "<t>&lt;/t&gt;&lt;x a=&quot;b&quot;&gt;&amp;amp;]]&gt;</t>\n");
	text_is("", "<t></t>\n");
}
END_TEST

START_TEST(what_is_no_character_is_left_out)
{
	text_is("a\001\033[31mb\177\r\tc", "<t>a[31mb&#13;\tc</t>\n");
	text_is("\xff\xfe" "a\xc3\xa4\xc3", "<t>\xef\xbf\xbd\xef\xbf\xbd" "a\xc3\xa4\xef\xbf\xbd</t>\n");
	text_is("a\xef\xbf\xbe" "b\xef\xbf\xbf" "c\xef\xbf\xbd", "<t>abc\xef\xbf\xbd</t>\n");
}
END_TEST

TEST_MAIN("xml", elements_are_indented_and_texts_are_not, what_is_written_may_be_taken_away_meanwhile,
	  no_text_can_be_markup, what_is_no_character_is_left_out)
