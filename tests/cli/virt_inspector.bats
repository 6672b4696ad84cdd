# SPDX-License-Identifier: GPL-2.0-or-later
# virt-inspector, as far as it needs no guest of the peer's: hostile words, and queries.  tests/recorded has the rest.
load helpers

inspector()
{
	"$COMPAT/virt-inspector" "$@"
}

# guest STATUS-TEXT: a Debian with these words in its files
guest()
{
	requires mke2fs
	mkdir -p t/etc t/bin t/var/lib/dpkg
	printf 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="%b"\n' "$1" >t/etc/os-release
	printf '%b\n' "$1" >t/etc/hostname
	printf 'Package: %b\nStatus: install ok installed\nArchitecture: all\nVersion: %b\nDescription: %b\n %b\n\n' "$1" "$1" "$1" "$1" \
		>t/var/lib/dpkg/status
	touch t/etc/fstab
	rm -f g.img
	truncate -s 8M g.img
	mke2fs -q -F -t ext4 -d t -L "${2-root}" g.img
}

@test "the document is well-formed and says what the guest says, whatever that is" {
	requires xmllint
	local words

	for words in '</name></application><application>' ']]>' '<![CDATA[' '&#1;&amp;' '\001\033[31m' '\377\376' '\357\277\277' '"x"' \
		"'x'" '<!--'; do
		guest "$words" 'a<&"b'
		inspector -a g.img >out.xml
		xmllint --noout out.xml
		[ "$(xmllint --xpath 'count(//application)' out.xml)" = 1 ]
		[ "$(xmllint --xpath 'count(/operatingsystems/operatingsystem)' out.xml)" = 1 ]
		[ "$(xmllint --xpath 'string(//filesystem/label)' out.xml)" = 'a<&"b' ]
	done
	guest 'a<b>&"c"]]>'
	inspector -a g.img >out.xml
	[ "$(xmllint --xpath 'string(//hostname)' out.xml)" = 'a<b>&"c"]]>' ]
	[ "$(inspector --xpath 'string(//application/name)' <out.xml)" = 'a<b>&"c"]]>' ]
}

@test "what nobody asked for is left out" {
	guest x
	inspector --no-applications --no-icon -a g.img >out
	run ! grep -q '<applications>\|<icon>' out
	inspector --no-icon -a g.img | grep -q '<applications>'
	# As it once was called.
	[ "$(inspector --no-applications g.img)" = "$(cat out)" ]
}

@test "a picture is shown when it is one" {
	requires base64
	guest x
	# The header of a PNG of 16 by 16 points is enough to be taken for one.
	printf '\211PNG\r\n\032\n\0\0\0\rIHDR\0\0\0\020\0\0\0\020more' >t/etc/favicon.png
	rm g.img
	truncate -s 8M g.img
	mke2fs -q -F -t ext4 -d t g.img
	[ "$(inspector -a g.img | inspector --xpath 'string(//icon)' | base64 -d | od -An -tx1)" = "$(od -An -tx1 t/etc/favicon.png)" ]
	echo 'not a picture, and longer than the header of one' >t/etc/favicon.png
	rm g.img
	truncate -s 8M g.img
	mke2fs -q -F -t ext4 -d t g.img
	[ "$(inspector -a g.img | inspector --xpath 'count(//icon)')" = 0 ]
}

@test "queries are answered as the peer answers them" {
	cat >doc <<-'END'
		<?xml version="1.0"?>
		<a> <b>t&amp;</b>  <b c="2"/>
		<!-- word --> </a>
	END
	query()
	{
		[ "$(inspector --xpath "$1" <doc)" = "$2" ]
	}
	query '//b' $'<b>t&amp;</b>\n<b c="2"/>'
	query 'string(//b)' 't&'
	query 'count(//b)' 2
	query 'count(//b) + 10000000' 10000002
	query '1.5' 1.5
	query '1 div 0' Infinity
	query '1 = 1' true
	query '1 = 2' false
	query '"word"' word
	query '//b/@c' ' c="2"'
	query '//comment()' '<!-- word -->'
	query '//none' ''
	query '.' ''
	query '/' $'<a>\n  <b>t&amp;</b>\n  <b c="2"/>\n  <!-- word -->\n</a>'
	fails_with 1 "virt-inspector: unable to evaluate XPath expression" inspector --xpath '///' <doc
	fails_with 1 "Unregistered function" inspector --xpath 'f()' <doc
	fails_with 1 "virt-inspector: unable to parse XML from stdin" inspector --xpath '//a' <<<'<a'
	fails_with 1 "virt-inspector: unable to parse XML from stdin" inspector --xpath '//a' </dev/null
	fails_with 1 "option '--xpath' requires an argument" inspector --xpath
	fails_with 1 "a node of the answer cannot be written" inspector --xpath '//namespace::*' <doc
}

@test "a document that is asked names no files" {
	echo secret >file
	printf '<!DOCTYPE a [<!ENTITY e SYSTEM "file://%s/file"><!ENTITY f "word">]><a>&e;&f;</a>' "$T" >doc
	run -0 inspector --xpath 'string(/a)' <doc
	[[ $output != *secret* ]]
	run -0 inspector --xpath '/a' <doc
	[ "$output" = '<a>&e;&f;</a>' ]
}

@test "a wrong command line, and a disk without a system, are told as the peer tells it" {
	requires mke2fs
	mkdir d
	truncate -s 4M d.img
	mke2fs -q -F -d d d.img
	fails_with 1 "virt-inspector: error: you must specify at least one -a or -d option." inspector
	fails_with 1 "virt-inspector: access: none: No such file or directory" inspector -a none
	fails_with 1 "virt-inspector: cannot use --xpath together with other options." inspector --xpath / -a d.img
	fails_with 1 "virt-inspector: error: extra argument ‘more’ on command line." inspector -a d.img more
	[ "$(inspector -a d.img)" = $'<?xml version="1.0"?>\n<operatingsystems/>' ]
	[ "$(inspector --short-options | tr -d '\n')" = "-a-c-d-v-V-x" ]
	[ "$(inspector --long-options | tr '\n' ' ')" = "--add --blocksize --connect --domain --echo-keys --format --help --key \
--keys-from-stdin --no-applications --no-icon --verbose --version --xpath " ]
}
