# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154

load helpers

@test "raw grows and shrinks, by a size or by a difference" {
	random_file a.raw 4M 1
	cp a.raw was.raw
	prints 'a.raw: 6 MiB, was 4 MiB (6291456 bytes, was 4194304)' drydock resize -f raw a.raw 6M
	cmp -n 4194304 a.raw was.raw
	cmp -i 4194304:0 -n 2097152 a.raw /dev/zero
	drydock resize -q -f raw a.raw +1M
	[ "$(size_of a.raw)" = 7340032 ]
	fails_with 2 '--shrink says that it may' drydock resize -f raw a.raw -1M
	[ "$(size_of a.raw)" = 7340032 ]
	drydock resize -q -f raw --shrink a.raw -6M
	[ "$(size_of a.raw)" = 1048576 ]
	cmp -n 1048576 a.raw was.raw
}

@test "qcow2 grows and shrinks, and the reference calls it clean" {
	requires qemu-img qemu-io
	random_file a.raw 4M 1
	for o in compat=0.10 cluster_size=512 cluster_size=2M extended_l2=on,cluster_size=128k refcount_bits=64; do
		qemu-img convert -f raw -O qcow2 -o "$o" a.raw a.qcow2
		drydock resize -q a.qcow2 +3G
		clean a.qcow2
		identical a.raw raw a.qcow2 qcow2
		qemu-io -c 'write -q -P 7 3G 64k' a.qcow2
		drydock resize -q --shrink a.qcow2 2M
		clean a.qcow2
		[ "$(qemu-img info --output=json a.qcow2 | json '."virtual-size"')" = 2097152 ]
		# what was cut does not come back
		drydock resize -q a.qcow2 4M
		head -c 2M a.raw >half.raw
		identical half.raw raw a.qcow2 qcow2
	done
}

@test "what is added over a longer backing file reads as zeros" {
	requires qemu-img
	random_file base.raw 4M 1
	for compat in 0.10 1.1; do
		qemu-img create -q -f qcow2 -o compat=$compat -b base.raw -F raw top.qcow2 1M
		drydock resize -q top.qcow2 3M
		head -c 1M base.raw >want.raw
		truncate -s 3M want.raw
		identical want.raw raw top.qcow2 qcow2
		clean top.qcow2
	done
}

@test "preallocation is for what is added" {
	drydock create -q a.raw 1M
	drydock resize -q -f raw --preallocation full a.raw 5M
	[ "$(allocated a.raw)" -ge 4194304 ]
	for mode in metadata falloc full; do
		drydock create -q b.qcow2 1M
		drydock resize -q --preallocation $mode b.qcow2 33M
		clean b.qcow2
	done
	fails_with 2 'for what is added' drydock resize --preallocation full --shrink -f raw a.raw 2M
	fails_with 2 'not off, metadata' drydock resize --preallocation lots -f raw a.raw 9M
}

@test "a disk whose format was only guessed raw is not resized" {
	truncate -s 1M a.raw
	fails_with 2 'no format is recognised' drydock resize a.raw 2M
	[ "$(size_of a.raw)" = 1048576 ]
}

@test "sizes that make no sense" {
	truncate -s 1M a.raw
	fails_with 2 'not a size' drydock resize -f raw a.raw much
	fails_with 2 'needs an image and a size' drydock resize -f raw a.raw
	fails_with 2 'there are only 1048576 bytes' drydock resize --shrink -f raw a.raw -2M
	fails_with 1 'size of' drydock resize -f raw a.raw 15E
	[ "$(size_of a.raw)" = 1048576 ]
}
