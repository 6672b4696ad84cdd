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

# byte N: one byte's two digits.
byte()
{
	printf %02x "$1"
}

# le16 N, le32 N, le64 N: little-endian digits for put.
le16()
{
	byte $(($1 & 255)); byte $(($1 >> 8 & 255))
}
le32()
{
	byte $(($1 & 255)); byte $(($1 >> 8 & 255)); byte $(($1 >> 16 & 255)); byte $(($1 >> 24 & 255))
}
le64()
{
	le32 "$1"; le32 $(($1 >> 32))
}

# mbr: an empty table on a disk of 1 MiB.  partition N TYPE START SECTORS [TABLE]: entry 1 to 4 of the table at a sector.
mbr()
{
	img=image
	cut_at 0x100000
	put 0x1fe 55aa
}
partition()
{
	put $((${5-0} * 512 + 446 + ($1 - 1) * 16)) "00000000 $2 000000 $(le32 "$3") $(le32 "$4")"
	put $((${5-0} * 512 + 510)) 55aa
}

# crc32_at OFFSET LENGTH: the CRC32 of a part of $img, as put wants it.
crc32_at()
{
	dd if="$img" iflag=skip_bytes,count_bytes skip="$(($1))" count="$(($2))" bs=64k status=none | gzip -c |
		tail -c 8 | head -c 4 | od -An -tx1
}

# gpt: a disk of 1 MiB with two partitions, 64 to 127 and 128 to 200, both tables good.  gpt_entry N FIRST LAST: entry N
# of the primary table.  gpt_sums: the primary's checksums, right again.
gpt_header=0x200 gpt_entries=0x400 gpt_backup=0xffe00 gpt_backup_entries=0xfbe00
gpt()
{
	mbr
	partition 1 ee 1 2047
	gpt_entry 1 64 127
	gpt_entry 2 128 200
	put $gpt_header "4546492050415254 00000100 5c000000 00000000 00000000 $(le64 1) $(le64 2047) $(le64 34) $(le64 2014)
		11111111111111111111111111111111 $(le64 2) $(le32 128) $(le32 128)"
	gpt_sums
	dd if="$img" of="$img" bs=512 skip=2 seek=2015 count=32 conv=notrunc status=none
	dd if="$img" of="$img" bs=512 skip=1 seek=2047 count=1 conv=notrunc status=none
	put $((gpt_backup + 24)) "$(le64 2047) $(le64 1)"
	put $((gpt_backup + 72)) "$(le64 2015)"
	put $((gpt_backup + 16)) 00000000
	put $((gpt_backup + 16)) "$(crc32_at $gpt_backup 92)"
}
gpt_entry()
{
	put $((gpt_entries + ($1 - 1) * 128)) "af3dc60f838472478e793d69d8477de4 $(le64 "$1") $(le64 "$1") $(le64 "$2") $(le64 "$3")"
}
gpt_sums()
{
	put $((gpt_header + 88)) "$(crc32_at $gpt_entries 16384)"
	put $((gpt_header + 16)) 00000000
	put $((gpt_header + 16)) "$(crc32_at $gpt_header 92)"
}

# ext [OPTION...]: an ext4 of 8 MiB with blocks of 1 KiB and without checksums, that holds a file "f", a file "deep" whose
# extents do not fit its inode, and directories "a/b".
ext()
{
	img=image
	mkdir -p tree/a/b
	echo "words of the guest" >tree/f
	for ext_i in 0 4 8 12 16 20; do
		printf z | dd of=tree/deep bs=1024 seek=$ext_i conv=notrunc status=none
	done
	find tree -exec touch -d @1000000000 {} +
	cut_at 0x800000
	E2FSPROGS_FAKE_TIME=1000000000 PATH=$PATH:/sbin:/usr/sbin mke2fs -q -F -t ext4 -b 1024 -O '^metadata_csum,64bit' \
		-U 11111111-2222-3333-4444-555555555555 -E hash_seed=11111111-2222-3333-4444-555555555555,root_owner=0:0 \
		-J size=1 "$@" -d tree "$img"
	rm -r tree
}

# debug REQUEST: what debugfs answers; changes are made too.
debug()
{
	E2FSPROGS_FAKE_TIME=1000000000 PATH=$PATH:/sbin:/usr/sbin debugfs -w -R "$1" "$img" 2>/dev/null
}

# inode_at PATH: the offset of an inode in the image; block_at PATH N: that of the Nth block of a file.
inode_at()
{
	debug "imap $1" | sed -n 's/.*at block \([0-9]*\), offset 0x\(.*\)/$((\1 * 1024 + 0x\2))/p' | {
		read -r expression
		eval "echo $expression"
	}
}
block_at()
{
	echo $(($(debug "bmap $1 $2") * 1024))
}

# ext_dirty [-c]: logs new content for the block of "f", and leaves it in the journal; -c: with checksums.
ext_dirty()
{
	head -c 1024 /dev/zero | tr '\0' n >new
	{
		echo "jo ${1-}"
		echo "jw -b $(debug 'bmap /f 0') new"
		echo jc
	} >requests
	E2FSPROGS_FAKE_TIME=1000000000 PATH=$PATH:/sbin:/usr/sbin debugfs -w -f requests "$img"
	rm new requests
}
ext_super=0x400

# squash: a squashfs of 4 KiB without any compression that holds a file "f" of 18 bytes; its tables in order.
sq_data=0x60 sq_inodes=0x80 sq_root=0x82 sq_file=0xa2 sq_dir=0x100 sq_ids=0x140 sq_id_index=0x150
squash()
{
	img=image
	cut_at 0x1000
	put 0 "68737173 $(le32 2) $(le32 1000000000) $(le32 4096) $(le32 0) $(le16 1) $(le16 12) $(le16 0x013b) $(le16 1) $(le16 4)
		$(le16 0) $(le64 0) $(le64 0x158) $(le64 $sq_id_index) ffffffffffffffff $(le64 $sq_inodes) $(le64 $sq_dir)
		ffffffffffffffff ffffffffffffffff"
	text $sq_data "words of the guest"
	put $sq_inodes "$(le16 0x8044)
		$(le16 1) $(le16 0755) $(le16 0) $(le16 0) $(le32 1000000000) $(le32 1) $(le32 0) $(le32 2) $(le16 24) $(le16 0) $(le32 3)
		$(le16 2) $(le16 0644) $(le16 0) $(le16 0) $(le32 1000000000) $(le32 2) $(le32 $((sq_data))) ffffffff $(le32 0) $(le32 18)
		$(le32 0x1000012)"
	put $sq_dir "$(le16 0x8015) $(le32 0) $(le32 0) $(le32 1) $(le16 32) $(le16 1) $(le16 2) $(le16 0) 66"
	put $sq_ids "$(le16 0x8004) $(le32 0)"
	put $sq_id_index "$(le64 $sq_ids)"
}

# iso: an ISO 9660 of 64 KiB that holds a file "F.;1" of 18 bytes.  iso_record AT EXTENT SIZE FLAGS HEXNAME: a record.
iso_root=0x9800 iso_file=0x9844 iso_data=0xa000
iso()
{
	img=image
	cut_at 0x10000
	put 0x8000 "01 4344303031 01"
	put 0x8050 "$(le32 32)"
	put 0x8080 "$(le16 2048)"
	iso_record 0x809c 19 2048 2 00
	put 0x8800 "ff 4344303031 01"
	iso_record $iso_root 19 2048 2 00
	iso_record $((iso_root + 34)) 19 2048 2 01
	iso_record $iso_file 20 18 0 462e3b31
	text $iso_data "words of the guest"
}
iso_record()
{
	iso_len=$((${#5} / 2))
	put "$1" "$(byte $((33 + iso_len + (iso_len % 2 == 0)))) 00 $(le32 "$2") $(printf %08x "$2") $(le32 "$3") $(printf %08x "$3")
		650909010203 00 $(byte "$4") 0000 00000000 $(byte $iso_len) $5"
}

# luks2: the JSON of a LUKS version 2 header, in the file json: two key slots, one segment.  luks2_write [SIZE]: an image of
# 128 KiB that begins with both headers, of SIZE bytes each (16384), which carry it.  luks2_sum OFFSET: a header's checksum,
# right again.
luks2()
{
	img=image
	luks2_salt=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
	luks2_af='"af":{"type":"luks1","stripes":3,"hash":"sha256"}'
	luks2_area='"size":"4096","encryption":"aes-xts-plain64","key_size":64'
	cat >json <<-EOF
		{"keyslots":{
		"0":{"type":"luks2","key_size":64,$luks2_af,"area":{"type":"raw","offset":"32768",$luks2_area},
		"kdf":{"type":"pbkdf2","hash":"sha256","iterations":1000,"salt":"$luks2_salt"}},
		"1":{"type":"luks2","key_size":64,$luks2_af,"area":{"type":"raw","offset":"36864",$luks2_area},
		"kdf":{"type":"argon2id","time":4,"memory":32,"cpus":1,"salt":"$luks2_salt"}}},
		"tokens":{},
		"segments":{"0":{"type":"crypt","offset":"65536","size":"dynamic","iv_tweak":"0",
		"encryption":"aes-xts-plain64","sector_size":512}},
		"digests":{"0":{"type":"pbkdf2","keyslots":["0","1"],"segments":["0"],"hash":"sha256","iterations":1000,
		"salt":"$luks2_salt","digest":"$luks2_salt"}},
		"config":{"json_size":"12288","keyslots_size":"32768"}}
	EOF
}
luks2_write()
{
	luks2_size=${1-16384}
	cut_at 0x20000
	for luks2_at in 0 "$luks2_size"; do
		[ "$luks2_at" = 0 ] && luks2_magic=4c554b53babe || luks2_magic=534b554cbabe
		put "$luks2_at" "$luks2_magic 0002 $(printf %016x "$luks2_size") 0000000000000001"
		text $((luks2_at + 72)) sha256
		text $((luks2_at + 168)) 11111111-2222-3333-4444-555555555555
		put $((luks2_at + 256)) "$(printf %016x "$luks2_at")"
		dd if=json of="$img" bs=4096 seek=$((luks2_at / 4096 + 1)) conv=notrunc status=none
		luks2_sum "$luks2_at"
	done
}
luks2_sum()
{
	put $(($1 + 448)) "$(printf %064d 0)"
	put $(($1 + 448)) "$(dd if="$img" iflag=skip_bytes,count_bytes skip="$(($1))" count="$luks2_size" bs=64k status=none |
		sha256sum | cut -c1-64)"
}

# md LEVEL DISKS [N [FILE]]: a disk of 1 MiB that is as a whole number N (0) of DISKS of an array with superblock 1.2, chunks of 4 KiB
# and 256 KiB of data on each disk, which begin at 64 KiB.  md_set OFFSET HEX: changes a field of the superblock, whose
# checksum stays right; md_sum: makes it right.
md()
{
	img=${4-image}
	cut_at 0x100000
	put $md_super "$(le32 2838187772) $(le32 1) $(le32 0) $(le32 0) 11111111222222223333333344444444"
	text $((md_super + 32)) "there:data"
	put $((md_super + 64)) "$(le64 1000000000) $(le32 "$1") $(le32 0) $(le64 512) $(le32 8) $(le32 "$2")"
	put $((md_super + 128)) "$(le64 128) $(le64 512) $(le64 8) $(le64 0) $(le32 "${3-0}")"
	put $((md_super + 192)) "$(le64 1000000000) $(le64 10) ffffffffffffffff $(le32 0) $(le32 8)"
	put $((md_super + 256)) "0000 0100 0200 0300 ffff ffff ffff ffff"
	md_sum
}
md_super=0x1000
md_sum()
{
	put $((md_super + 216)) 00000000
	put $((md_super + 216)) "$(le32 "$(od -An -v --endian=little -tu4 -j $((md_super)) -N 272 "$img" |
		awk '{ for (i = 1; i <= NF; i++) s += $i } END { printf "%.0f", s % 4294967296 + int(s / 4294967296) }')")"
}
md_set()
{
	put $((md_super + $1)) "$2"
	md_sum
}

# bsd_label SECTOR PARTITIONS: an empty BSD disklabel there; bsd_part N OFFSET SIZE TYPE: one of its partitions, "a" is 0, in
# sectors; bsd_sum: its checksum.  They are of the label that was made last.
bsd_label()
{
	bsd_at=$(($1 * 512))
	put $bsd_at "$(le32 2186691927)"
	put $((bsd_at + 40)) "$(le32 512)"
	put $((bsd_at + 132)) "$(le32 2186691927)"
	put $((bsd_at + 138)) "$(byte $(($2 & 255))) $(byte $(($2 >> 8)))"
}
bsd_part()
{
	put $((bsd_at + 148 + $1 * 16)) "$(le32 "$3") $(le32 "$2") 00000000 $4"
}
bsd_sum()
{
	put $((bsd_at + 136)) "$(od -An -v --endian=little -tu2 -j $bsd_at -N 500 "$img" | tr -s ' ' '\n' | {
		sum=0
		while read -r word; do [ -z "$word" ] || sum=$((sum ^ word)); done
		byte $((sum & 255)); byte $((sum >> 8))
	})"
}

# mac: the beginning of a disk of 1 MiB with an Apple partition map.  mac_entry I ENTRIES START BLOCKS TYPE: its entry I.
mac()
{
	img=image
	cut_at 0x100000
	put 0 "4552 0200"
}
mac_entry()
{
	put $(($1 * 512)) "504d 0000 $(printf '%08x%08x%08x' "$2" "$3" "$4")"
	text $(($1 * 512 + 16)) name
	text $(($1 * 512 + 48)) "$5"
}

# number_at OFFSET BYTES: a little-endian number of $img.
number_at()
{
	od -An -v -tu"$2" -j"$(($1))" -N"$2" --endian=little "$img" | tr -d ' '
}

# fat BITS [OPTION...]: FAT with clusters of 512 bytes and two tables, that holds a file "F" of 5000 bytes, a file
# "LONG NAME OF F", and directories "A/B".  $fat_table, $fat_root (not FAT32's) and $fat_heap tell where things lie.
fat()
{
	img=image
	mkdir -p tree/A/B
	yes "words of the guest" | head -c 5000 >tree/F
	echo "words" >"tree/LONG NAME OF F"
	case $1 in 12) cut_at 0x200000 ;; 16) cut_at 0x400000 ;; 32) cut_at 0x2400000 ;; esac
	fat_bits=$1
	shift
	PATH=$PATH:/sbin:/usr/sbin mkfs.fat --invariant -F "$fat_bits" -s 1 -r 512 "$@" "$img" >/dev/null
	SOURCE_DATE_EPOCH=1000000000 MTOOLS_SKIP_CHECK=1 mcopy -sQ -i "$img" tree/F "tree/LONG NAME OF F" tree/A ::
	rm -r tree
	fat_table=$(($(number_at 14 2) * 512))
	fat_sectors=$(number_at 22 2)
	[ "$fat_sectors" != 0 ] || fat_sectors=$(number_at 36 4)
	fat_root=$((fat_table + 2 * fat_sectors * 512))
	fat_heap=$((fat_root + $(number_at 17 2) * 32))
}

# fat_entry NAME: where the entry with this short name (11 bytes) lies.
fat_entry()
{
	grep -boaF "$1" "$img" | sed 's/:.*//;q'
}

# fat_first NAME: the first cluster of a file.  fat_link FROM TO: the entry of a cluster, of FAT16 or FAT32.
fat_first()
{
	number_at $(($(fat_entry "$1") + 26)) 2
}
fat_link()
{
	case $fat_bits in
	16) put $((fat_table + $1 * 2)) "$(le16 "$2")" ;;
	32) put $((fat_table + $1 * 4)) "$(le32 "$2")" ;;
	esac
}

# exfat: exFAT with clusters of 512 bytes; a file "f" of 2000 bytes is chained from cluster 100 on, another, "g", lies one
# after the other from cluster 200 on, and a directory "d" is cluster 300.  $exfat_table, $exfat_heap and $exfat_root tell
# where things lie, $exfat_f, $exfat_g and $exfat_d where their sets do.
exfat()
{
	img=image
	cut_at 0x400000
	PATH=$PATH:/sbin:/usr/sbin mkfs.exfat -c 512 -b 4096 "$img" >/dev/null
	exfat_table=$(($(number_at 80 4) * 512))
	exfat_heap=$(($(number_at 88 4) * 512))
	exfat_root=$((exfat_heap + ($(number_at 96 4) - 2) * 512))
	exfat_f=$exfat_root
	while [ "$(number_at $exfat_f 1)" != 0 ]; do exfat_f=$((exfat_f + 32)); done
	exfat_g=$((exfat_f + 96)) exfat_d=$((exfat_f + 192))
	exfat_set $exfat_f 20 01 100 2000 f
	exfat_set $exfat_g 20 03 200 2000 g
	exfat_set $exfat_d 10 01 300 512 d
	exfat_link 100 101
	exfat_link 101 102
	exfat_link 102 103
	exfat_link 103 0xffffffff
	exfat_link 300 0xffffffff
	text $((exfat_heap + 98 * 512)) "words of the guest"
	text $((exfat_heap + 198 * 512)) "words of the guest"
}

# exfat_set OFFSET HEXATTR HEXFLAGS CLUSTER LENGTH LETTER: a set of three entries.  exfat_sum OFFSET: its checksum.
exfat_set()
{
	put "$1" "85 02 0000 $2 00 0000 00004342 00004342 00004342 00 00 80 80 80 00000000000000"
	put $(($1 + 32)) "c0 $3 00 01 0000 0000 $(le64 "$5") 00000000 $(le32 "$4") $(le64 "$5")"
	put $(($1 + 64)) c100
	text $(($1 + 66)) "$6"
	exfat_sum "$1"
}
exfat_sum()
{
	put $(($1 + 2)) "$(le16 "$(od -An -v -tu1 -j"$1" -N96 "$img" | awk '{ for (i = 1; i <= NF; i++) { if (n != 2 && n != 3)
		s = (s % 2 * 32768 + int(s / 2) + $i) % 65536; n++ } } END { print s }')")"
}
exfat_link()
{
	put $((exfat_table + $1 * 4)) "$(le32 "$2")"
}

# crc32c_at OFFSET LENGTH: CRC-32C of a part of $img, as put wants it.
crc32c_at()
{
	if [ -z "${crc_t0-}" ]; then
		crc_i=0
		while [ $crc_i -lt 256 ]; do
			crc=$crc_i
			for crc_bit in 1 2 3 4 5 6 7 8; do
				crc=$((crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1))
			done
			eval "crc_t$crc_i=$crc"
			crc_i=$((crc_i + 1))
		done
	fi
	crc=$((0xffffffff))
	for crc_byte in $(dd if="$img" iflag=skip_bytes,count_bytes skip="$(($1))" count="$(($2))" bs=64k status=none |
		od -An -v -tu1); do
		eval "crc=\$((crc >> 8 ^ crc_t$(((crc ^ crc_byte) & 255))))"
	done
	le32 $((crc ^ 0xffffffff))
}

# btrfs: a btrfs of 256 KiB whose nodes and sectors have 4 KiB, each tree one leaf, addresses the offsets on the disk: "f" is
# inline, "z" LZO, "big" a sector at $b_data, "d" a folder.  The names of its items are at the end of `btrfs_make`: $b_NAME is
# where an item's bytes lie, $h_NAME its head.  btrfs_sum AT...: what lies there (a node, the superblock) gets a right sum.
b_super=0x10000 b_chunks=0x11000 b_roots=0x12000 b_top=0x13000 b_sums=0x14000 b_groups=0x15000 b_data=0x20000
btrfs_sum()
{
	for b_at; do
		put "$b_at" "$(crc32c_at $((b_at + 32)) 4064)"
	done
}
btrfs()
{
	img=image
	rm -f "$img"
	if [ ! -e "${broken_base-.}.btrfs" ]; then
		btrfs_make
		[ "${broken_base-}" ] || return 0
		cp "$img" "$broken_base.btrfs"
		set | grep "^[bh]_[a-z]*='*[0-9]*'*\$" >"$broken_base.btrfs.names"
	fi
	cp "$broken_base.btrfs" "$img"
	. "$broken_base.btrfs.names"
}
b_fsid=fdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfd b_uuid=dddddddddddddddddddddddddddddddd
# leaf AT OWNER, then item NAME OBJECT TYPE OFFSET HEX for each, then leaf_end
leaf()
{
	l_at=$1 l_owner=$2 l_n=0 l_heads='' l_data=''
}
item()
{
	l_hex=$(printf %s "$5" | tr -cd 0-9a-f)
	l_data=$l_hex$l_data
	l_heads="$l_heads $(le64 "$2") $(byte "$3") $(le64 "$4") $(le32 $((4096 - 101 - ${#l_data} / 2))) $(le32 $((${#l_hex} / 2)))"
	eval "b_$1=$((l_at + 4096 - ${#l_data} / 2)) h_$1=$((l_at + 101 + 25 * l_n))"
	l_n=$((l_n + 1))
}
leaf_end()
{
	put $((l_at + 32)) "$b_fsid $(le64 $((l_at))) $(le64 0) $b_fsid $(le64 7) $(le64 "$l_owner") $(le32 $l_n) 00 $l_heads"
	put $((l_at + 4096 - ${#l_data} / 2)) "$l_data"
	btrfs_sum $((l_at))
}
# b_inode MODE SIZE: an inode's bytes.  b_entry INODE TYPE HEXNAME: those of an entry.  b_root AT: those of a tree's item.
b_inode()
{
	printf %s "$(le64 7)$(le64 7)$(le64 "$2")$(le64 "$2")$(le64 0)$(le32 1)$(le32 0)$(le32 0)$(le32 $(($1)))"
	printf %0208d 0
}
b_entry()
{
	printf %s "$(le64 "$1")01$(le64 0)$(le64 7)$(le16 0)$(le16 $((${#3} / 2)))$(byte "$2")$3"
}
b_root()
{
	printf %0320d 0
	printf %s "$(le64 7)$(le64 256)$(le64 $(($1)))$(le64 0)$(le64 4096)$(le64 0)$(le64 0)$(le32 1)"
	printf %040d 0
}
btrfs_make()
{
	cut_at 0x40000
	b_dev="$(le64 1) $(le64 0x40000) $(le64 0x40000) $(le32 4096) $(le32 4096) $(le32 4096) $(le64 0) $(le64 0) $(le64 0)
		$(le32 0) 00 00 $b_uuid $b_fsid"
	b_map="$(le64 0x40000) $(le64 2) $(le64 65536) $(le64 7) $(le32 4096) $(le32 4096) $(le32 4096) $(le16 1) $(le16 1)
		$(le64 1) $(le64 0) $b_uuid"
	put $((b_super + 32)) "$b_fsid $(le64 $((b_super))) $(le64 1) 5f42485266535f4d $(le64 7) $(le64 $((b_roots)))
		$(le64 $((b_chunks))) $(le64 0) $(le64 0) $(le64 0x40000) $(le64 0x9000) $(le64 6) $(le64 1) $(le32 4096) $(le32 4096)
		$(le32 4096) $(le32 4096) $(le32 97) $(le64 7) $(le64 0) $(le64 0) $(le64 0x361) $(le16 0) 00 00 00 $b_dev"
	text $((b_super + 0x12b)) tiny
	put $((b_super + 0x32b)) "$(le64 256) e4 $(le64 0) $b_map"
	btrfs_sum $b_super
	leaf $b_chunks 3
	item dev 1 216 1 "$b_dev"
	item chunk 256 228 0 "$b_map"
	leaf_end
	leaf $b_roots 1
	item groupsroot 2 132 0 "$(b_root $b_groups)"
	item topitem 5 132 0 "$(b_root $b_top)"
	item sumsroot 7 132 0 "$(b_root $b_sums)"
	leaf_end
	leaf $b_sums 7
	# The sum of 4096 times "d".
	item sum $((-10)) 128 $((b_data)) 9f569699
	leaf_end
	leaf $b_groups 2
	item group 0 192 0x40000 "$(le64 0x9000) $(le64 256) $(le64 7)"
	leaf_end
	leaf $b_top 5
	item topinode 256 1 0 "$(b_inode 040755 12)"
	item topref 256 12 256 "$(le64 0) $(le16 2) 2e2e"
	item hashf 256 84 0x188e5b27 "$(b_entry 257 1 66)"
	item hashz 256 84 0x45935398 "$(b_entry 258 1 7a)"
	item hashbig 256 84 0xe8b26e7b "$(b_entry 259 1 626967)"
	item hashd 256 84 0xf9b52bd0 "$(b_entry 260 2 64)"
	item namef 256 96 2 "$(b_entry 257 1 66)"
	item namez 256 96 3 "$(b_entry 258 1 7a)"
	item namebig 256 96 4 "$(b_entry 259 1 626967)"
	item named 256 96 5 "$(b_entry 260 2 64)"
	item f 257 1 0 "$(b_inode 0100644 18)"
	item xattr 257 24 0x092d3ea3 "$(le64 0) 00 $(le64 0) $(le64 7) $(le16 1) $(le16 6) 08 757365722e78 76"
	item inline 257 108 0 "$(le64 7) $(le64 18) 00 00 0000 00 776f726473206f6620746865206775657374"
	item z 258 1 0 "$(b_inode 0100644 18)"
	item packed 258 108 0 "$(le64 7) $(le64 18) 02 00 0000 00 $(le32 30) $(le32 22) 23 776f726473206f6620746865206775657374 110000"
	item big 259 1 0 "$(b_inode 0100644 4096)"
	item extent 259 108 0 "$(le64 7) $(le64 4096) 00 00 0000 01 $(le64 $((b_data))) $(le64 4096) $(le64 0) $(le64 4096)"
	item d 260 1 0 "$(b_inode 040755 0)"
	leaf_end
	head -c 4096 /dev/zero | tr '\0' d | dd of="$img" bs=1 seek=$((b_data)) conv=notrunc status=none
}

# ntfs [OPTION...]: NTFS with clusters of 4096 bytes, that holds a file "f" of 5000 bytes in two clusters.
ntfs()
{
	img=image
	cut_at 0x400000
	PATH=$PATH:/sbin:/usr/sbin mkntfs -F -Q -q -c 4096 "$@" "$img" >/dev/null 2>&1
	yes "words of the guest" | head -c 5000 >f
	ntfscp -q -f "$img" f f >/dev/null 2>&1
	rm f
	ntfs_mft=$(($(number_at 48 8) * 4096))
	ntfs_mirror=$(($(number_at 56 8) * 4096))
	ntfs_f=64
}

# ntfs_record N: where a record lies.  ntfs_attr N TYPE: where an attribute of it does.  ntfs_runs N TYPE: its list of runs.
# ntfs_cluster N TYPE: the byte where its first run begins.
ntfs_record()
{
	echo $((ntfs_mft + $1 * 1024))
}
ntfs_attr()
{
	ntfs_at=$(($(ntfs_record "$1") + $(number_at $(($(ntfs_record "$1") + 20)) 2)))
	while [ "$(number_at $ntfs_at 4)" != $(($2)) ]; do
		[ "$(number_at $ntfs_at 4)" != $((0xffffffff)) ] || return 1
		ntfs_at=$((ntfs_at + $(number_at $((ntfs_at + 4)) 4)))
	done
	echo $ntfs_at
}
ntfs_runs()
{
	echo $(($(ntfs_attr "$1" "$2") + $(number_at $(($(ntfs_attr "$1" "$2") + 32)) 2)))
}
ntfs_cluster()
{
	ntfs_run=$(ntfs_runs "$1" "$2")
	ntfs_head=$(number_at "$ntfs_run" 1)
	echo $(($(number_at $((ntfs_run + 1 + (ntfs_head & 15))) $((ntfs_head >> 4))) * 4096))
}

# lvm_sum OFFSET LENGTH: LVM's checksum of a part of $img, as put wants it.  It is a CRC32 that starts as if four certain bytes
# had gone before, and is not inverted at the end.
lvm_sum()
{
	{
		env printf '\055\175\054\121'
		dd if="$img" iflag=skip_bytes,count_bytes skip="$(($1))" count="$(($2))" bs=64k status=none
	} | gzip -c | tail -c 8 | head -c 4 | od -An -tu1 | {
		read -r lvm_a lvm_b lvm_c lvm_d
		for lvm_a in $lvm_a $lvm_b $lvm_c $lvm_d; do byte $((255 - lvm_a)); done
	}
}
lvm_label_sum()
{
	put 0x210 "$(lvm_sum 0x214 492)"
}
lvm_mda_sum()
{
	put 0x1000 "$(lvm_sum 0x1004 508)"
}

# lvm_id LETTER: a UUID of that letter.
lvm_id()
{
	echo LLLLLL-LLLL-LLLL-LLLL-LLLL-LLLL-LLLLLL | tr L "$1"
}

# lvm_pv FILE LETTER [BYTES [START]]: a physical volume with that UUID, 1 MiB, its extents from 64 KiB on.  The text of its
# group is read from standard input; where there is none, it is in no group.
lvm_mda=0x1000 lvm_text_at=0x1200
lvm_pv()
{
	img=$1
	cut_at "${3-0x100000}"
	text 0x200 LABELONE
	put 0x208 "$(le64 1) 00000000 20000000"
	text 0x218 "LVM2 001$(lvm_id "$2" | tr -d '\n-')"
	put 0x240 "$(le64 $((${3-0x100000}))) $(le64 $((${4-0x10000}))) $(le64 0) $(le64 0) $(le64 0)
		$(le64 4096) $(le64 $((${4-0x10000} - 4096)))"
	lvm_label_sum
	text 0x1004 " LVM2 x[5A%r0N*>"
	put 0x1014 "01000000 $(le64 4096) $(le64 $((${4-0x10000} - 4096)))"
	lvm_text
}

# lvm_text: the text of the group in $img, from standard input, and its checksums.
lvm_text()
{
	cat >lvm.text
	if [ -s lvm.text ]; then
		put 0 00 lvm.text.end
		cat lvm.text lvm.text.end | dd of="$img" bs=64k seek=$((lvm_text_at)) oflag=seek_bytes conv=notrunc status=none
		lvm_len=$(($(wc -c <lvm.text) + 1))
		put 0x1028 "$(le64 512) $(le64 $lvm_len) $(lvm_sum $lvm_text_at $lvm_len) 00000000"
		rm lvm.text.end
	fi
	lvm_mda_sum
	rm lvm.text
}

# lvm_vg [LETTER...]: the text of a group "vg" with extents of 64 KiB on those PVs (a); standard input has its logical volumes.
# lv NAME EXTENTS SEGMENT...: the text of a logical volume of one segment; linear PV EXTENT: of a linear segment.
lvm_vg()
{
	[ $# -gt 0 ] || set -- a
	echo "vg {
id = \"$(lvm_id v)\"
seqno = 5
status = [\"RESIZEABLE\", \"READ\", \"WRITE\"]
extent_size = 128
max_lv = 0
max_pv = 0
physical_volumes {"
	lvm_i=0
	for lvm_pv; do
		echo "pv$lvm_i {
id = \"$(lvm_id "$lvm_pv")\"
device = \"/dev/$lvm_pv\"
status = [\"ALLOCATABLE\"]
dev_size = 2048
pe_start = 128
pe_count = 15
}"
		lvm_i=$((lvm_i + 1))
	done
	echo "}
logical_volumes {"
	cat
	echo "}
}
contents = \"Text Format Volume Group\"
version = 1"
}
lv()
{
	echo "$1 {
id = \"$(lvm_id l)\"
status = [\"READ\", \"WRITE\"${lv_status-, \"VISIBLE\"}]
segment_count = 1
segment1 {
start_extent = 0
extent_count = $2"
	shift 2
	printf '%s\n' "$@" "}" "}"
}
linear()
{
	echo "type = \"striped\"
stripe_count = 1
stripes = [\"$1\", $2]"
}

# lvm: one PV in $img with a linear volume "good" of two extents that holds an ext2; what standard input says is in its
# group, too.
lvm()
{
	{
		lv good 2 "$(linear pv0 13)"
		cat
	} | lvm_vg | lvm_pv image a
	cut_at 0x20000 good.fs
	E2FSPROGS_FAKE_TIME=1000000000 PATH=$PATH:/sbin:/usr/sbin mke2fs -q -F -t ext2 -b 1024 -N 16 \
		-U 11111111-2222-3333-4444-555555555555 -E hash_seed=11111111-2222-3333-4444-555555555555,root_owner=0:0 good.fs
	dd if=good.fs of=image bs=64k seek=14 conv=notrunc status=none
	rm good.fs
	img=image
}

# lvm_two: PVs "image" and "image2" of one group, whose logical volumes standard input has; lv and linear are as above.
lvm_two()
{
	lvm_vg a b >lvm.two
	lvm_pv image a <lvm.two
	lvm_pv image2 b <lvm.two
	rm lvm.two
	img=image
}

# lvm_thin [TRANSACTION]: like lvm, with a thin volume "thin" of 4 extents in a pool, whose metadata begin at $thin: block 0 is the
# superblock, 1 the tree of devices, 2 and 3 the tree of the volume, whose first extent is the pool's second.  thin_sum BLOCK
# HEX: the block's checksum, a CRC-32C, as it comes out when it has been changed in this way.
thin=0x10000
lvm_thin()
{
	{
		lv pool 4 'type = "thin-pool"' 'metadata = "meta"' 'pool = "data"' 'chunk_size = 128' "transaction_id = ${1-5}"
		lv thin 4 'type = "thin"' 'thin_pool = "pool"' 'device_id = 1'
		lv_status='' lv meta 1 "$(linear pv0 0)"
		lv_status='' lv data 4 "$(linear pv0 1)"
	} | lvm
	img=image # the pipe's shell is another one
	put $((thin + 32)) "$(le64 27022010) $(le32 2) $(le32 0) $(le64 5)"
	put $((thin + 320)) "$(le64 1) $(le64 0) $(le32 128) $(le32 8) $(le64 16)"
	thin_sum 0 6732801e
	thin_node 1 2 1 2
	thin_sum 1 8c4db139
	thin_node 2 1 0 3
	thin_sum 2 2915e492
	thin_node 3 2 0 $((1 << 24))
	thin_sum 3 4f5f5726
}
# thin_node BLOCK KIND KEY VALUE [KEY VALUE]: KIND 1 is an inner node, 2 a leaf.
thin_node()
{
	thin_at=$((thin + $1 * 4096))
	put $thin_at "00000000 $(le32 "$2") $(le64 "$1") $(le32 $((($# - 2) / 2))) $(le32 252) $(le32 8) 00000000"
	put $((thin_at + 32)) "$(le64 "$3") ${5+$(le64 "$5")}"
	put $((thin_at + 32 + 252 * 8)) "$(le64 "$4") ${6+$(le64 "$6")}"
}
thin_sum()
{
	put $((thin + $1 * 4096)) "$2"
}

# lvm_raid TYPE N: like lvm, with a volume "raid" of 2 extents and N images, whose superblocks are in the first extents;
# raid_super I EVENTS LEVEL LAYOUT: one of them, of N = $raid_n, all rebuilt and in sync.
lvm_raid()
{
	raid_n=$2
	{
		echo "raid { id = \"$(lvm_id r)\" status = [\"VISIBLE\"] segment1 { start_extent = 0 extent_count = 2 type = \"$1\""
		echo "device_count = $2 stripe_size = 128 raids = ["
		raid_i=0
		while [ $raid_i -lt "$2" ]; do
			echo "\"meta$raid_i\", \"image$raid_i\","
			raid_i=$((raid_i + 1))
		done
		echo "] } }"
		raid_i=0
		while [ $raid_i -lt "$2" ]; do
			lv_status='' lv meta$raid_i 1 "$(linear pv0 $raid_i)"
			lv_status='' lv image$raid_i 2 "$(linear pv0 $((4 + raid_i * 2)))"
			raid_i=$((raid_i + 1))
		done
	} | lvm
	img=image
}
raid_super()
{
	raid_at=$((0x10000 + $1 * 0x10000))
	put $raid_at "$(le32 0x64526d44) $(le32 1) $(le32 "$raid_n") $(le32 "$1") $(le64 "$2") $(le64 0)
		ffffffffffffffff ffffffffffffffff $(le32 "$3") $(le32 "$4")"
}

# be16 N, be32 N, be64 N: big-endian digits for put.
be16()
{
	printf %04x $(($1 & 0xffff))
}
be32()
{
	printf %08x $(($1 & 0xffffffff))
}
be64()
{
	printf %016x "$(($1))"
}

# xfs [OPTION...]: an XFS of 16 MiB, blocks of 1 KiB, version 5 (or -m crc=0), that holds a file "f" of 3 KiB, a file "g",
# symlinks "short" and "long" (700 bytes), folders "few" (in its inode), "some" (one block), "many" (a leaf of hashes) and
# "most" (a tree of hashes).
xfs()
{
	img=image
	xfs_kept=${broken_base-.}.xfs$(printf %s "$*" | tr -cd 'a-z0-9')
	rm -f "$img"
	if [ -e "$xfs_kept" ]; then
		cp "$xfs_kept" "$img"
		return
	fi
	head -c 3072 /dev/zero | tr '\0' w >words
	xfs_fifos()
	{
		echo "$1 d--755 0 0"
		seq -f "$1-%g p--644 0 0" "$2"
		echo "\$"
	}
	{
		printf '%s\n' / '0 0' 'd--755 0 0' 'f ---644 0 0 words' 'g ---644 0 0 words' 'short l--777 0 0 f'
		echo "long l--777 0 0 $(head -c 700 /dev/zero | tr '\0' l)"
		xfs_fifos few 2
		xfs_fifos some 40
		xfs_fifos many 200
		xfs_fifos most 600
		echo "\$"
	} >proto
	cut_at 0x1000000
	# Small filesystems are only for who tests mkfs.xfs.
	TEST_DIR=x TEST_DEV=x QA_CHECK_FS=x PATH=$PATH:/sbin:/usr/sbin mkfs.xfs -q -p proto -b size=1024 \
		-m uuid=11111111-2222-3333-4444-555555555555 "$@" "$img"
	rm words proto
	[ -z "${broken_base-}" ] || cp "$img" "$xfs_kept"
}

# xdb COMMAND...: what xfs_db answers; changes are made too ("write -d" makes the checksum right again).
xdb()
{
	for xdb_command; do
		set -- "$@" -c "$xdb_command"
		shift
	done
	PATH=$PATH:/sbin:/usr/sbin xfs_db -x "$@" "$img"
}

# xfs_at COMMAND...: the byte where what xfs_db then looks at lies.
xfs_at()
{
	xdb "$@" stack | sed -n 's/.*byte offset \([0-9]*\), length.*/\1/p' | head -1
}

# xfs_sum AT LENGTH CRC-AT: a block of version 5 gets a right checksum.
xfs_sum()
{
	put $(($1 + $3)) 00000000
	put $(($1 + $3)) "$(crc32c_at "$1" "$2")"
}

# xfs_tree: the map of "f" becomes a tree of one leaf, which lies in the data of "g", at $node.
xfs_tree()
{
	f=$(xfs_at "path /f") node=$(xfs_at "path /g" "dblock 0")
	extent=$(od -An -v -tx1 -j $((f + 176)) -N 16 "$img")
	put "$node" "424d4133 0000 0001 ffffffffffffffff ffffffffffffffff $(be64 $((node / 512))) 0000000000000000
		11111111222233334444555555555555 $(be64 "$(xdb "path /f" "print v3.inumber" | sed 's/.* //')") 00000000 00000000
		$extent"
	xfs_sum "$node" 1024 64
	# Room for (512 - 176 - 4) / 16 pairs.
	put $((f + 176)) "0001 0001 $(be64 0)"
	put $((f + 176 + 4 + 20 * 8)) "$(be64 "$(xdb "path /g" "dblock 0" fsblock | sed 's/[^0-9]*//')")"
	put $((f + 5)) 03
	xfs_sum "$f" 512 100
}

# xfs_long: the block of "long", which mkfs.xfs leaves without a head, at $long.
xfs_long()
{
	long=$(xfs_at "path /long" "dblock 0")
	put "$long" "58534c4d 00000000 $(be32 700) 00000000 11111111222233334444555555555555
		$(be64 "$(xdb "path /long" "print v3.inumber" | sed 's/.* //')") $(be64 $((long / 512))) 0000000000000000"
	text $((long + 56)) "$(head -c 700 /dev/zero | tr '\0' l)"
	xfs_sum "$long" 1024 12
}

# xfs_log OPERATIONS [HEAD-OFFSET HEX]...: a record with these operations (hexadecimal digits, what is spoilt of it behind) lies
# in the log behind that of mkfs.xfs.  x_op TID FLAGS HEX: one operation.  x_start, x_commit: those of transaction 7.
xfs_log()
{
	log=$(($(od -An -td8 --endian=big -j 48 -N 8 "$img") * 1024))
	log_body=$(printf %s "$1" | tr -cd 0-9a-f)
	shift
	log_ops=0 log_at=0 log_words='' log_len=$(((${#log_body} / 2 + 511) / 512 * 512))
	while [ $((log_at * 2)) -lt ${#log_body} ]; do
		log_ops=$((log_ops + 1))
		log_at=$((log_at + 12 + 0x$(printf %s "$log_body" | cut -c $((log_at * 2 + 9))-$((log_at * 2 + 16)))))
	done
	put $((log + 1024 + 512)) "$log_body"
	cut_at 0x1000000
	log_at=0
	while [ $log_at -lt $log_len ]; do
		log_words="$log_words $(od -An -v -tx1 -j $((log + 1536 + log_at)) -N 4 "$img")"
		put $((log + 1536 + log_at)) 00000001
		log_at=$((log_at + 512))
	done
	put $((log + 1024)) "feedbabe 00000001 00000002 $(be32 $log_len) 0000000100000002 0000000100000002 00000000 00000000
		$(be32 $log_ops) $log_words"
	put $((log + 1024 + 300)) "00000001 11111111222233334444555555555555 00008000"
	while [ $# -gt 0 ]; do
		put $((log + 1024 + $1)) "$2"
		shift 2
	done
}
# xfs_log_sum: that record gets a right checksum, which in version 4 it need not have.
xfs_log_sum()
{
	for log_at in "0 328" "512 $log_len"; do
		dd if="$img" iflag=skip_bytes,count_bytes skip=$((log + 1024 + ${log_at% *})) count="${log_at#* }" bs=64k status=none
	done >record
	put $((log + 1024 + 32)) "$(img=record && crc32c_at 0 $((328 + log_len)))"
	rm record
}
x_op()
{
	x_hex=$(printf %s "$3" | tr -cd 0-9a-f)
	echo "$(be32 "$1") $(be32 $((${#x_hex} / 2))) 69 $2 0000 $x_hex"
}
x_start()
{
	x_op 7 01 ""
	x_op 7 00 "4e415254 28000000 07000000 $(le32 "${1-1}")"
}
x_commit()
{
	x_op 7 02 ""
}
# x_buffer SECTOR SECTORS [FLAGS]: the format of a logged buffer, of whose chunks the first was.
x_buffer()
{
	x_op 7 00 "3c12 0200 ${3-0000} $(le16 "$2") $(le64 "$1") 01000000 01000000"
}

# journal: a file of the systemd journal with the messages "one", "two" and "three", as $img; the places of what is in it.
# log_guest PATH: a guest that has this file there, as the image.
j_list_at=0xb0 j_one=0xd0 j_entry_one=0x120 j_two=0x170 j_entry_two=0x1c0 j_three=0x210 j_entry_three=0x260 j_list=0x2b0
journal()
{
	img=journal
	cut_at 0x2e0
	text 0 LPKSHHRH
	put 0x58 "$(le64 0xd0)"
	put $j_list_at "$(le64 $j_list)"
	for j_i in 1 2 3; do
		j_field=$((j_one + (j_i - 1) * 0xa0))
		j_entry=$((j_field + 0x50))
		put $j_field "01 00 000000000000 $(le64 77)"
		text $((j_field + 64)) "MESSAGE=word$j_i"
		put $j_entry "03 00 000000000000 $(le64 80) $(le64 $j_i) $(le64 $((1700000000000000 + j_i * 1000000))) $(le64 $j_i)"
		put $((j_entry + 40)) "0123456789abcdef0123456789abcdef"
		put $((j_entry + 64)) "$(le64 $j_field)"
	done
	put $j_list "06 00 000000000000 $(le64 48) $(le64 0) $(le64 $j_entry_one) $(le64 $j_entry_two) $(le64 $j_entry_three)"
}
log_guest()
{
	log_file=$img
	ext
	log_path=
	for log_part in $(dirname "$1" | tr / ' '); do
		log_path=$log_path/$log_part
		debug "mkdir $log_path"
	done
	debug "write $log_file $1"
	rm "$log_file"
}
j_path=/var/log/journal/id/a.journal ev_path=/Windows/System32/winevt/Logs/a.evtx

# event_log: a Windows event log of one chunk with one record, whose event is "<Event/>"; it was not closed, so that its sums do
# not count.
ev_chunk=0x1000 ev_record=0x1200 ev_event=0x121c ev_name=0x1227
event_log()
{
	img=events
	cut_at 0x11000
	text 0 ElfFile
	put 0x20 "$(le32 128) 0100 0300 0010 0100"
	put 0x78 "$(le32 1)"
	text $ev_chunk ElfChnk
	put $ev_record "2a2a0000 $(le32 66) $(le64 1) $(le64 133444736000000000) 0f010100"
	put $ev_event "01 ffff 00000000 $(le32 0x227) 00000000 0000 0500 4500760065006e007400 0000 03 00"
	put $((ev_record + 62)) "$(le32 66)"
}
