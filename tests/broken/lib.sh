# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# lib.sh - what the `make` scripts beside it have: writing numbers at offsets, and small qcow2 images to start from.

# put OFFSET HEX [FILE]: writes bytes given as hexadecimal digits (blanks do not count) into FILE, default $img.
put()
{
	# The shell's own printf may know octal escapes only.
	env printf "$(printf %s "$2" | tr -cd 0-9a-f | sed 's/../\\x&/g')" |
		dd of="${3-$img}" bs=1 seek="$(($1))" conv=notrunc status=none
}

# text OFFSET STRING [FILE]: writes a string.
text()
{
	printf %s "$2" | dd of="${3-$img}" bs=1 seek="$(($1))" conv=notrunc status=none
}

# cut_at SIZE [FILE]: makes a file longer or shorter.
cut_at()
{
	truncate -s "$(($1))" "${2-$img}"
}

# Fields of the header of a qcow2 image.
h_version=0x04 h_backing_off=0x08 h_backing_len=0x10 h_cluster_bits=0x14 h_size=0x18 h_crypt=0x20 h_l1_size=0x24
h_l1_off=0x28 h_reftable_off=0x30 h_reftable_clusters=0x38 h_nsnapshots=0x3c h_snapshots_off=0x40
h_incompat=0x48 h_compat=0x50 h_autoclear=0x58 h_refcount_order=0x60 h_header_len=0x64 h_compression=0x68 h_ext=0x70
# Clusters of 4 KiB of the image that qcow2() makes.
reftable=0x1000 refblock=0x2000 l1=0x3000 l2=0x4000 data=0x5000

# qcow2 [FILE]: a good version 3 image of 1 MiB with clusters of 4 KiB, one of them allocated; its name is in $img.
# It is made once, when $broken_base says where to keep it.
qcow2()
{
	img=${1-image}
	rm -f "$img"
	if [ -e "${broken_base-}" ]; then
		cp "$broken_base" "$img"
		return
	fi
	cut_at 0x6000
	put 0 "514649fb 00000003 0000000000000000 00000000 0000000c 0000000000100000 00000000 00000001
		0000000000003000 0000000000001000 00000001 00000000 0000000000000000
		0000000000000000 0000000000000000 0000000000000000 00000004 00000070 0000000000000000"
	put $reftable 0000000000002000
	put $refblock "0001 0001 0001 0001 0001 0001"
	put $l1 8000000000004000
	put $l2 8000000000005000
	text $data "data of the guest"
	[ -z "${broken_base-}" ] || cp "$img" "$broken_base"
}

# extension HEXTYPE STRING [OFFSET]: a header extension, and the end of extensions behind it.
extension()
{
	ext_at=${3-$h_ext}
	put "$ext_at" "$1 $(printf %08x ${#2})"
	text $((ext_at + 8)) "$2"
	put $((ext_at + 8 + (${#2} + 7) / 8 * 8)) 0000000000000000
}

# backing NAME [FORMAT]: names a backing file, as the image's header does it.
backing()
{
	extension e2792aca "${2-raw}"
	put $h_backing_off 0000000000000200
	put $h_backing_len "$(printf %08x ${#1})"
	text 0x200 "$1"
}

# snapshots: one snapshot "snap" whose L1 table (cluster 6) shares the L2 table; its table is cluster 7.
snapshot=0x7000
snapshots()
{
	cut_at 0x8000
	put $h_nsnapshots 00000001
	put $h_snapshots_off 0000000000007000
	put 0x6000 0000000000004000
	put $snapshot "0000000000006000 00000001 0001 0004 5f000000 00000000 0000000000000000 00000000 00000010
		0000000000000000 0000000000100000"
	text 0x7038 "1snap"
	put $refblock "0001 0001 0001 0001 0002 0002 0001 0001"
	put $l1 0000000000004000
	put $l2 0000000000005000
}

# bitmaps: one bitmap "b0"; its directory is cluster 6, its table cluster 7, its bits cluster 8.
bitmaps()
{
	cut_at 0x9000
	put $h_autoclear 0000000000000001
	put $h_ext "23852875 00000018 00000001 00000000 0000000000000020 0000000000006000 0000000000000000"
	put 0x6000 "0000000000007000 00000001 00000000 01 10 0002 00000000"
	text 0x6018 b0
	put 0x7000 0000000000008000
	put $refblock "0001 0001 0001 0001 0001 0001 0001 0001 0001"
}

# compressed HEXLENGTH: the first cluster is compressed data at $data; its length in sectors less one is given.
# The offset of a 4 KiB cluster's descriptor has 58 bits.
compressed()
{
	put $l2 "$(printf %016x $(((1 << 62) | ($1 << 58) | data)))"
}
