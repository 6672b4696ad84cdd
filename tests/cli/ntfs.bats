# SPDX-License-Identifier: GPL-2.0-or-later
# NTFS, as far as its tools fill it without a mount.
load helpers

setup()
{
	make_folder
	requires mkntfs ntfscp
	truncate -s 8M n.img
	mkntfs -F -Q -q -L Windows n.img >/dev/null 2>&1
	echo "words of the guest" >file
	head -c 100000 /dev/urandom >large
	ntfscp -q n.img file "Read Me.txt" 2>/dev/null
	ntfscp -q n.img large large 2>/dev/null
	ntfscp -q -N Zone.Identifier n.img file "Read Me.txt" 2>/dev/null
	ntfscp -q -N long n.img large "Read Me.txt" 2>/dev/null
	sum=$(sha256sum <n.img)
}

teardown()
{
	[ ! -e n.img ] || [ "$(sha256sum <n.img)" = "$sum" ]
	remove_folder
}

@test "volumes tells label, serial and use of NTFS" {
	drydock volumes --json n.img >out
	[ "$(json '.[0].volumes[0].filesystem | [.type, .label, .readable, .block_size, .blocks]' <out)" = \
		'["ntfs","Windows",true,4096,2047]' ]
	[ "$(json -r '.[0].volumes[0].filesystem.uuid' <out)" = "$(blkid -p -o value -s UUID n.img)" ]
}

@test "files of NTFS are listed, and found in any case" {
	[ "$(drydock ls n.img:/)" = "$(printf 'Read Me.txt\nlarge')" ]
	[ "$(drydock cat 'n.img:/READ ME.TXT')" = "words of the guest" ]
	drydock cat n.img:/large | cmp - large
}

@test "streams are read by FILE:STREAM" {
	[ "$(drydock cat 'n.img:/Read Me.txt:Zone.Identifier')" = "words of the guest" ]
	drydock cat 'n.img:/Read Me.txt:long' | cmp - large
	run ! drydock cat 'n.img:/Read Me.txt:none'
}

@test "a stream that is too long for an attribute is told, and how it is read" {
	run -1 --separate-stderr drydock ls -l --json --xattrs n.img:/
	[[ $stderr == *'the stream "long" of 100000 bytes is too long for an extended attribute: read FILE:long'* ]]
}

@test "files of NTFS are copied out with their streams" {
	setfattr -n user.try -v 1 . 2>/dev/null || skip "no extended attributes here"
	drydock cp n.img:/large .copy
	cmp .copy large
	run -1 drydock cp -R n.img:/ copy
	[ "$(cat 'copy/Read Me.txt')" = "words of the guest" ]
}
