# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154

load helpers

disk()
{
	random_file part 3M 5
	truncate -s 21M "$1"
	dd if=part of="$1" bs=64k seek=31 conv=notrunc status=none
	dd if=/dev/zero of="$1" bs=1M seek=9 count=3 conv=notrunc status=none
	seq 300000 | dd of="$1" bs=1M seek=14 conv=notrunc iflag=fullblock status=none
	rm part
}

sum_of()
{
	sha256sum "$1" | cut -d ' ' -f 1
}

@test "--hash prints the digest of what a guest sees, however it is copied" {
	disk a.raw
	want="sha256: $(sum_of a.raw)"
	drydock convert -q -c -f raw a.raw z.qcow2
	for o in "-O raw" "-O raw -S 0" "-O raw -m 1" "-O raw -m 9" "-O raw -C" "-O qcow2" "-O qcow2 -c" \
		"-O qcow2 --compress=zstd -o cluster_size=512" "-O qcow2 -o size=100M"; do
		echo "$o"
		# shellcheck disable=SC2086 # words
		[ "$(drydock convert -q $o --hash sha256 -f raw a.raw out.img)" = "$want" ]
		# shellcheck disable=SC2086 # words
		[ "$(drydock convert -q $o --hash=sha256 z.qcow2 out.img)" = "$want" ]
		# shellcheck disable=SC2086 # words
		[ "$(cat a.raw | drydock convert -q $o --hash=sha256 -f raw - out.img)" = "$want" ]
	done
	[ "$(drydock convert -q -f raw --hash=md5 a.raw b.raw)" = "md5: $(md5sum <a.raw | cut -d ' ' -f 1)" ]
	[ "$(drydock convert -q -f raw --hash=sha512 a.raw a.raw b.raw)" = \
		"sha512: $(cat a.raw a.raw | sha512sum | cut -d ' ' -f 1)" ]
}

@test "--hash covers what lies in backing files, and long holes" {
	truncate -s 300M base.raw
	echo base | dd of=base.raw bs=1M seek=250 conv=notrunc status=none
	drydock create -q -b base.raw -F raw top.qcow2
	want="sha256: $(sum_of base.raw)"
	[ "$(drydock convert -q --hash=sha256 top.qcow2 out.raw)" = "$want" ]
	[ "$(drydock convert -q --hash=sha256 -B base.raw -F raw top.qcow2 out.qcow2)" = "$want" ]
	[ "$(stat -c %s out.qcow2)" -lt 1000000 ]
}

@test "--hash goes to standard error when the copy goes to standard output" {
	disk a.raw
	want="sha256: $(sum_of a.raw)"
	drydock convert --hash=sha256 -f raw -O raw a.raw - 2>err | cmp - a.raw
	[ "$(cat err)" = "$want" ]
	drydock convert --hash=sha256 -f raw -O qcow2 a.raw - 2>err >b.qcow2
	[ "$(cat err)" = "$want" ]
	identical a.raw raw b.qcow2 qcow2
	fails_with 2 'unknown hash function "sha3"' drydock convert --hash=sha3 -f raw a.raw b.raw
}

@test "--verify reads back every kind of copy" {
	disk a.raw
	for o in "-O raw" "-O qcow2" "-O qcow2 -c" "-O raw -t none" "-O qcow2 -o size=40M" "-O qcow2 -o data_file=data.raw"; do
		echo "$o"
		# shellcheck disable=SC2086 # words
		drydock convert --verify --json $o -f raw a.raw out.img >facts
		json .verified facts | grep -qx true
		# shellcheck disable=SC2086 # words
		cat a.raw | drydock convert --verify -q $o -f raw - out.img
		# shellcheck disable=SC2086 # words
		drydock convert --verify -q $o -f raw a.raw a.raw out.img 2>err || grep -q 'does not hold' err
	done
	truncate -s 30M there.raw
	drydock convert --verify -q -n -O raw -f raw a.raw there.raw
	head -c 21M there.raw | cmp - a.raw
	fails_with 2 "cannot be read back" bash -o pipefail -c '"$DRYDOCK" convert --verify -f raw a.raw -O raw - | cat'
}

@test "the bar tells the pace and the time that is left" {
	truncate -s 64M a.raw
	seq 1000000 | dd of=a.raw conv=notrunc status=none
	drydock convert --progress=bar -r 4M -f raw a.raw b.qcow2 2>bar
	grep -q 'iB/s, [0-9]*:[0-9][0-9] left' bar
	cat a.raw | drydock convert --progress=json -f raw - c.qcow2 2>lines
	tail -n 1 lines | grep -q '^{"done": 67108864, "total": 67108864'
}

@test "lines of JSON tell the speed, and the seconds that are left of what is left" {
	truncate -s 32M a.raw
	random_file part 8M 1
	dd if=part of=a.raw conv=notrunc status=none
	drydock convert --progress=json -r 4M -f raw a.raw b.qcow2 2>lines
	[ "$(json -s 'map(select(has("speed"))) | length > 0 and all(.speed > 0 and .remaining >= 0 and .done <= .total)' lines)" = true ]
	# what was copied before is not of this pace
	random_file a.raw 16M 1
	"$DRYDOCK" convert -q --resume -r 3M -f raw -O raw a.raw c.raw &
	pid=$!
	until grep -qs ' 0*[1-9][0-9]*$' .c.raw.drydock-journal; do sleep 0.05; done
	kill -9 "$pid"
	wait "$pid" || true
	drydock convert --progress=json --resume -r 3M -f raw -O raw a.raw c.raw 2>lines
	# pieces are let go 2 MiB at a time
	[ "$(json -s 'map(.speed // 0) | max < 9000000' lines)" = true ]
	same a.raw c.raw
}
