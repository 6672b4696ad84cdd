# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154
#
# No copy where none is needed: blocks that files share, and copies inside the kernel.

load helpers

teardown()
{
	cd /
	if mountpoint -q "$T/fs"; then
		umount "$T/fs"
	fi
	remove_folder
}

# mount_new FS: a filesystem of 400 MB at $T/fs.
mount_new()
{
	requires_root
	requires "mkfs.$1" losetup filefrag
	rm -f fs.img
	truncate -s 400M fs.img
	case $1 in
	xfs) mkfs.xfs -q -m reflink=1 fs.img 2>/dev/null || skip "mkfs.xfs cannot make one here" ;;
	btrfs) mkfs.btrfs -q fs.img >/dev/null ;;
	esac
	mkdir -p fs
	mount -o loop fs.img fs 2>/dev/null || skip "this machine cannot mount $1"
}

# Data that begins and ends anywhere in a cluster, holes, stored zeros, and a last block that is not whole.
disk()
{
	random_file part 20M 3
	truncate -s 96M "$1"
	dd if=part of="$1" bs=1M seek=5 conv=notrunc status=none
	dd if=/dev/zero of="$1" bs=1M seek=30 count=4 conv=notrunc status=none
	dd if=part of="$1" bs=4k seek=10001 count=777 conv=notrunc status=none
	dd if=part of="$1" bs=512 seek=99001 count=3 conv=notrunc status=none
	dd if=part of="$1" bs=512 seek=196608 count=5 conv=notrunc status=none
	sync "$1"
	rm part
}

# Bytes of a file that no other file shares; what is allocated and never written does not count.
own_bytes()
{
	sync "$1"
	filefrag -v -b1 "$1" | grep -vE 'shared|unwritten' | tr '.:' '  ' |
		awk '$1 ~ /^[0-9]+$/ && $6 ~ /^[0-9]+$/ { n += $6 } END { print n + 0 }'
}

there_and_back()
{
	mount_new "$1"
	cd fs || return
	disk a.raw
	# the tables of the image are its own, and the last block that is not whole
	drydock convert --json -f raw a.raw b.qcow2 >facts
	[ "$(json '[.copied, .shared > 20000000]' facts)" = '[2560,true]' ]
	[ "$(own_bytes b.qcow2)" -le $((8 * 65536)) ]
	clean b.qcow2
	identical a.raw raw b.qcow2 qcow2
	drydock convert --json b.qcow2 c.raw >facts
	[ "$(json '[.copied, .shared > 20000000]' facts)" = '[2560,true]' ]
	[ "$(own_bytes c.raw)" -le 8192 ]
	same a.raw c.raw
	drydock convert b.qcow2 d.qcow2
	[ "$(own_bytes d.qcow2)" -le $((8 * 65536)) ]
	clean d.qcow2
	identical a.raw raw d.qcow2 qcow2
	drydock convert -q -f raw a.raw e.raw
	[ "$(own_bytes e.raw)" -le 8192 ]
	same a.raw e.raw
	cd ..
}

@test "on XFS raw and qcow2 share blocks, there and back, and no data is copied" {
	there_and_back xfs
}

@test "on btrfs raw and qcow2 share blocks, there and back, and no data is copied" {
	there_and_back btrfs
}

@test "every geometry shares what it can and holds the same disk" {
	local o

	mount_new xfs
	cd fs || return
	disk a.raw
	for o in compat=0.10 cluster_size=512 cluster_size=4k cluster_size=2M extended_l2=on,cluster_size=128k \
		preallocation=metadata data_file=data.raw data_file=data.raw,data_file_raw=on lazy_refcounts=on; do
		echo "$o"
		drydock convert -q -f raw -O qcow2 -o "$o" a.raw b.qcow2
		clean b.qcow2
		identical a.raw raw b.qcow2 qcow2
		drydock convert -q b.qcow2 c.raw
		same a.raw c.raw
		rm -f data.raw b.qcow2 c.raw
	done
	cd ..
}

@test "a chain, a snapshot, several sources and a copy over a backing file are shared, too" {
	requires qemu-img qemu-io
	mount_new xfs
	cd fs || return
	disk base.raw
	qemu-img create -q -f qcow2 -b base.raw -F raw top.qcow2
	qemu-io -c 'write -q -P 7 1M 300k' -c 'write -q -z 6M 1M' top.qcow2
	qemu-img snapshot -c before top.qcow2
	cp top.qcow2 then.qcow2
	qemu-io -c 'write -q -P 8 2M 640k' top.qcow2
	drydock convert --json top.qcow2 whole.raw >facts
	[ "$(json '.shared > 20000000' facts)" = true ]
	identical top.qcow2 qcow2 whole.raw raw
	drydock convert -q -l before top.qcow2 then.raw
	identical then.qcow2 qcow2 then.raw raw
	drydock convert --json -B base.raw -F raw top.qcow2 slim.qcow2 >facts
	[ "$(json '.shared >= 900000 and .shared < 2000000' facts)" = true ]
	clean slim.qcow2
	identical top.qcow2 qcow2 slim.qcow2 qcow2
	drydock convert --json -f raw base.raw base.raw twice.qcow2 >facts
	# the second one begins in the middle of a block
	[ "$(json '.shared > 20000000 and .shared < 30000000' facts)" = true ]
	drydock convert -q -O raw twice.qcow2 - | cmp - <(cat base.raw base.raw)
	cd ..
}

@test "where blocks are wanted for the copy alone, or have to be looked at, they are copied" {
	local o

	mount_new xfs
	cd fs || return
	disk a.raw
	for o in "-O raw --preallocation=full" "-O qcow2 --preallocation=falloc" "-O raw --salvage" "-O qcow2 -c"; do
		echo "$o"
		# shellcheck disable=SC2086 # words
		drydock convert --json -f raw $o a.raw b.img >facts
		[ "$(json .shared facts)" = 0 ]
	done
	truncate -s "$(size_of a.raw)" there.raw
	drydock convert --json -n -f raw -O raw a.raw there.raw >facts
	[ "$(json .shared facts)" = 0 ]
	same a.raw there.raw
	# into another filesystem
	drydock convert --json -f raw -O raw a.raw ../b.raw >facts
	[ "$(json .shared facts)" = 0 ]
	same a.raw ../b.raw
	cd ..
}

@test "-S 0 shares what is stored and stores what is not" {
	mount_new btrfs
	cd fs || return
	disk a.raw
	drydock convert --json -S 0 -f raw -O raw a.raw b.raw >facts
	[ "$(json '.shared > 20000000' facts)" = true ]
	same a.raw b.raw
	[ "$(allocated b.raw)" -ge $((96 * 1024 * 1024)) ]
	cd ..
}

@test "a digest is taken and the copy is verified while blocks are shared" {
	mount_new btrfs
	cd fs || return
	disk a.raw
	drydock convert --json --verify --hash=sha256 -f raw a.raw b.qcow2 >facts
	[ "$(json '.shared > 20000000' facts)" = true ]
	[ "$(json -r .sha256 facts)" = "$(sha256sum <a.raw | cut -d ' ' -f 1)" ]
	identical a.raw raw b.qcow2 qcow2
	cd ..
}

@test "the kernel copies between raw and qcow2 where zeros are not looked for" {
	local o

	requires strace
	disk a.raw
	for o in "-S 0 -O qcow2" "-S 0 -O raw" "-C -O qcow2" "-C -O raw"; do
		echo "$o"
		# shellcheck disable=SC2086 # words
		strace -f -qq -e trace=copy_file_range -o calls "$DRYDOCK" convert -q -f raw $o a.raw b.img ||
			skip "strace cannot trace here"
		[ "$(grep -c 'copy_file_range(.*= [1-9]' calls)" -ge 20 ]
		identical a.raw raw b.img "${o##* }"
	done
	drydock convert -q -f raw a.raw b.qcow2
	strace -f -qq -e trace=copy_file_range -o calls "$DRYDOCK" convert -q -C b.qcow2 c.raw
	[ "$(grep -c 'copy_file_range(.*= [1-9]' calls)" -ge 20 ]
	same a.raw c.raw
	# into an image that is there, over what it held
	random_file c.raw 97M 9
	drydock convert -q -f raw c.raw d.qcow2
	drydock convert -q -C -n -f raw -O qcow2 a.raw d.qcow2
	clean d.qcow2
	drydock convert -q -O raw d.qcow2 - | head -c "$(size_of a.raw)" | cmp - a.raw
}
