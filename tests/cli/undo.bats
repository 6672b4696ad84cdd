# SPDX-License-Identifier: GPL-2.0-or-later
# Changes that were interrupted, as commands find them, and changes that are taken back.
load helpers

setup()
{
	make_folder
	export XDG_STATE_HOME=$T/state
	TOOL=$BUILD/cli-tests/redo_tool
}

teardown()
{
	cd /
	if mountpoint -q "$T/fs"; then
		umount "$T/fs"
	fi
	remove_folder
}

# killed ARG...: the tool dies at its second write to the images.
killed()
{
	run "$TOOL" -k 2 "$@"
	[ "$status" = 137 ]
}

# journals [FOLDER]: how many there are.
journals()
{
	find "${1:-.}" -maxdepth 1 -name '*drydock-redo*' | wc -l
}

# byte FORMAT IMAGE OFF: the letter there.
byte()
{
	drydock convert -q -f "$1" -O raw "$2" out.raw 2>said
	dd if=out.raw bs=1 skip="$3" count=1 status=none
}

@test "undo takes back what was done to a qcow2 image, and says what was done to it since" {
	random_file a.raw 1M 1
	drydock convert -q -f raw -O qcow2 a.raw a.qcow2
	[ "$("$TOOL" -u u qcow2:a.qcow2 -- 0:5000:n 500000:10:n)" = 3 ]
	[ "$(byte qcow2 a.qcow2 500000)" = n ]
	prints "u: 12 KiB written back to 1 image" drydock undo u
	identical a.raw raw a.qcow2 qcow2
	drydock check -q a.qcow2
	fails_with 1 'it is as it was before the change' drydock undo u
	[ "$("$TOOL" -u u2 qcow2:a.qcow2 -- 0:5000:n)" = 2 ]
	drydock io -c 'write -q -P 7 100 1' a.qcow2
	fails_with 1 'it was changed since, so that what was done before cannot be taken back' drydock undo u2
	[ "$(journals)" = 0 ]
}

@test "undo of two disks, which have been moved" {
	drydock create -q -f raw a.raw 1M
	drydock create -q -f qcow2 b.qcow2 2M
	"$TOOL" -u u raw:a.raw qcow2:b.qcow2 -- 0:5000:n
	mkdir elsewhere
	mv a.raw b.qcow2 elsewhere
	fails_with 1 'a.raw: No such file' drydock undo u
	fails_with 1 'the change was of 2 images, and 1 are given' drydock undo u elsewhere/a.raw
	[ "$(drydock undo --json u elsewhere/a.raw elsewhere/b.qcow2 | json .bytes)" = 16384 ]
	drydock create -q -f raw z.raw 1M
	identical z.raw raw elsewhere/a.raw raw
}

@test "undo refuses what is no undo file, and images that a stranger's file names" {
	requires_root
	echo text >text
	fails_with 1 'text: no undo file' drydock undo text
	fails_with 2 'needs the file that was kept' drydock undo
	drydock create -q -f raw a.raw 1M
	"$TOOL" -u u raw:a.raw -- 0:5000:n
	chown 12345 u
	fails_with 1 'u: others could have written it, so what images it names is not trusted; name them' drydock undo u
	[ "$(byte raw a.raw 0)" = n ]
	drydock undo -q u a.raw
	[ "$(byte raw a.raw 0 | od -An -tx1 | tr -d ' ')" = 00 ]
}

@test "a command that reads shows an interrupted change, one that writes completes it, and both say so" {
	drydock create -q -f qcow2 a.qcow2 4M
	drydock create -q -f qcow2 -b a.qcow2 -F qcow2 top.qcow2
	killed qcow2:a.qcow2 -- 0:5000:n 1000000:70000:n
	cp a.qcow2 was
	[ "$(byte qcow2 top.qcow2 1069999)" = n ]
	grep -q 'drydock: .*/a.qcow2: shown as a change makes it that was interrupted; the next command that writes to it completes that' said
	cmp a.qcow2 was
	run --separate-stderr drydock resize -q a.qcow2 +1M
	[ "$status" = 0 ]
	[ "$stderr" = 'drydock: a.qcow2: a change that was interrupted is completed now (81920 bytes)' ]
	run --separate-stderr drydock check a.qcow2
	[ "$status" = 0 ]
	[ "$stderr" = '' ]
	[ "$(byte qcow2 a.qcow2 4999)" = n ]
	[ "$(journals)" = 0 ]
}

@test "an interrupted change that who reads may not look at, or that is damaged, is no reason to show a mixture" {
	requires_root
	requires setpriv
	drydock create -q -f raw a.raw 1M
	killed raw:a.raw -- 0:5000:n 500000:10:n
	chmod 755 "$T"
	as_user "$DRYDOCK" convert -q -f raw -O raw a.raw seen 2>said
	[ "$(dd if=seen bs=1 skip=500000 count=1 status=none)" = n ]
	grep -q 'shown as a change makes it' said
	chmod 600 .a.raw.drydock-redo
	for command in 'convert -q -f raw -O raw a.raw other' 'volumes -f raw a.raw' 'map -f raw a.raw'; do
		# shellcheck disable=SC2086 # words
		run --separate-stderr as_user "$DRYDOCK" $command
		[ "$status" = 1 ]
		[ "${#stderr_lines[@]}" = 1 ]
		[[ $stderr == *'it was interrupted that cannot be shown, and it may hold a part of that: '*'Permission denied'* ]]
	done
	as_user "$DRYDOCK" info -f raw a.raw >/dev/null
	as_user "$DRYDOCK" map -U -f raw a.raw >/dev/null
	printf x | dd of=.a.raw.drydock-redo bs=1 seek=65600 conv=notrunc status=none
	fails_with 1 'its journal is damaged' drydock volumes -f raw a.raw
	fails_with 1 'its journal is damaged; if the image is right as it is, remove' drydock resize -f raw a.raw 2M
}

@test "an interrupted change on a filesystem that cannot be written to" {
	requires_root
	mkdir fs
	mount -t tmpfs -o size=8M tmpfs fs 2>/dev/null || skip "nothing can be mounted here"
	drydock create -q -f raw fs/a.raw 1M
	killed raw:fs/a.raw -- 0:5000:n 500000:10:n
	mount -o remount,ro fs
	[ "$(byte raw fs/a.raw 500000)" = n ]
	grep -q 'shown as a change makes it' said
	fails_with 1 'Read-only file system' drydock resize -f raw fs/a.raw 2M
	mount -o remount,rw fs
	drydock resize -q -f raw fs/a.raw 2M 2>said
	grep -q 'is completed now' said
	[ "$(byte raw fs/a.raw 500000)" = n ]
}

@test "many next commands at once: each shows the change whole, or says that another is at it" {
	for _ in 1 2 3; do
		drydock create -q -f raw a.raw 1M
		killed raw:a.raw -- 0:5000:n 500000:100000:n
		pids=()
		for i in 1 2 3 4 5 6; do
			if [ $((i % 3)) = 0 ]; then
				"$DRYDOCK" io -f raw -c 'write -q -P 7 900000 1' a.raw >said.$i 2>&1 &
			else
				"$DRYDOCK" io -r -f raw -c 'read -q -P 0x6e 500000 100000' -c 'read -q -P 0x6e 0 5000' a.raw \
					>said.$i 2>&1 &
			fi
			pids+=($!)
		done
		for pid in "${pids[@]}"; do wait "$pid" || true; done
		run ! grep -hv 'shown as a change\|is completed now\|another process\|lock$' said.?
		[ "$(byte raw a.raw 599999)" = n ]
		drydock io -f raw -c flush a.raw
		[ "$(journals)" = 0 ]
		rm a.raw
	done
}

@test "under the peers' names, too" {
	drydock create -q -f qcow2 a.qcow2 4M
	killed qcow2:a.qcow2 -- 0:5000:n
	run --separate-stderr "$COMPAT/qemu-img" snapshot -c one a.qcow2
	[ "$status" = 0 ]
	[ "$stderr" = 'qemu-img: a.qcow2: a change that was interrupted is completed now (8192 bytes)' ]
	killed qcow2:a.qcow2 -- 0:5000:m
	run --separate-stderr "$COMPAT/qemu-io" -c 'read -q -P 0x6d 0 5000' a.qcow2
	[ "$status" = 0 ]
	[ "$stderr" = 'drydock: a.qcow2: a change that was interrupted is completed now (8192 bytes)' ]
}

@test "two disks are one change, in whichever order they are opened" {
	mkdir b
	for first in a.qcow2 b/b.raw; do
		drydock create -q -f qcow2 a.qcow2 1M
		drydock create -q -f raw b/b.raw 1M
		killed qcow2:a.qcow2 raw:b/b.raw -- 0:5000:n 500000:1:n
		[ "$(byte qcow2 a.qcow2 500000)" = n ]
		[ "$(byte raw b/b.raw 500000)" = n ]
		for f in $first a.qcow2 b/b.raw; do
			drydock io -f "${f##*.}" -c flush $f 2>/dev/null
		done
		[ "$(byte qcow2 a.qcow2 500000)" = n ]
		[ "$(byte raw b/b.raw 500000)" = n ]
		[ "$(find . -name '*drydock-redo*' | wc -l)" = 0 ]
		rm a.qcow2 b/b.raw
	done
}

@test "an image in a folder that cannot be written to, and a block device, have their journals in a folder of state" {
	requires_root
	mkdir closed
	drydock create -q -f raw closed/a.raw 1M
	chown 65534 closed/a.raw
	chmod 555 closed
	mkdir state
	chmod 777 state .
	cp "$TOOL" tool
	run setpriv --reuid=65534 --regid=65534 --clear-groups ./tool -k 2 raw:closed/a.raw -- 0:5000:n 500000:1:n
	[ "$status" = 137 ]
	[ "$(ls -A closed)" = a.raw ]
	[ "$(journals state/drydock)" = 1 ]
	[ "$(byte raw closed/a.raw 500000)" = n ]
	drydock io -f raw -c flush closed/a.raw 2>/dev/null
	[ "$(ls -A state/drydock)" = '' ]
	[ "$(dd if=closed/a.raw bs=1 skip=500000 count=1 status=none)" = n ]
	loop=$(losetup -f --show closed/a.raw 2>/dev/null) || skip "no loop devices"
	run "$TOOL" -k 2 "raw:$loop" -- 0:5000:m 500000:1:m
	[ "$status" = 137 ]
	[ "$(journals state/drydock)" = 1 ]
	seen=$(byte raw "$loop" 500000)
	drydock io -f raw -c flush "$loop" 2>said
	left=$(ls -A state/drydock)
	losetup -d "$loop"
	[ "$seen" = m ]
	grep -q 'is completed now' said
	[ "$left" = '' ]
}

@test "an image in the middle of a change is locked" {
	drydock create -q -f raw a.raw 1M
	killed raw:a.raw -- 0:5000:n
	# A process that holds the journal: as another that changes it.
	perl -e 'use Fcntl; open(F, "+<", ".a.raw.drydock-redo") or die; my $l = pack("s s x![q] q q i x4", F_WRLCK, SEEK_SET, 0, 0, 0);
		fcntl(F, 37, $l) or die "$!"; open(G, ">", "held"); close(G); sleep 1000' &
	holder=$!
	until [ -e held ]; do sleep 0.05; done
	run drydock resize -q -f raw a.raw +1M
	kill $holder
	[ "$status" = 1 ]
	[[ $output == *'another process is changing this image'* ]]
	drydock resize -q -f raw a.raw +1M
}

@test "encrypted images" {
	printf secret >pass
	drydock create -q -f qcow2 -o encrypt.format=luks,encrypt.key-secret=k,encrypt.iter-time=10 --secret k=pass a.qcow2 1M
	drydock create -q -f luks -o key-secret=k,iter-time=10 --secret k=pass b.luks 1M
	"$TOOL" -s secret,id=k,data=secret qcow2:a.qcow2 luks:b.luks -- 0:1000000:o
	"$TOOL" -s secret,id=k,data=secret -u u qcow2:a.qcow2 -- 0:1000:x
	drydock undo -q --secret k=pass --open encrypt.key-secret=k u
	run "$TOOL" -s secret,id=k,data=secret -k 3 qcow2:a.qcow2 luks:b.luks -- 500000:10000:n
	[ "$status" = 137 ]
	for f in encrypt.key-secret=k:a.qcow2 key-secret=k:b.luks; do
		drydock convert -q --secret k=pass --open "${f%:*}" -O raw "${f#*:}" out.raw 2>said
		grep -q 'shown as a change makes it' said
		[ "$(tr -d o <out.raw | head -c 10000 | tr -d n | wc -c)" = 0 ]
		[ "$(dd if=out.raw bs=1 skip=509999 count=1 status=none)" = n ]
	done
	fails_with 1 'it is as it was before the change' drydock undo --secret k=pass --open encrypt.key-secret=k u
	[ ! -e .a.qcow2.drydock-redo ]
}

@test "internal snapshots and bitmaps" {
	requires qemu-img
	drydock create -q -f qcow2 c.qcow2 1M
	drydock bitmap add c.qcow2 mine
	drydock snapshot create c.qcow2 before
	"$TOOL" qcow2:c.qcow2 -- 0:5000:n
	killed qcow2:c.qcow2 -- 600000:5000:n
	drydock io -f qcow2 -c flush c.qcow2 2>/dev/null
	clean c.qcow2
	[ "$(byte qcow2 c.qcow2 604999)" = n ]
	drydock snapshot apply c.qcow2 before
	[ "$(byte qcow2 c.qcow2 0 | od -An -tx1 | tr -d ' ')" = 00 ]
}

@test "where files share blocks, a large change is not copied" {
	requires_root
	requires mkfs.xfs losetup strace
	truncate -s 400M fs.img
	mkfs.xfs -q -m reflink=1 fs.img 2>/dev/null || skip "mkfs.xfs cannot make one here"
	mkdir fs
	mount -o loop fs.img fs 2>/dev/null || skip "this machine cannot mount xfs"
	requires_tracing
	drydock create -q -f raw fs/a.raw 64M
	drydock create -q -f qcow2 fs/b.qcow2 64M
	strace -f -e trace=ioctl -o trace "$TOOL" -u fs/u raw:fs/a.raw qcow2:fs/b.qcow2 -- 0:1000000:o 2097152:20971520:n
	grep -c 'FICLONERANGE.* = 0' trace
	truncate -s 64M want.raw
	head -c 1000000 /dev/zero | tr '\0' o | dd of=want.raw conv=notrunc status=none
	head -c 20971520 /dev/zero | tr '\0' n | dd of=want.raw bs=1M seek=2 conv=notrunc status=none
	identical want.raw raw fs/a.raw raw
	identical want.raw raw fs/b.qcow2 qcow2
	drydock check -q fs/b.qcow2
	drydock undo -q fs/u
	truncate -s 64M zeros.raw
	identical zeros.raw raw fs/a.raw raw
}

@test "a full disk is found out before the change counts" {
	requires_root
	mkdir fs
	mount -t tmpfs -o size=6m none fs 2>/dev/null || skip "this machine cannot mount a tmpfs"
	drydock create -q -f qcow2 fs/a.qcow2 64M
	"$TOOL" qcow2:fs/a.qcow2 -- 0:1000000:o
	cp fs/a.qcow2 was
	# The journal has room for it, and the image has not.
	fails_with 1 'No space left on device' "$TOOL" qcow2:fs/a.qcow2 -- 0:3000000:n
	cmp fs/a.qcow2 was
	fails_with 1 'No space left on device' "$TOOL" qcow2:fs/a.qcow2 -- 0:30000000:n
	cmp fs/a.qcow2 was
	[ "$(ls -A fs)" = a.qcow2 ]
}
