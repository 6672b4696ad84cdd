# SPDX-License-Identifier: GPL-2.0-or-later
# convert --free-space=drop: what the guest's filesystems call free is not copied.
load helpers
load guest

setup()
{
	make_folder
	requires mke2fs dumpe2fs
}

# A disk whose free blocks are full of what was there before.
dirty_fs()
{
	mkdir -p tree/sub
	head -c 2000000 /dev/urandom >tree/sub/large
	echo words >tree/small
	tr '\0' 'u' </dev/zero | head -c 40M >d.raw
	mke2fs -q -F -E nodiscard,lazy_itable_init=0,lazy_journal_init=0 -d tree "$@" d.raw
}

# The same disk with zeros where dumpe2fs says that it is free: $1 bytes in a block.
expect_zeros()
{
	cp d.raw want.raw
	dumpe2fs d.raw 2>/dev/null | sed -n 's/^  Free blocks: //p' | tr -d ' ' | tr ',' '\n' | sed '/^$/d; s/^[0-9]*$/&-&/' |
		tr '-' ' ' >list
	while read -r first last; do
		dd if=/dev/zero of=want.raw bs="$1" seek="$first" count=$((last - first + 1)) conv=notrunc status=none
	done <list
	[ "$(wc -l <list)" -gt 0 ]
	run ! cmp -s d.raw want.raw
}

@test "free blocks are zeros in the copy, and nothing else is" {
	for o in "-b 1024" "-b 4096" "-b 1024 -O ^flex_bg,^metadata_csum"; do
		# shellcheck disable=SC2086 # words
		dirty_fs -t ext4 $o
		bs=${o#-b }
		expect_zeros "${bs%% *}"
		drydock convert --free-space=drop d.raw out.qcow2
		drydock convert -q -O raw out.qcow2 out.raw
		cmp want.raw out.raw
		drydock convert -q --free-space=drop -O raw d.raw out.raw
		cmp want.raw out.raw
		e2fsck -fn out.raw
	done
}

@test "without the option everything is copied" {
	dirty_fs -t ext4
	drydock convert -q d.raw out.qcow2
	drydock compare d.raw out.qcow2
}

@test "into what is there, and through a digest" {
	dirty_fs -t ext4 -b 1024
	expect_zeros 1024
	tr '\0' 'x' </dev/zero | head -c 40M >out.raw
	drydock convert -q -n -f raw -O raw --free-space=drop --verify d.raw out.raw
	cmp want.raw out.raw
	[ "$(drydock convert -q --free-space=drop --hash=sha256 d.raw out.qcow2)" = "sha256: $(sha256sum <want.raw | cut -d' ' -f1)" ]
	drydock convert -q --free-space=drop -c --verify d.raw small.qcow2
	[ "$(stat -c %s small.qcow2)" -lt 3500000 ]
}

@test "each volume is told, and as JSON" {
	make_guest g.img
	run -0 drydock convert --free-space=drop g.img out.qcow2
	[[ ${lines[0]} == '/dev/sda1 (ext2): '*' of 4 MiB are free, and left out' ]]
	[[ ${lines[1]} == '/dev/sda2 (ext4): '*' of 16 MiB are free, and left out' ]]
	drydock convert --free-space=drop --json g.img out.qcow2 >out
	[ "$(json '[.free_space[] | [.volume, .type, .size, .copied_whole]]' <out)" = \
		'[["/dev/sda1","ext2",4194304,null],["/dev/sda2","ext4",16777216,null]]' ]
	[ "$(json '.free_space[0].free' <out)" -gt 3000000 ]
	drydock ls -lR out.qcow2:/ >after
	drydock ls -lR g.img:/ >before
	cmp before after
}

@test "a filesystem that was not shut down well is copied whole, and that is said" {
	requires debugfs
	dirty_fs -t ext4
	debugfs -w -R "ssv state 0" d.raw 2>/dev/null
	run -0 drydock convert --free-space=drop d.raw out.qcow2
	[ "${lines[0]}" = "/dev/sda (ext4): copied whole: it was not unmounted" ]
	drydock compare d.raw out.qcow2
	dirty_fs -t ext4
	debugfs -w -R "feature needs_recovery" d.raw >/dev/null 2>&1
	run -0 drydock convert --free-space=drop d.raw out.qcow2
	[ "${lines[0]}" = "/dev/sda (ext4): copied whole: it needs recovery" ]
	drydock compare d.raw out.qcow2
}

@test "a bitmap that lies costs nothing" {
	requires debugfs
	dirty_fs -t ext2 -b 1024
	debugfs -w -R "set_bg 0 free_blocks_count 77" d.raw 2>/dev/null
	run -0 drydock convert --free-space=drop d.raw out.qcow2
	[[ ${lines[0]} == "/dev/sda (ext2): copied whole: group 0 has "*" free blocks in its bitmap, and 77 as it says" ]]
	drydock compare d.raw out.qcow2
}

@test "partitions that overlap are copied whole" {
	dirty_fs -t ext4
	truncate -s 60M o.raw
	# An MBR with partitions at sectors 2048 (81920 of them) and 4096 (4096 of them).
	printf '\0\0\0\0\203\0\0\0\0\10\0\0\0\100\1\0\0\0\0\0\203\0\0\0\0\20\0\0\0\20\0\0' | dd of=o.raw bs=1 seek=446 conv=notrunc status=none
	printf '\125\252' | dd of=o.raw bs=1 seek=510 conv=notrunc status=none
	dd if=d.raw of=o.raw bs=1M seek=1 conv=notrunc status=none
	run -0 drydock convert --free-space=drop o.raw out.qcow2
	[[ $output == *"/dev/sda1: copied whole: partitions overlap"* ]]
	drydock compare o.raw out.qcow2
}

@test "what it does not go with is refused, and nothing is made" {
	dirty_fs -t ext4
	run -2 drydock convert --free-space=drop -U d.raw out.qcow2
	run -2 drydock convert --free-space=drop d.raw d.raw out.qcow2
	drydock create -q -f qcow2 base.qcow2 40M
	run -2 drydock convert --free-space=drop -B base.qcow2 -F qcow2 d.raw out.qcow2
	cat d.raw | run -2 drydock convert --free-space=drop -f raw - out.qcow2
	[ ! -e out.qcow2 ]
}

@test "who reads the filesystems can open nothing, and do nothing else" {
	requires_tracing
	requires_seccomp
	dirty_fs -t ext4
	strace -f -o log -e trace=clone,clone3,fork,vfork,seccomp,landlock_restrict_self,openat,pread64,execve,exit_group "$DRYDOCK" \
		convert -q -m 1 --free-space=drop d.raw out.qcow2
	# The child is the first that is made, before there are threads.
	child=$(sed -n 's/^[0-9]* .*\(clone\|fork\).* = \([0-9]*\)$/\2/p' log | head -n 1)
	grep "^$child " log >child.log
	grep -q seccomp child.log
	sed '1,/seccomp/d' child.log >confined
	grep -q pread64 confined
	run ! grep -E 'openat.* = [0-9]+$|execve' confined
}
