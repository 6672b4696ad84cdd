# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154

load helpers

@test "equal, different, and where" {
	random_file a.raw 5M 1
	cp a.raw b.raw
	prints same drydock compare -f raw -F raw a.raw b.raw
	printf x | dd of=b.raw bs=1 seek=3000001 conv=notrunc status=none
	run -1 drydock compare -f raw -F raw a.raw b.raw
	[ "$output" = 'different: content at offset 3000001' ]
	run -1 drydock compare --json -f raw -F raw a.raw b.raw
	[ "$(json '[.same, .difference, .offset]' <<<"$output")" = '[false,"content",3000001]' ]
	run -1 drydock compare -q -f raw -F raw a.raw b.raw
	[ -z "$output" ]
}

@test "formats do not matter, content does" {
	requires qemu-img qemu-io
	random_file a.raw 5M 1
	qemu-img convert -f raw -O qcow2 a.raw a.qcow2
	qemu-img convert -c -f raw -O qcow2 a.raw c.qcow2
	drydock compare -q -f raw a.raw a.qcow2
	drydock compare -q a.qcow2 c.qcow2
	qemu-io -c 'write -q -P 1 4M 1' c.qcow2 2>/dev/null || qemu-io -c 'write -q -P 1 4M 512' c.qcow2
	run -1 drydock compare a.qcow2 c.qcow2
	[ "$output" = 'different: content at offset 4194304' ]
}

@test "a longer disk is the same while its rest is zeros" {
	random_file a.raw 1M 1
	cp a.raw b.raw
	truncate -s 3M b.raw
	prints 'same, and the longer one goes on with zeros' drydock compare -f raw -F raw a.raw b.raw
	run -1 drydock compare -s -f raw -F raw a.raw b.raw
	[ "$output" = 'different: sizes 1048576 and 3145728' ]
	printf x | dd of=b.raw bs=1 seek=2000000 conv=notrunc status=none
	run -1 drydock compare -f raw -F raw b.raw a.raw
	[ "$output" = 'different: content at offset 2000000' ]
}

@test "strict looks at allocation" {
	truncate -s 1M a.raw
	head -c 1M /dev/zero >b.raw
	drydock compare -q -f raw -F raw a.raw b.raw
	run -1 drydock compare -s -f raw -F raw a.raw b.raw
	[ "$output" = 'different: allocation at offset 0' ]
}

@test "an image that cannot be opened is status 2" {
	truncate -s 1M a.raw
	fails_with 2 'missing.raw: No such file' drydock compare -f raw a.raw missing.raw
	fails_with 2 'needs two images' drydock compare a.raw
}
