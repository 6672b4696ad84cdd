# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154

load helpers

ours()
{
	drydock measure --json "$@" | json '[.required, .fully_allocated]'
}

theirs()
{
	qemu-img measure --output=json "$@" | json '[.required, ."fully-allocated"]'
}

@test "empty images measure as the reference says" {
	requires qemu-img
	for o in cluster_size=64k cluster_size=512 cluster_size=2M refcount_bits=1 refcount_bits=64 \
		extended_l2=on,cluster_size=128k preallocation=metadata preallocation=full; do
		[ "$(ours -O qcow2 -o "$o" --size 10G)" = "$(theirs -O qcow2 -o "$o" --size 10G)" ]
	done
	[ "$(ours --size 10G)" = "$(theirs -O raw --size 10G)" ]
}

@test "a copy takes no more than what was measured" {
	random_file a.raw 5M 1
	truncate -s 100M a.raw
	dd if=a.raw of=a.raw bs=64k seek=1000 count=3 conv=notrunc status=none
	required=$(drydock measure --json -f raw -O qcow2 a.raw | json .required)
	drydock convert -q -f raw a.raw b.qcow2
	[ "$(size_of b.qcow2)" -le "$required" ]
	prints 'fully allocated' drydock measure -O qcow2 b.qcow2
}

@test "an image and a size, or neither, are usage errors" {
	truncate -s 1M a.raw
	fails_with 2 'needs an image, or else --size' drydock measure -O qcow2
	fails_with 2 'needs an image, or else --size' drydock measure -O qcow2 --size 1G a.raw
	fails_with 2 'no option "colour"' drydock measure -O qcow2 --size 1G -o colour=red
	prints cluster_size drydock measure -O qcow2 -o help
}
