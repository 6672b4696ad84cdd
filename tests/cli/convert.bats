# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154

load helpers

# Data, holes, and stored zeros; some text, so that compression has something to do.
mixed_file()
{
	truncate -s "${2:-24M}" "$1"
	random_file part 3M 7
	dd if=part of="$1" bs=64k seek=5 conv=notrunc status=none
	dd if=/dev/zero of="$1" bs=1M seek=9 count=3 conv=notrunc status=none
	seq 500000 | dd of="$1" bs=1M seek=14 conv=notrunc iflag=fullblock status=none
	dd if=part of="$1" bs=512 seek=39999 count=3 conv=notrunc status=none
	rm part
}

@test "raw and qcow2, there and back" {
	mixed_file a.raw
	drydock convert -q -f raw a.raw b.qcow2
	clean b.qcow2
	identical a.raw raw b.qcow2 qcow2
	drydock convert -q b.qcow2 c.raw
	same a.raw c.raw
	# stored zeros are left out, and nothing else
	[ "$(allocated c.raw)" -le "$(allocated a.raw)" ]
}

@test "the same disk becomes the same file each time, unless -W frees the order" {
	mixed_file a.raw
	for o in "" -c "-c -o compression_type=zstd" "-S 64k"; do
		# shellcheck disable=SC2086 # words
		drydock convert -q --threads 1 $o -f raw -O qcow2 a.raw want.qcow2
		for n in 3 9 16; do
			# shellcheck disable=SC2086 # words
			drydock convert -q --threads $n $o -f raw -O qcow2 a.raw b.qcow2
			cmp b.qcow2 want.qcow2
			# shellcheck disable=SC2086 # words
			"$COMPAT/qemu-img" convert -m $n $o -f raw -O qcow2 a.raw b.qcow2
			cmp b.qcow2 want.qcow2
		done
		# shellcheck disable=SC2086 # words
		"$COMPAT/qemu-img" convert -W -m 16 $o -f raw -O qcow2 a.raw b.qcow2
		identical a.raw raw b.qcow2 qcow2
	done
}

@test "everything that is written, in every geometry, the reference calls clean and the same" {
	requires qemu-img
	mixed_file a.raw
	for o in compat=0.10 cluster_size=512 cluster_size=4k cluster_size=2M refcount_bits=1 refcount_bits=64 \
		lazy_refcounts=on extended_l2=on,cluster_size=128k compression_type=zstd preallocation=metadata \
		preallocation=full data_file=data.raw data_file=data.raw,data_file_raw=on; do
		for c in '' -c; do
			[[ $c && $o == @(data_file|prealloc)* ]] && continue
			echo "$o $c"
			drydock convert -q $c -f raw -O qcow2 -o "$o" a.raw b.qcow2
			qemu-img check -q b.qcow2
			qemu-img compare -q -f raw -F qcow2 a.raw b.qcow2
			rm -f data.raw
		done
	done
}

@test "everything that the reference writes is read" {
	requires qemu-img
	mixed_file a.raw
	for o in compat=0.10 cluster_size=512 cluster_size=4k cluster_size=2M refcount_bits=1 refcount_bits=64 \
		lazy_refcounts=on extended_l2=on,cluster_size=128k compression_type=zstd preallocation=metadata \
		preallocation=full data_file=data.raw data_file=data.raw,data_file_raw=on; do
		for c in '' -c; do
			[[ $c && $o == @(data_file|prealloc)* ]] && continue
			echo "$o $c"
			qemu-img convert $c -f raw -O qcow2 -o "$o" a.raw b.qcow2
			drydock convert -q b.qcow2 c.raw
			same a.raw c.raw
			drydock compare -q -f raw a.raw b.qcow2
			rm -f data.raw
		done
	done
}

@test "a compressed copy is smaller" {
	mixed_file a.raw
	drydock convert -q -f raw a.raw b.qcow2
	drydock convert -q -c -f raw a.raw c.qcow2
	[ "$(allocated c.qcow2)" -lt "$(allocated b.qcow2)" ]
	fails_with 2 'not preallocated' drydock convert -c --preallocation full -f raw a.raw d.qcow2
	fails_with 2 'raw images have no compressed clusters' drydock convert -c -f raw -O raw a.raw d.raw
}

@test "sizes that are no multiple of a cluster" {
	for size in 512 1536 65536 66048 1049088; do
		random_file a.raw "$size" 3
		drydock convert -q -f raw a.raw b.qcow2
		clean b.qcow2
		identical a.raw raw b.qcow2 qcow2
		drydock convert -q -c -f raw a.raw b.qcow2
		clean b.qcow2
		identical a.raw raw b.qcow2 qcow2
		drydock convert -q b.qcow2 c.raw
		same a.raw c.raw
	done
}

@test "an empty disk" {
	: >a.raw
	drydock convert -q -f raw a.raw b.qcow2
	clean b.qcow2
	drydock convert -q b.qcow2 c.raw
	[ "$(size_of c.raw)" = 0 ]
}

@test "a chain is made one, and a snapshot is read alone" {
	requires qemu-img qemu-io
	mixed_file base.raw
	qemu-img create -q -f qcow2 -b base.raw -F raw mid.qcow2
	qemu-io -c 'write -q -P 7 1M 300k' -c 'write -q -z 5M 1M' mid.qcow2
	qemu-img snapshot -c before mid.qcow2
	cp mid.qcow2 then.qcow2
	qemu-io -c 'write -q -P 8 2M 64k' mid.qcow2
	qemu-img create -q -f qcow2 -b mid.qcow2 -F qcow2 top.qcow2 40M
	qemu-io -c 'write -q -P 9 30M 64k' -c 'discard -q 1M 64k' top.qcow2
	drydock convert -q top.qcow2 whole.qcow2
	clean whole.qcow2
	identical top.qcow2 qcow2 whole.qcow2 qcow2
	[ "$(qemu-img info --output=json whole.qcow2 | json '."backing-filename"')" = null ]
	drydock convert -q -l before mid.qcow2 snap.raw
	qemu-img snapshot -a before then.qcow2
	identical then.qcow2 qcow2 snap.raw raw
	fails_with 1 'never' drydock convert -l never mid.qcow2 x.raw
	[ ! -e x.raw ]
}

@test "with a backing file only what differs is copied" {
	requires qemu-img qemu-io
	mixed_file base.raw
	drydock convert -q -f raw base.raw base.qcow2
	cp base.qcow2 twin.qcow2
	qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 mid.qcow2
	qemu-io -c 'write -q -P 7 1M 300k' mid.qcow2
	qemu-img create -q -f qcow2 -b mid.qcow2 -F qcow2 top.qcow2 40M
	qemu-io -c 'write -q -P 9 30M 64k' -c 'write -q -z 14M 1M' -c 'write -q -P 0 2M 64k' top.qcow2
	for b in mid.qcow2 base.qcow2 twin.qcow2; do # its own, one further down, and a stranger with like content
		drydock convert -q -B $b -F qcow2 top.qcow2 diff.qcow2
		clean diff.qcow2
		identical top.qcow2 qcow2 diff.qcow2 qcow2
		[ "$(allocated diff.qcow2)" -lt 2000000 ]
		drydock convert -q -c -B $b -F qcow2 top.qcow2 diff.qcow2
		clean diff.qcow2
		identical top.qcow2 qcow2 diff.qcow2 qcow2
	done
	# version 2 has no zero clusters: zeros over data are stored
	drydock convert -q -B base.qcow2 -F qcow2 -o compat=0.10 top.qcow2 diff.qcow2
	clean diff.qcow2
	identical top.qcow2 qcow2 diff.qcow2 qcow2
	fails_with 2 'a backing file goes with one source' drydock convert -B base.qcow2 -F qcow2 top.qcow2 mid.qcow2 x.qcow2
}

@test "several sources lie one behind the other" {
	random_file a 700K 1
	random_file b 5M 2
	truncate -s 3M c
	random_file d 512 3
	drydock convert -q -f raw -O qcow2 a b c d all.qcow2
	clean all.qcow2
	cat a b c d >all.raw
	identical all.raw raw all.qcow2 qcow2
}

@test "-n writes into what is there, whatever it held" {
	requires qemu-img
	mixed_file a.raw
	random_file b.raw 30M 5
	cp b.raw was.raw
	ino=$(stat -c %i b.raw)
	drydock convert -q -n -f raw -O raw a.raw b.raw
	[ "$(stat -c %i b.raw)" = "$ino" ]
	cmp -n "$(size_of a.raw)" a.raw b.raw
	cmp -i "$(size_of a.raw)" b.raw was.raw # what lies behind stays
	qemu-img convert -f raw -O qcow2 was.raw c.qcow2
	drydock convert -q -n -f raw -O qcow2 a.raw c.qcow2
	clean c.qcow2
	cmp -n "$(size_of a.raw)" a.raw <(qemu-img dd -f qcow2 -O raw if=c.qcow2 of=c.raw bs=1M && cat c.raw)
	truncate -s 1M short.raw
	fails_with 2 'shorter' drydock convert -n -f raw -O raw a.raw short.raw
	fails_with 2 'no format is recognised' drydock convert -n -f raw a.raw b.raw
}

@test "-S 0 stores everything" {
	mixed_file a.raw
	drydock convert -q -S 0 -f raw a.raw b.raw
	same a.raw b.raw
	[ "$(allocated b.raw)" -ge "$(size_of a.raw)" ]
	drydock convert -q -S 0 -f raw a.raw b.qcow2
	clean b.qcow2
	identical a.raw raw b.qcow2 qcow2
	[ "$(allocated b.qcow2)" -ge "$(size_of a.raw)" ]
	fails_with 2 'no multiple of 512' drydock convert -S 100 -f raw a.raw b.raw
}

@test "onto a block device, in place" {
	requires_root
	requires losetup
	mixed_file a.raw
	random_file disk 30M 4
	dev=$(losetup --find --show disk 2>/dev/null) || skip "no loop devices"
	drydock convert -q -f raw -O qcow2 a.raw "$dev" || status=$?
	qemu-img compare -q -f raw -F qcow2 a.raw "$dev" || status=1
	drydock convert -q -n -f raw -O raw a.raw "$dev" || status=$?
	cmp -n "$(size_of a.raw)" a.raw "$dev" || status=1
	losetup -d "$dev"
	[ "${status-0}" = 0 ]
}

@test "a block device whose driver has no fallocate is zeroed by its own call" {
	requires_root
	requires losetup
	requires_tracing
	truncate -s 8M a.raw
	seq 100000 | dd of=a.raw bs=1M seek=2 conv=notrunc status=none
	random_file disk 30M 4
	dev=$(losetup --find --show disk 2>/dev/null) || skip "no loop devices"
	strace -f -o log -e trace=ioctl,fallocate -e inject=fallocate:error=EOPNOTSUPP "$DRYDOCK" convert -q -n -f raw -O raw a.raw "$dev" || status=$?
	cmp -n "$(size_of a.raw)" a.raw "$dev" || status=1
	grep -q BLKZEROOUT log || status=1
	losetup -d "$dev"
	[ "${status-0}" = 0 ]
}

@test "progress as JSON ends with all done" {
	mixed_file a.raw
	run -0 --separate-stderr drydock convert -q --progress=json -f raw a.raw b.qcow2
	[ "$(tail -n1 <<<"$stderr" | json -c '[.done, .total]')" = '[25165824,25165824]' ]
	run -0 --separate-stderr drydock convert -q -p -f raw a.raw b.qcow2
	[[ $stderr == *'100.0 %'* ]]
	run -0 --separate-stderr drydock convert -q -f raw a.raw b.qcow2
	[ -z "$stderr$output" ]
}

@test "the rate is kept" {
	random_file a.raw 8M 1
	SECONDS=0
	drydock convert -q -r 4M -f raw a.raw b.raw
	[ "$SECONDS" -ge 1 ]
	same a.raw b.raw
}

@test "cache modes, threads and --json" {
	mixed_file a.raw
	for mode in none writethrough directsync unsafe; do
		drydock convert -q -t "$mode" -T "$mode" -m 3 -f raw a.raw b.qcow2
		identical a.raw raw b.qcow2 qcow2
	done
	fails_with 2 'no cache mode' drydock convert -t slow -f raw a.raw b.qcow2
	run -0 drydock convert --json -f raw a.raw b.qcow2
	[ "$(json '[.image, .format, .size, .unread]' <<<"$output")" = '["b.qcow2","qcow2",25165824,0]' ]
}

# A file of this machine's own programs, which is what system disks hold.
programs()
{
	local f

	for f in /bin/bash /usr/bin/*; do
		[ -f "$f" ] && [ -r "$f" ] && cat "$f"
		[ "$(stat -c %s "$1" 2>/dev/null || echo 0)" -lt 25165824 ] || break
	done >"$1"
	truncate -s 24M "$1"
}

@test "compressed images are at most a tenth larger than the reference's, and zstd a twentieth" {
	local method

	requires qemu-img
	programs a.raw
	for method in zlib zstd; do
		drydock convert -q -c -f raw -O qcow2 -o compression_type=$method a.raw ours.qcow2
		qemu-img convert -c -f raw -O qcow2 -o compression_type=$method a.raw theirs.qcow2
		qemu-img check -q ours.qcow2
		qemu-img compare -q -f raw -F qcow2 a.raw ours.qcow2
		drydock compare -q -f raw a.raw theirs.qcow2
		echo "$method $(stat -c %s ours.qcow2 theirs.qcow2)"
		[ "$method" = zlib ] && max=110 || max=105
		[ $(($(stat -c %s ours.qcow2) * 100)) -le $(($(stat -c %s theirs.qcow2) * max)) ]
	done
}

@test "--compress chooses the method, and compression_level how hard it tries" {
	programs a.raw
	truncate -s 8M a.raw
	drydock convert -q --compress -f raw a.raw auto.qcow2
	drydock convert -q --compress=zlib -f raw a.raw zlib.qcow2
	drydock convert -q --compress=zstd -f raw a.raw zstd.qcow2
	drydock convert -q --compress=none -f raw a.raw none.qcow2
	drydock convert -q -c -o compression_level=9 -f raw a.raw zlib9.qcow2
	drydock convert -q --compress=zstd -o compression_level=19 -f raw a.raw zstd19.qcow2
	for i in auto zlib zstd none zlib9 zstd19; do
		clean $i.qcow2
		identical a.raw raw $i.qcow2 qcow2
	done
	drydock info auto.qcow2 | grep -q 'compression-type *zlib'
	drydock info zstd.qcow2 | grep -q 'compression-type *zstd'
	[ "$(stat -c %s zlib9.qcow2)" -lt "$(stat -c %s zlib.qcow2)" ]
	[ "$(stat -c %s zstd19.qcow2)" -lt "$(stat -c %s zstd.qcow2)" ]
	[ "$(stat -c %s zlib.qcow2)" -lt "$(stat -c %s none.qcow2)" ]
}

@test "a way to compress that cannot be had is refused" {
	truncate -s 1M a.raw
	fails_with 2 "compression_type is given twice" drydock convert --compress=zstd -o compression_type=zlib a.raw b.qcow2
	fails_with 2 "from 1 to 9 for zlib" drydock convert -c -o compression_level=10 a.raw b.qcow2
	fails_with 2 "from 1 to 19 for zstd" drydock convert --compress=zstd -o compression_level=20 a.raw b.qcow2
	fails_with 2 "for what is compressed" drydock convert -o compression_level=1 a.raw b.qcow2
	fails_with 2 "no option \"compression_level\"" drydock create -o compression_level=1 b.qcow2 1M
	[ ! -e b.qcow2 ]
	drydock create -q b.qcow2 1M
	fails_with 2 "has a way" drydock convert -n --compress=zstd a.raw b.qcow2
}
