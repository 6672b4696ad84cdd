# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# guest.bash - small guests for the tests of the commands that look into them; made by any user, without a kernel's help.

# make_guest FILE: a GPT disk with /boot (ext2) and a root (ext4) that mounts it.
make_guest()
{
	requires mke2fs sfdisk
	mkdir -p gt/etc gt/bin gt/usr gt/var/log gt/home/ann gt/boot gb
	cat >gt/etc/fstab <<-EOF
		UUID=aaaaaaaa-1111-2222-3333-444444444444 / ext4 defaults 0 1
		UUID=bbbbbbbb-1111-2222-3333-444444444444 /boot ext2 defaults 0 2
	EOF
	printf 'ID=debian\nVERSION_ID="12"\n' >gt/etc/os-release
	echo guest >gt/etc/hostname
	echo secret >gt/home/ann/letter
	chmod 640 gt/home/ann/letter
	ln -s ../../etc/hostname gt/home/ann/link
	ln -s /etc gt/home/ann/absolute
	ln -s ../../../../../etc/hostname gt/home/ann/over-the-top
	ln gt/home/ann/letter gt/home/ann/hard
	printf x >gt/home/ann/"$(printf 'evil\033[31m\nname')"
	touch -d '2001-02-03 04:05:06 UTC' gt/home/ann/letter
	echo kernel >gb/vmlinuz
	mke2fs -q -t ext4 -d gt -U aaaaaaaa-1111-2222-3333-444444444444 -L rootfs root.fs 16M
	mke2fs -q -t ext2 -d gb -U bbbbbbbb-1111-2222-3333-444444444444 -L bootfs boot.fs 4M
	rm -rf gt gb
	join_guest "$1"
}

# join_guest FILE: boot.fs and root.fs of this folder become a disk.
join_guest()
{
	truncate -s 24M "$1"
	sfdisk -q "$1" <<-EOF
		label: gpt
		start=2048,size=8192,type=BC13C2FF-59E6-4262-A352-B275FD6F7172,name=boot,uuid=aaaaaaaa-0000-0000-0000-000000000001
		start=10240,size=32768,type=0FC63DAF-8483-4772-8E79-3D69D8477DE4,name=root,uuid=aaaaaaaa-0000-0000-0000-000000000002
	EOF
	dd if=boot.fs of="$1" bs=512 seek=2048 conv=notrunc status=none
	dd if=root.fs of="$1" bs=512 seek=10240 conv=notrunc status=none
}
