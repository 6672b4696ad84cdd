# SPDX-License-Identifier: GPL-2.0-or-later
# Arrays of Linux software RAID as a guest's disks: found, named and mounted.
load helpers

# member N NAME-DIGIT FS FILE [SECTORS]: disk N of a mirror of two that holds a filesystem, with a UUID and a name of its own
member()
{
	. "$BATS_TEST_DIRNAME/../broken/lib.sh"
	md 1 2 "$1" "$4"
	truncate -s $((0x10000 + 8 * 1024 * 1024 + 65536)) "$img"
	dd if="$3" of="$img" bs=64k seek=1 conv=notrunc status=none
	put $((md_super + 80)) "$(le64 16384)"
	put $((md_super + 136)) "$(le64 16384)"
	put $((md_super + 16)) "$(byte "$2")"
	put $((md_super + 32)) 00000000000000000000000000000000
	text $((md_super + 32)) "web:$2"
	md_sum
}

setup_file()
{
	cd "$BATS_FILE_TMPDIR" || return
	PATH=$PATH:/sbin:/usr/sbin
	mkdir -p root/etc/mdadm root/bin root/home home
	echo "/dev/md0 / ext4 defaults 0 1
/dev/md/1 /home ext4 defaults 0 2" >root/etc/fstab
	echo hello >home/note
	mke2fs -q -t ext4 -d root root.fs 8M
	mke2fs -q -t ext4 -d home home.fs 8M
	echo "ARRAY /dev/md0 UUID=01111111:22222222:33333333:44444444
ARRAY /dev/md1 UUID=00111111:22222222:33333333:44444444" >root/etc/mdadm/mdadm.conf
	mke2fs -q -t ext4 -d root swapped.fs 8M
	member 0 0 root.fs r0
	member 1 0 root.fs r1
	member 0 1 home.fs h0
	member 1 1 home.fs h1
	member 0 1 swapped.fs s0
	member 0 0 home.fs t0
}

setup()
{
	cd "$BATS_FILE_TMPDIR" || return
}

@test "a root on an array is found, and its fstab names another array" {
	run -0 "$DRYDOCK" cat -a r0 -a r1 -a h0 -a h1 /home/note
	[ "$output" = hello ]
}

@test "an array is listed with its size and what is in it, and its members as such" {
	run -0 "$DRYDOCK" volumes -b -a r0 -a r1
	[[ $output == *"/dev/sda"*linux_raid_member*"/dev/sdb"*linux_raid_member*"/dev/md127"*md*8388608*ext4* ]]
}

@test "a missing member is told with -v, and the array is read" {
	run -0 "$DRYDOCK" cat -v -a r1 -a h0 /home/note
	[[ $output == *"/dev/md127: disk 0 of 2 is missing"* ]]
	[[ $output == *"/dev/md126: disk 1 of 2 is missing"* ]]
	[[ $output == *hello ]]
}

@test "an array is mounted by any of its names" {
	for name in /dev/md127 /dev/md0 /dev/md/0 md/web:0 /dev/disk/by-id/md-uuid-00111111:22222222:33333333:44444444; do
		run -0 "$DRYDOCK" ls -m "$name" r0:/
		[[ $output == *etc* ]]
	done
}

@test "the guest's mdadm.conf tells which array its fstab means" {
	run -0 "$DRYDOCK" cat -a s0 -a t0 /home/note
	[ "$output" = hello ]
}

@test "a member alone is not a filesystem" {
	run -1 "$DRYDOCK" ls -m /dev/sda r0:/
	[[ $output == *"filesystem type linux_raid_member cannot be read"* ]]
}
