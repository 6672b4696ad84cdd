# SPDX-License-Identifier: GPL-2.0-or-later
#
# mount: what the kernel sees in a filesystem through a loop device, it is to see through the mount.
load helpers
load guest

setup()
{
	make_folder
	mkdir m
}

teardown()
{
	local at

	for at in "$T"/m "$T"/k "$T"/user/m; do
		! mountpoint -q "$at" 2>/dev/null || umount -l "$at"
	done
	remove_folder
}

# Processes that serve what lies in this folder.
servers()
{
	pgrep -f "(mount|guestmount) .*$T" || true
}

until_gone()
{
	local i

	for ((i = 0; i < 300; i++)); do
		[ "$(servers)" ] || return 0
		sleep 0.1
	done
	ps -ef
	return 1
}

# odd_tree FILE: an ext4 filesystem with what a folder can hold.
odd_tree()
{
	requires mke2fs debugfs openssl
	mkdir -p tree/etc tree/empty tree/deep/er/est tree/many
	echo 127.0.0.1 >tree/etc/hosts
	random_file tree/deep/er/big 3M 7
	: >tree/deep/er/est/nothing
	ln tree/deep/er/big tree/etc/another-name
	ln -s ../deep tree/etc/link
	mkfifo tree/etc/pipe
	printf x >tree/etc/"$(printf 'new\nline')"
	printf x >tree/etc/"$(printf 'bytes\377')"
	truncate -s 5M tree/etc/hole
	printf middle | dd of=tree/etc/hole bs=1 seek=2M conv=notrunc status=none
	for i in {1..600}; do : >tree/many/a-name-that-is-somewhat-longer-$i; done
	touch -d '2001-02-03 04:05:06.000000007 UTC' tree/deep/er/big
	chmod 4755 tree/etc/hosts
	mke2fs -q -t ext4 -d tree "$1" 24M
	printf '\2\0\0\0\1\0\6\0\377\377\377\377\2\0\4\0\350\3\0\0\4\0\4\0\377\377\377\377\20\0\4\0\377\377\377\377\40\0\0\0\377\377\377\377' >acl
	debugfs -w -f - "$1" >/dev/null 2>&1 <<-EOS
		cd /etc
		mknod char c 5 300
		mknod block b 259 1000
		set_inode_field hosts uid 3000000
		ea_set hosts user.text value
		ea_set hosts system.posix_acl_access -f acl
	EOS
}

everything()
{
	(cd "$1" && find . -printf '%p %i %y %M %n %U %G %s %b %T@ %l\n' | sort)
}

of_each()
{
	(cd "$1" && find . ! -type l -print0 | sort -z | xargs -0 "${@:2}")
}

@test "files, facts and attributes are those that the kernel sees" {
	requires_fuse
	requires_loop_mount
	requires getfattr getfacl
	odd_tree tree.fs
	mkdir k
	mount -o loop,ro tree.fs k
	drydock mount tree.fs m
	same <(everything k) <(everything m)
	same <(cd k && find . -type f -exec sha256sum {} + | sort) <(cd m && find . -type f -exec sha256sum {} + | sort)
	same <(cd k && stat -c '%n %t %T' etc/char etc/block) <(cd m && stat -c '%n %t %T' etc/char etc/block)
	same <(of_each k getfattr -h -d -m -) <(of_each m getfattr -h -d -m -)
	same <(of_each k getfacl -n) <(of_each m getfacl -n)
	same <(stat -f -c '%s %S %b %c %l' k) <(stat -f -c '%s %S %b %c %l' m)
	# A second look comes from what the kernel has kept.
	same <(everything k) <(everything m)
	run ! touch m/new
	[[ $output == *"Read-only"* ]]
	drydock unmount m
}

@test "holes are holes, and a name that is not there stays so" {
	requires_fuse
	odd_tree tree.fs
	drydock mount tree.fs m
	cp --sparse=auto m/etc/hole copy
	same copy tree/etc/hole
	[ "$(allocated copy)" -lt 100000 ]
	requires python3
	python3 - m/etc/hole <<-EOF
		import os, sys
		fd = os.open(sys.argv[1], os.O_RDONLY)
		data = os.lseek(fd, 0, os.SEEK_DATA)
		assert 0 < data <= 2 << 20, data
		assert os.lseek(fd, data, os.SEEK_HOLE) > 2 << 20
		assert os.lseek(fd, 0, os.SEEK_HOLE) == 0
		try:
		    os.lseek(fd, 3 << 20, os.SEEK_DATA)
		    raise SystemExit("data behind the last")
		except OSError as e:
		    assert e.errno == 6, e
		assert os.pread(fd, 100, (5 << 20) - 10) == bytes(10)
		assert os.pread(fd, 100, 5 << 20) == b""
	EOF
	run ! cat m/nothing
	run ! cat m/nothing
	drydock unmount m
}

@test "the guest's own mounts are there, and no link leads out" {
	requires_fuse
	make_guest disk.img
	drydock mount disk.img m
	[ "$(cat m/boot/vmlinuz)" = kernel ]
	[ "$(readlink m/home/ann/absolute)" = /etc ]
	[ "$(stat -c %i m)" != "$(stat -c %i m/boot)" ]
	[ "$(stat -c %h m/home/ann/letter)" = 2 ]
	drydock unmount m
	# By hand, something else.
	drydock mount -m /dev/sda1 disk.img m
	[ -f m/vmlinuz ]
	drydock unmount m
}

@test "many readers at once read what is there: plain, compressed, in qcow2" {
	requires_fuse
	requires qemu-img mksquashfs openssl
	mkdir tree
	for i in 1 2 3 4; do random_file tree/$i 4M $i; done
	cat tree/1 tree/1 | gzip -9 >tree/5
	yes "text that compresses" | head -c 8M >tree/6
	mksquashfs tree sq.img -quiet -no-progress
	mke2fs -q -t ext4 -d tree ext.img 64M
	qemu-img convert -c -O qcow2 ext.img ext.qcow2
	(cd tree && sha256sum ./* >../sums)
	for image in sq.img ext.img ext.qcow2; do
		drydock mount "$image" m
		readers=()
		for i in 1 2 3 4 5 6; do
			(cd m && sha256sum -c --quiet ../sums) &
			readers+=($!)
		done
		for i in "${readers[@]}"; do wait "$i"; done
		drydock unmount m
	done
}

@test "users and groups are shown as asked" {
	requires_fuse
	make_guest disk.img
	drydock mount -o uid=1234,gid=2345,umask=027 disk.img m
	[ "$(stat -c '%u %g %a' m/home/ann/letter)" = "1234 2345 750" ]
	drydock unmount m
	drydock mount --map-uids=0:5000:10 --map-gids=0:6000 disk.img m
	[ "$(stat -c '%u %g' m/etc/fstab)" = "5000 6000" ]
	drydock unmount m
	fails_with 2 'is not GUEST:HOST[:COUNT]' drydock mount --map-uids=0:x disk.img m
	fails_with 2 'no number of a user' drydock mount -o uid=ann disk.img m
}

@test "what cannot be mounted leaves no mount and no process" {
	requires_fuse
	make_guest disk.img
	fails_with 1 'No such file' drydock mount nothing.img m
	fails_with 1 'No such file' drydock mount disk.img nowhere
	fails_with 1 'Not a directory' drydock mount disk.img disk.img
	fails_with 2 '' drydock mount -o no-such-option disk.img m
	fails_with 2 'name an image' drydock mount m
	fails_with 2 '-w without --blocks' drydock mount --discard disk.img m
	truncate -s 1M empty.img
	fails_with 1 '' drydock mount empty.img m
	run ! mountpoint -q m
	until_gone
}

@test "a signal to the process of the pid file ends all, and so does a server that dies" {
	requires_fuse
	make_guest disk.img
	drydock mount --pid-file="$T/pid" disk.img "$T/m"
	kill "$(cat pid)"
	until_gone
	run ! mountpoint -q m
	[ ! -e pid ]
	drydock mount --pid-file="$T/pid" disk.img "$T/m"
	kill -KILL "$(pgrep -P "$(cat pid)")"
	until_gone
	run ! mountpoint -q m
	# While it is in use, too: who has something open gets errors, not a hang.
	drydock mount --pid-file="$T/pid" disk.img "$T/m"
	exec 9<m/etc/fstab
	kill "$(cat pid)"
	until_gone
	run ! ls m/etc/fstab
	exec 9<&-
}

@test "in the foreground, and the word that it is ready" {
	requires_fuse
	make_guest disk.img
	mkfifo ready
	drydock mount --foreground --ready-fd=8 disk.img m 8>ready &
	[ "$(head -c 1 ready)" = 1 ]
	[ "$(cat m/etc/hostname)" = guest ]
	drydock unmount m
	wait $!
	# A terminal or a pipe is not held by what serves.
	out=$(drydock mount disk.img m)
	[ "$out" = "" ]
	umount m
	until_gone
}

@test "busy: who uses it is told" {
	requires_fuse
	make_guest disk.img
	drydock mount disk.img m
	(cd m && exec sleep 300) &
	sleeper=$!
	until [ "$(readlink "/proc/$sleeper/cwd")" = "$T/m" ]; do sleep 0.05; done
	fails_with 1 "m is busy: sleep (process $sleeper) has its working folder there" drydock unmount --retry=0 m
	fails_with 2 'is busy' "$COMPAT/guestunmount" --no-retry m
	fails_with 2 '' "$COMPAT/guestunmount" -q --no-retry m
	[ "$stderr" = "" ]
	kill $sleeper
	wait $sleeper || true
	exec 9<m/etc/fstab
	fails_with 1 'm/etc/fstab open' drydock unmount --retry=0 m
	exec 9<&-
	"$COMPAT/guestunmount" m
	fails_with 3 'nothing is mounted' "$COMPAT/guestunmount" m
	fails_with 1 'nothing is mounted' drydock unmount m
	fails_with 1 'you must specify' "$COMPAT/guestunmount"
}

@test "guestmount and guestunmount as scripts call them" {
	requires_fuse
	make_guest disk.img
	mkfifo ready
	(head -c 1 ready >got) &
	reader=$!
	"$COMPAT/guestmount" -a disk.img -i --ro --pid-file "$T/pid" --fd=8 -o allow_other,kernel_cache "$T/m" 8>ready
	[ "$(cat m/boot/vmlinuz)" = kernel ]
	wait $reader
	[ "$(cat got)" = 1 ]
	"$COMPAT/guestunmount" m
	until_gone
	"$COMPAT/guestmount" --format=raw -a disk.img -m /dev/sda2 -m /dev/sda1:/boot:ro:ext2 --ro --dir-cache-timeout 5 m
	[ -f m/boot/vmlinuz ]
	mkfifo closes
	"$COMPAT/guestunmount" --fd=7 m 7<closes &
	exec 8>closes
	mountpoint -q m
	exec 8>&-
	wait $!
	run ! mountpoint -q m
	fails_with 1 'either -i or -m' "$COMPAT/guestmount" -a disk.img --ro m
	fails_with 1 'at least one -a' "$COMPAT/guestmount" -i --ro m
	fails_with 1 'mount point' "$COMPAT/guestmount" -a disk.img -i --ro
	prints allow_other "$COMPAT/guestmount" --fuse-help
}

@test "an ordinary user mounts and unmounts" {
	requires_fuse
	make_guest disk.img
	mkdir -p user/m
	chown 65534:65534 disk.img user user/m
	# Who may use /dev/fuse and fusermount3 only as root, cannot.
	as_user "$DRYDOCK" mount disk.img user/m || skip "an ordinary user cannot mount here"
	[ "$(as_user cat user/m/home/ann/letter)" = secret ]
	as_user "$DRYDOCK" unmount user/m
	run ! mountpoint -q user/m
	until_gone
}

@test "what serves a guest has given up its rights" {
	requires_fuse
	requires_seccomp
	make_guest disk.img
	drydock mount --confine=required --pid-file="$T/pid" disk.img m
	server=$(pgrep -P "$(cat pid)")
	grep -q '^Seccomp:.*2$' "/proc/$server/status"
	grep -q '^NoNewPrivs:.*1$' "/proc/$server/status"
	drydock unmount m
}

@test "a damaged filesystem gives errors, and the mount lives" {
	requires_fuse
	odd_tree tree.fs
	# The folder many: its blocks are no longer those of a folder.
	block=$(debugfs -R 'blocks /many' tree.fs 2>/dev/null | awk '{ print $1 }')
	size=$(dumpe2fs -h tree.fs 2>/dev/null | awk '/^Block size/ { print $3 }')
	head -c "$size" /dev/zero | tr '\0' '\377' | dd of=tree.fs bs="$size" seek="$block" conv=notrunc status=none
	drydock mount tree.fs m
	run ! ls m/many
	[ "$(cat m/etc/hosts)" = 127.0.0.1 ]
	drydock unmount m
}

@test "--blocks: the disk, its partitions and snapshots as files" {
	requires_fuse
	requires qemu-img
	make_guest disk.img
	qemu-img convert -O qcow2 disk.img disk.qcow2
	qemu-img snapshot -c before disk.qcow2
	qemu-img snapshot -c a/b disk.qcow2
	qemu-io -c 'write -P 7 0 64k' disk.qcow2 >/dev/null
	drydock mount --blocks disk.qcow2 m
	(cd m && find . -type f -printf '%p %s\n' | sort) >list
	same list <(printf './%s\n' "disk.raw 25165824" "snapshots/a-b.raw 25165824" "snapshots/before.raw 25165824")
	drydock unmount m
	drydock mount --blocks -a disk.img -a disk.qcow2 m
	cmp m/sda.raw disk.img
	cmp m/partitions/sda1.raw boot.fs
	cmp m/partitions/sda2.raw root.fs
	cmp m/snapshots/sdb-before.raw disk.img
	run ! cmp m/sdb.raw disk.img
	cp --sparse=auto m/sda.raw copy
	same copy disk.img
	run ! dd if=/dev/zero of=m/sda.raw bs=512 count=1 conv=notrunc
	drydock unmount m
	fails_with 2 '-m has no place' drydock mount --blocks -m /dev/sda1 disk.img m
}

@test "--blocks -w: what is written is in the image, and seen through every file" {
	requires_fuse
	requires qemu-img e2fsck
	make_guest disk.img
	qemu-img convert -O qcow2 disk.img disk.qcow2
	drydock mount --blocks -w disk.qcow2 m
	printf hello | dd of=m/partitions/sda2.raw bs=1 seek=512 conv=notrunc status=none
	[ "$(dd if=m/disk.raw bs=1 skip=$((10240 * 512 + 512)) count=5 status=none)" = hello ]
	mke2fs -q -t ext4 -F m/partitions/sda1.raw
	e2fsck -fn m/partitions/sda1.raw
	# As with a device, cutting it off has no effect, nor is there room behind the end.
	printf 'x' >m/partitions/sda2.raw
	[ "$(stat -c %s m/partitions/sda2.raw)" = 16777216 ]
	run ! dd if=/dev/zero of=m/partitions/sda2.raw bs=1 seek=16777216 count=1 conv=notrunc
	[[ $output == *"No space"* ]]
	run ! truncate -s 1M m/disk.raw
	fallocate -p -o 1M -l 1M m/partitions/sda2.raw
	dd if=/dev/zero of=m/disk.raw bs=4k count=1 seek=100 conv=notrunc,fsync status=none
	# Nobody else may have it meanwhile.
	mkdir k
	fails_with 1 'another process' drydock mount --blocks disk.qcow2 k
	drydock unmount m
	clean disk.qcow2
	[ "$(drydock volumes --json disk.qcow2 | grep -c '"ext4"')" = 2 ]
	qemu-img convert -O raw disk.qcow2 after.img
	[ "$(dd if=after.img bs=1 skip=$((10240 * 512 + 512)) count=5 status=none)" = hello ]
	fails_with 1 'raw' drydock mount --blocks -w disk.img m
	drydock mount --blocks -w -f raw disk.img m
	cmp m/disk.raw disk.img
	drydock unmount m
}

@test "--live: what others write is seen at once, and what is half written is an error and no more" {
	requires_fuse
	requires mke2fs debugfs qemu-img
	mkdir t
	echo one >t/f
	mke2fs -q -t ext4 -d t live.img 16M
	drydock mount --live live.img m
	[ "$(cat m/f)" = one ]
	run ! cat m/g
	exec 9<m
	random_file big 3M 5
	debugfs -w -R "write big g" live.img >/dev/null 2>&1
	cmp m/g big
	debugfs -w -R "rm f" live.img >/dev/null 2>&1
	run ! cat m/f
	# Its number goes to a link.
	debugfs -w -R "symlink f g" live.img >/dev/null 2>&1
	[ "$(readlink m/f)" = g ]
	cmp m/f big
	exec 9<&-
	# Somebody is in the middle of something.
	cp live.img whole
	head -c 4096 /dev/zero | tr '\0' '\377' | dd of=live.img conv=notrunc status=none
	run ! ls m/g
	[[ $output == *"Input/output error"* ]]
	: >live.img
	run ! ls m/g
	cat whole >live.img
	cmp m/g big
	drydock unmount m
	fails_with 2 '--live is for files that are read' drydock mount --live -w live.img m
	fails_with 2 '--live is for files that are read' drydock mount --live --blocks live.img m
}

@test "--live: a qcow2 image whose tables change, beside a writer that never rests" {
	requires_fuse
	requires mke2fs qemu-img
	mkdir a b
	random_file a/f 2M 1
	random_file b/f 3M 2
	random_file b/g 1M 3
	mke2fs -q -t ext4 -d a a.img 16M
	mke2fs -q -t ext4 -d b b.img 16M
	cp a.img raw.img
	qemu-img convert -O qcow2 a.img live.qcow2
	drydock mount --live live.qcow2 m
	cmp m/f a/f
	qemu-img convert -n -O qcow2 b.img live.qcow2
	cmp m/f b/f
	cmp m/g b/g
	qemu-img snapshot -c one live.qcow2
	qemu-img convert -n -O qcow2 a.img live.qcow2
	cmp m/f a/f
	run ! ls m/g
	qemu-img snapshot -a one live.qcow2
	cmp m/g b/g
	# Another image of the same name's file is none that was asked for.
	qemu-img create -q -f qcow2 -o cluster_size=4k other.qcow2 16M
	cp live.qcow2 kept
	cat other.qcow2 >live.qcow2
	run ! ls m/g
	cat kept >live.qcow2
	cmp m/g b/g
	(while [ ! -e stop ]; do
		cat a.img >raw.img
		cat b.img >raw.img
	done) &
	writer=$!
	mkdir k
	# It may begin in a moment in which there is nothing to be mounted.
	until drydock mount --live -f raw raw.img k 2>/dev/null; do :; done
	for i in {1..60}; do
		ls -lR k >/dev/null 2>&1 || true
		cat k/f k/g >/dev/null 2>&1 || true
	done
	touch stop
	wait $writer
	cmp k/f b/f
	cmp k/g b/g
	drydock unmount k
	drydock unmount m
}

@test "--blocks -w: logical volumes and what an encrypted volume holds, but not what a snapshot depends on" {
	requires_fuse
	requires e2fsck sfdisk cryptsetup
	sh "$BATS_TEST_DIRNAME/lvm_guest" "$BATS_TEST_DIRNAME/../broken/lib.sh"
	drydock mount --blocks a.img b.img m
	[ "$(stat -c %a m/volumes/vg-a-home.raw)" = 400 ]
	[ "$(drydock cat -m /dev/sda m/volumes/vg-a-before.raw:/etc/hostname)" = name-old ]
	[ "$(drydock cat -m /dev/sda m/volumes/vg-a-root.raw:/etc/hostname)" = name-now ]
	drydock unmount m
	drydock mount --blocks -w -f raw a.img b.img m
	mke2fs -q -F -t ext2 -L written m/volumes/vg-a-home.raw
	e2fsck -fn m/volumes/vg-a-home.raw
	[ "$(stat -c %a m/volumes/vg-a-root.raw m/volumes/vg-a-before.raw | xargs)" = "400 400" ]
	run ! dd if=/dev/zero of=m/volumes/vg-a-root.raw bs=512 count=1 conv=notrunc
	[[ $output == *"Read-only"* ]]
	drydock unmount m
	drydock volumes -a a.img -a b.img | grep -q 'vg-a/home.* written'

	truncate -s 24M disk.raw
	printf 'start=2048\n' | sfdisk -q disk.raw
	truncate -s 23M part
	printf secret | cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --sector-size 4096 part -
	dd if=part of=disk.raw bs=1M seek=1 conv=notrunc status=none
	drydock mount --blocks -w -f raw --key all:key:secret disk.raw m
	inside=(m/volumes/mapper-luks-*.raw)
	mke2fs -q -F -t ext4 "${inside[0]}"
	random_file bytes 300007 9
	# At no sector's bound, and over what was read before.
	dd if=bytes of="${inside[0]}" bs=100003 seek=20 conv=notrunc,fsync status=none
	cmp -n 300007 -i 2000060:0 "${inside[0]}" bytes
	cp "${inside[0]}" inside
	run ! cmp -n 300007 -i "$((2000060)):0" m/partitions/sda1.raw bytes
	drydock unmount m
	drydock mount --blocks -f raw --key all:key:secret disk.raw m
	inside=(m/volumes/mapper-luks-*.raw)
	cmp "${inside[0]}" inside
	drydock unmount m
}

@test "a domain is mounted, by its file and under the peer's name" {
	requires_fuse
	make_guest g.img
	cat >web.xml <<-EOF
		<domain type='test'><name>web</name><devices>
		<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='$T/g.img'/><target dev='vda'/></disk>
		</devices></domain>
	EOF
	drydock mount -d web.xml m 2>why || { ! grep -q 'is not installed' why || skip "libxml2 is not installed"; cat why; false; }
	[ "$(cat m/boot/vmlinuz)" = kernel ]
	drydock unmount m
	"$COMPAT/guestmount" -d "$T/web.xml" -i --ro "$T/m"
	[ "$(cat m/etc/hostname)" = guest ]
	"$COMPAT/guestunmount" m
}

@test "guestunmount tries again until nobody uses it" {
	requires_fuse
	make_guest disk.img
	drydock mount disk.img m
	exec 9<m/etc/fstab
	"$COMPAT/guestunmount" --retry=100 m 9<&- &
	unmounts=$!
	sleep 0.2
	mountpoint -q m
	exec 9<&-
	wait $unmounts
	run ! mountpoint -q m
	until_gone
	# One whose keeper was killed is cut off, and can be taken away.
	drydock mount --pid-file="$T/pid" disk.img "$T/m"
	kill -KILL "$(cat pid)"
	until_gone
	drydock unmount "$T/m"
	run ! mountpoint -q "$T/m"
}

@test "fio reads what is there, many at once" {
	requires_fuse
	requires fio
	odd_tree tree.fs
	drydock mount tree.fs m
	before=$(sha256sum <tree/deep/er/big)
	fio --name=read --filename=m/deep/er/big --readonly --rw=randread --bs=4k --size=3M --numjobs=4 --ioengine=psync --minimal >/dev/null
	fio --name=map --filename=m/deep/er/big --readonly --rw=randread --bs=4k --size=3M --ioengine=mmap --minimal >/dev/null
	fio --name=direct --filename=m/deep/er/big --readonly --rw=read --bs=64k --size=3M --direct=1 --ioengine=psync --minimal >/dev/null
	[ "$(sha256sum <m/deep/er/big)" = "$before" ]
	drydock unmount m
}
