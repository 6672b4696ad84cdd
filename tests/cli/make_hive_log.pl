#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# make_hive_log.pl HIVE NEWER LOG: HIVE becomes one whose last write was not completed, and LOG holds the bins of NEWER, as
# Windows 8.1 and later write them: one record with a page for each 4096 bytes, and its two checksums.
use strict;
use warnings;

my ($hive, $newer, $log) = @ARGV;

sub slurp
{
	open my $in, "<:raw", $_[0] or die "$_[0]: $!\n";
	local $/;
	return <$in>;
}

sub spew
{
	my ($file, $bytes) = @_;

	open my $out, ">:raw", $file or die "$file: $!\n";
	print $out $bytes;
	close $out;
}

# A header with some of its words changed, and its sum.
sub header
{
	my ($bytes, %words) = @_;
	my @w = unpack "L<128", $bytes;

	@w[keys %words] = values %words;
	$w[127] = 0;
	$w[127] ^= $_ for @w[0 .. 126];
	return pack "L<128", @w;
}

sub marvin
{
	my ($lo, $hi) = (0x7a4e55c5, 0x82ef4d88);
	my $turn = sub { ($_[0] << $_[1] | $_[0] >> 32 - $_[1]) & 0xffffffff };

	for my $word (unpack("L<*", $_[0]), 0x80, 0) {
		$lo = $lo + $word & 0xffffffff;
		$hi ^= $lo;
		$lo = $turn->($lo, 20) + $hi & 0xffffffff;
		$hi = $turn->($hi, 9) ^ $lo;
		$lo = $turn->($lo, 27) + $hi & 0xffffffff;
		$hi = $turn->($hi, 19);
	}
	return pack "L<2", $lo, $hi;
}

my ($old, $new) = (slurp($hive), slurp($newer));
my $bins = unpack "L<", substr $new, 40, 4;
my @pages = map { $_ * 4096 } 0 .. $bins / 4096 - 1;
my $rest = join("", map { pack "L<2", $_, 4096 } @pages) . substr $new, 4096, $bins;
$rest .= "\0" x (-(40 + length $rest) % 512);
my $head = "HvLE" . pack("L<5", 40 + length $rest, 0, 100, $bins, scalar @pages) . marvin($rest);
spew($hive, header($old, 1 => 101, 2 => 100) . substr $old, 512);
spew($log, header($old, 1 => 101, 2 => 101, 7 => 6) . $head . marvin($head) . $rest);
