# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154

load helpers

# Data, holes and stored zeros.
disk()
{
	random_file part 1M 3
	truncate -s "${2:-9M}" "$1"
	dd if=part of="$1" bs=64k seek=7 conv=notrunc status=none
	dd if=/dev/zero of="$1" bs=1M seek=3 count=1 conv=notrunc status=none
	seq 200000 | dd of="$1" bs=1M seek=5 conv=notrunc iflag=fullblock status=none
	rm part
}

@test "a raw disk from a pipe becomes any image" {
	disk a.raw
	for o in "-O qcow2" "-O qcow2 -c" "-O qcow2 --compress=zstd -o cluster_size=2M" "-O qcow2 -o cluster_size=512" \
		"-O raw" "-O raw -S 0" "-O qcow2 -m 1" "-O qcow2 -m 7"; do
		echo "$o"
		# shellcheck disable=SC2086 # words
		cat a.raw | drydock convert -q -f raw $o - b.img
		drydock info b.img
		identical a.raw raw b.img "$(sed 's/-O \([a-z0-9]*\).*/\1/' <<<"$o")"
		[ "$o" = "${o#-O qcow2}" ] || clean b.img
	done
}

@test "a stream's length is rounded up to whole sectors, and an empty one is an empty disk" {
	seq 100000 | head -c 70001 >a.raw
	cat a.raw | drydock convert --json -f raw - b.qcow2 >facts
	json .size facts | grep -qx 70144
	clean b.qcow2
	drydock convert -q b.qcow2 c.raw
	[ "$(stat -c %s c.raw)" = 70144 ]
	head -c 70001 c.raw | cmp - a.raw
	: | drydock convert -q -f raw - d.qcow2
	clean d.qcow2
	[ "$(drydock convert -q d.qcow2 -O raw - | wc -c)" = 0 ]
}

@test "a stream longer than any first guess makes the target grow" {
	for f in qcow2 raw; do
		{ seq 10000; head -c 2300M /dev/zero; seq 5000; } | drydock convert -q -f raw -O $f - b.img
		drydock convert -q -f $f -O raw b.img - | tail -c 4000 >tail.bytes
		{ seq 5000; head -c 512 /dev/zero; } | tr -d '\0' | tail -c 3000 >want
		tr -d '\0' <tail.bytes | tail -c 3000 | cmp - want
		[ "$f" = raw ] || clean b.img
		[ "$(allocated b.img)" -lt 1000000 ]
	done
}

@test "an image from a pipe is read, too, whatever its format" {
	disk a.raw
	drydock convert -q -c -f raw a.raw b.qcow2
	cat b.qcow2 | drydock convert -q - -O raw c.raw
	same a.raw c.raw
	cat b.qcow2 | drydock convert -q -f raw - -O raw d.qcow2
	head -c "$(stat -c %s b.qcow2)" d.qcow2 | cmp - b.qcow2
	drydock convert -q - -O raw e.raw <b.qcow2
	same a.raw e.raw
}

@test "an image from a pipe names no other files" {
	drydock create -q base.qcow2 1M
	drydock create -q -b base.qcow2 -F qcow2 top.qcow2
	cat top.qcow2 >top2
	run --separate-stderr drydock convert - -O raw out.raw <<<"$(true)" # not an image: a raw disk of one line
	[ "$status" = 0 ]
	run --separate-stderr bash -c 'cat top2 | "$DRYDOCK" convert - -O raw x.raw'
	[ "$status" = 1 ]
	[[ $stderr == *"base.qcow2"* ]]
	[ ! -e x.raw ]
}

@test "a raw disk goes into a pipe as it is" {
	disk a.raw
	drydock convert -q -c -f raw a.raw b.qcow2
	drydock convert b.qcow2 -O raw - 2>messages | cmp - a.raw
	[ ! -s messages ]
	drydock convert -p -m 7 b.qcow2 b.qcow2 -O raw - 2>/dev/null | cmp - <(cat a.raw a.raw)
	drydock convert -o size=10M b.qcow2 -O raw - | cmp - <(cat a.raw; head -c 1M /dev/zero)
}

@test "a qcow2 image goes into a pipe, and the reference finds nothing wrong with it" {
	requires qemu-img
	disk a.raw
	for o in "" "-o cluster_size=512" "-o cluster_size=2M" "-o size=20M" "-c" "--compress=zstd" "-o compat=0.10" \
		"-o extended_l2=on,cluster_size=128k"; do
		echo "$o"
		# shellcheck disable=SC2086 # words
		drydock convert $o -f raw -O qcow2 a.raw - 2>messages | cat >b.qcow2
		[ ! -s messages ]
		qemu-img check b.qcow2
		qemu-img compare -f raw -F qcow2 a.raw b.qcow2
		clean b.qcow2
	done
	drydock convert -f raw -O qcow2 a.raw - >whole.qcow2
	drydock convert -f raw -O qcow2 a.raw - | dd bs=512 status=none | cmp - whole.qcow2
}

@test "a sparse disk of 8 TiB goes into a pipe as a small qcow2 image" {
	requires qemu-img
	truncate -s 8T big.raw
	echo beginning | dd of=big.raw conv=notrunc status=none
	echo end | dd of=big.raw bs=1M seek=$((8 * 1024 * 1024 - 1)) conv=notrunc status=none
	drydock convert -f raw -O qcow2 big.raw - | cat >big.qcow2
	[ "$(stat -c %s big.qcow2)" -lt 1000000 ]
	qemu-img check -q big.qcow2
	drydock compare -q -f raw big.raw big.qcow2
}

@test "streams in, streams out" {
	disk a.raw
	export TMPDIR=$T
	cat a.raw | drydock convert -q -f raw -O qcow2 - - | drydock convert -q -O raw - - | cmp - a.raw
	cat a.raw | drydock convert -q -f raw -O raw - - | cmp - a.raw
	[ -z "$(find . -mindepth 1 -name "*drydock-*")" ]
}

@test "facts go to standard error when the copy goes to standard output" {
	disk a.raw
	drydock convert --json -f raw -O raw a.raw - 2>facts | cmp - a.raw
	json .size facts | grep -qx 9437184
}

@test "a reader that goes away is an error, and ends it" {
	truncate -s 50M a.raw
	run --separate-stderr bash -c 'set -o pipefail; "$DRYDOCK" convert -f raw -O raw a.raw - | head -c 1000 >/dev/null'
	[ "$status" = 1 ]
	[[ $stderr == *"standard output: Broken pipe"* ]]
}

@test "what cannot go together with a stream is refused" {
	disk a.raw
	cat a.raw >b.raw
	fails_with 2 "cannot be put together" bash -c 'cat a.raw | "$DRYDOCK" convert -f raw - b.raw -O qcow2 c.qcow2'
	fails_with 2 "unless its size is given" \
		bash -c 'cat a.raw | "$DRYDOCK" convert -f raw - --preallocation=full -O qcow2 c.qcow2'
	fails_with 2 "backing file" bash -c 'cat a.raw | "$DRYDOCK" convert -f raw - -B b.raw -F raw -O qcow2 c.qcow2'
	fails_with 2 "lies in no folder" bash -o pipefail -c '"$DRYDOCK" convert -f raw a.raw -B b.raw -F raw -O qcow2 - | cat'
	fails_with 2 "too short" bash -c 'cat a.raw | "$DRYDOCK" convert -f raw -o size=1M - -O qcow2 c.qcow2'
	[ ! -e c.qcow2 ]
	cat a.raw | drydock convert -q -f raw -o size=12M - -O qcow2 c.qcow2
	[ "$(drydock convert -q c.qcow2 -O raw - | wc -c)" = 12582912 ]
}

@test "a stream that stalls does not keep an interrupt waiting" {
	mkfifo pipe
	sleep 250 >pipe &
	sleeper=$!
	"$DRYDOCK" convert -f raw -O qcow2 - out.qcow2 <pipe 2>messages &
	pid=$!
	sleep 1
	kill -TERM $pid
	status=0
	wait $pid || status=$?
	[ "$status" = 143 ]
	kill $sleeper # the stream is still there: it was not its end that ended the conversion
	[ ! -e out.qcow2 ]
}
