#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# coverage.bats - each filesystem and volume that the appliance is for is made, written, checked by its own tool and read.

load appliance

setup_file()
{
	make_appliance
}

# cover [--raid6] BACKEND KIND... [-- KIND...]: all of these are as they should be; of the last ones this kernel may have no driver,
# and then says so.
cover()
{
	local options=() kinds=() kind

	[ "$1" != --raid6 ] || { options=(--raid6); shift; }
	for kind; do [ "$kind" = -- ] || kinds+=("$kind"); done
	"$BUILD/appliance-tests/coverage_tool" "${options[@]}" "$appliance" "${kinds[@]}" >out 2>&1 || { cat out; return 1; }
	! grep '^not ok' out || return 1
	# None is left out for another reason than that its kernel or this host has not got it.
	! grep '# SKIP' out | grep -vE 'this kernel has no driver|# SKIP there is no [a-z.]+ here$' || return 1
	for kind; do
		[ "$kind" != -- ] || break
		! grep "^ok [0-9]* - $kind # SKIP .*this kernel has no driver" out || return 1
	done
}

need_tcg()
{
	command -v qemu-system-x86_64 >/dev/null || skip "no QEMU here"
	[ -e "$appliance/vmlinux" ] || skip "no kernel for QEMU here"
}

@test "uml: filesystems" {
	need_uml
	cover uml ext2 ext4 xfs btrfs vfat ntfs f2fs jfs reiserfs nilfs2 minix udf hfs iso9660 squashfs erofs ufs -- exfat
}

@test "uml: volumes" {
	need_uml
	cover uml lvm lvm-thin md1 md5 luks2 bcache btrfs-raid5
}

@test "uml: RAID 6, of MD and of btrfs" {
	need_uml
	cover --raid6 uml md6 btrfs-raid6
}

@test "tcg: filesystems" {
	need_tcg
	cover tcg ext2 ext4 xfs btrfs vfat exfat ntfs udf iso9660 squashfs erofs -- f2fs jfs reiserfs nilfs2 minix hfs ufs
}

@test "tcg: volumes" {
	need_tcg
	cover tcg lvm lvm-thin md1 md5 luks2 bcache md6 btrfs-raid5 btrfs-raid6
}

@test "uml: a kernel that panics is one sentence, and nothing is left of it" {
	need_uml
	# RAID 6 without the choice of its algorithm, which takes a second at the start, is such a panic.
	run -1 "$BUILD/appliance-tests/coverage_tool" "$appliance" uml md6
	grep -x 'not ok 1 - md6: .*the appliance ended unexpectedly' <<<"$output"
	[ "$(host_state)" = "$before" ]
}
