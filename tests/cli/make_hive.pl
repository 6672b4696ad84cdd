#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# make_hive.pl FILE: a registry hive of what standard input says, written by hivex.
#
#	[Path\To\Key]			all of its parents are made, too
#	name=sz:text			also expand:, multi:a|b, dword:42, be:42, qword:42, hex(TYPE):010203; "@" is the default value
use strict;
use warnings;
use utf8;
use Encode;
use Win::Hivex;

my $file = shift or die "usage: make_hive.pl FILE\n";
binmode STDIN, ":utf8";

# A hive that has a root and its security only, which hivex fills.
my $bin = "";
sub cell
{
	my $data = shift;
	my $len = (4 + length($data) + 7) & ~7;
	my $at = 32 + length $bin;

	$bin .= pack("l<", -$len) . $data . "\0" x ($len - 4 - length $data);
	return $at;
}
no warnings "portable"; # numbers of 64 bits
my $time = 0x01d0000000000000;
my $sk = cell("sk" . pack("S< L<4", 0, 32, 32, 1, 20) . pack("C2 S< L<4", 1, 0, 0x8004, (0) x 4));
my $nk = cell("nk" . pack("S< Q< L<15 S<2", 0x2c, $time, 0, 0xffffffff, 0, 0, 0xffffffff, 0xffffffff, 0, 0xffffffff, $sk,
	0xffffffff, (0) x 5, 4, 0) . "ROOT");
my $free = 4096 - 32 - length $bin;
$bin .= pack("l<", $free) . "\0" x ($free - 4);
my $head = "regf" . pack("L<2 Q< L<7", 1, 1, $time, 1, 3, 0, 1, $nk, 4096, 1);
$head .= "\0" x (508 - length $head);
my $sum = 0;
$sum ^= $_ for unpack "L<127", $head;
open my $out, ">:raw", $file or die "$file: $!\n";
print $out $head . pack("L<", $sum) . "\0" x 3584 . "hbin" . pack("L<4 Q< L<", 0, 4096, 0, 0, $time, 0) . $bin;
close $out;

sub utf16
{
	return encode("utf-16le", join("", map { "$_\0" } @_));
}

sub value
{
	my ($name, $kind, $text) = @_;
	my %v = (key => $name eq "@" ? "" : encode("utf-8", $name));

	if ($kind eq "sz") { @v{"t", "value"} = (1, utf16($text)) }
	elsif ($kind eq "expand") { @v{"t", "value"} = (2, utf16($text)) }
	elsif ($kind eq "multi") { @v{"t", "value"} = (7, utf16(split /\|/, $text) . "\0\0") }
	elsif ($kind eq "dword") { @v{"t", "value"} = (4, pack "L<", $text) }
	elsif ($kind eq "be") { @v{"t", "value"} = (5, pack "L>", $text) }
	elsif ($kind eq "qword") { @v{"t", "value"} = (11, pack "Q<", $text) }
	elsif ($kind =~ /^hex\((\d+)\)$/) { @v{"t", "value"} = ($1, pack "H*", $text) }
	else { die "no such kind: $kind\n" }
	return \%v;
}

my $h = Win::Hivex->open($file, write => 1);
my ($key, @values);
sub finish
{
	$h->node_set_values($key, [@values]) if @values;
	@values = ();
}
while (<STDIN>) {
	chomp;
	if (/^\[(.*)\]$/) {
		finish();
		$key = $h->root();
		for my $name (split /\\/, $1) {
			my $bytes = encode("utf-8", $name);
			my $child = eval { $h->node_get_child($key, $bytes) };

			$key = $child || $h->node_add_child($key, $bytes);
		}
	} elsif (/^(.*?)=(\w+(?:\(\d+\))?):(.*)$/s) {
		push @values, value($1, $2, $3);
	}
}
finish();
$h->commit(undef);
