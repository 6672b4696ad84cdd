# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154

load helpers

@test "create tells what it made, and the suffix tells the format" {
	prints 'a.raw: raw, 1 MiB (1048576 bytes)' drydock create a.raw 1M
	[ "$(size_of a.raw)" = 1048576 ]
	prints 'a.qcow2: qcow2, 1.5 GiB (1610612736 bytes)' drydock create a.qcow2 1.5G
	clean a.qcow2
	[ "$(qemu-img info --output=json a.qcow2 | json '[.format, ."virtual-size"]')" = '["qcow2",1610612736]' ]
}

@test "create without a format, a size or an image is a usage error" {
	fails_with 2 'the format is not given' drydock create a.img 1M
	fails_with 2 'the size of the new image is not given' drydock create -f raw a.img
	fails_with 2 'no image is named' drydock create -f raw
	fails_with 2 'one word too many' drydock create -f raw a.img 1M 2M
	fails_with 2 'unknown format "paper"' drydock create -f paper a.img 1M
	fails_with 2 'not a size' drydock create -f raw a.img lots
	fails_with 2 'size is given twice' drydock create -f raw -o size=1M a.img 1M
	[ -z "$(ls -A)" ]
}

@test "every qcow2 geometry that create makes, the reference calls clean" {
	requires qemu-img
	for o in compat=0.10 cluster_size=512 cluster_size=2M refcount_bits=1 refcount_bits=64 lazy_refcounts=on \
		extended_l2=on,cluster_size=128k compression_type=zstd preallocation=metadata preallocation=falloc \
		preallocation=full data_file=data.raw data_file=data.raw,data_file_raw=on; do
		drydock create -q -f qcow2 -o "$o" a.img 20M
		qemu-img check -q a.img || {
			echo "$o"
			false
		}
		rm -f a.img data.raw
	done
}

@test "preallocation allocates" {
	drydock create -q --preallocation full a.raw 4M
	[ "$(allocated a.raw)" -ge 4194304 ]
	drydock create -q --preallocation falloc b.qcow2 4M
	[ "$(allocated b.qcow2)" -ge 4194304 ]
	drydock create -q c.raw 4M
	[ "$(allocated c.raw)" = 0 ]
	fails_with 2 'preallocation' drydock create -q --preallocation lots c.raw 4M
}

@test "a backing file gives its size and needs its format" {
	random_file base.raw 3M 1
	fails_with 2 'the format of the backing file "base.raw" is not given' drydock create -b base.raw a.qcow2
	[ ! -e a.qcow2 ]
	prints '3 MiB (3145728 bytes)' drydock create -b base.raw -F raw a.qcow2
	identical base.raw raw a.qcow2 qcow2
	fails_with 1 'missing.raw: No such file' drydock create -b missing.raw -F raw b.qcow2
	drydock create -q -u -b missing.raw -F raw b.qcow2 1M
	[ "$(qemu-img info -U --output=json b.qcow2 | json '."backing-filename"')" = '"missing.raw"' ]
}

@test "a backing file is found from where the new image is" {
	mkdir sub other
	random_file sub/base.raw 1M 1
	drydock create -q -b base.raw -F raw sub/a.qcow2
	identical sub/base.raw raw sub/a.qcow2 qcow2
	# the user names it, so it may be anywhere
	drydock create -q -b "$T/sub/base.raw" -F raw other/b.qcow2
	identical sub/base.raw raw other/b.qcow2 qcow2
}

@test "create tells its options" {
	prints 'cluster_size' drydock create -f qcow2 -o help
	prints 'preallocation' drydock create -f raw -o help
	fails_with 2 '-o help needs the format' drydock create -o help
}

@test "create --json has what was made" {
	run -0 drydock create --json -o cluster_size=128K a.qcow2 1G
	[ "$(json '[.image, .format, .size, .options.cluster_size]' <<<"$output")" = '["a.qcow2","qcow2",1073741824,"131072"]' ]
}

@test "create over an image of another size leaves none of it" {
	random_file a.raw 8M 1
	drydock create -q a.raw 1M
	[ "$(size_of a.raw)" = 1048576 ]
	cmp -n 1048576 a.raw /dev/zero
}
