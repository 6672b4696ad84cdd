# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154

load helpers

@test "a clean image is status 0 and says so" {
	requires qemu-img
	random_file a.raw 3M 1
	qemu-img convert -f raw -O qcow2 a.raw a.qcow2
	prints 'no errors' drydock check a.qcow2
	run -0 drydock check --json a.qcow2
	[ "$(json '[.corruptions, .leaks, .check_errors, .allocated_clusters, .findings]' <<<"$output")" = '[0,0,0,48,[]]' ]
	run -0 drydock check -q a.qcow2
	[ -z "$output" ]
}

@test "leaks are status 3, and are freed" {
	requires qemu-img
	random_file a.raw 3M 1
	qemu-img convert -f raw -O qcow2 a.raw a.qcow2
	# a refcount for a cluster that nothing uses: the file's next one
	refs=$(($(od -An -tu8 --endian=big -j 48 -N 8 a.qcow2)))
	block=$(($(od -An -tu8 --endian=big -j "$refs" -N 8 a.qcow2)))
	end=$(($(size_of a.qcow2) / 65536))
	truncate -s +65536 a.qcow2
	printf '\0\1' | dd of=a.qcow2 bs=1 seek=$((block + 2 * end)) conv=notrunc status=none
	run -3 qemu-img check a.qcow2
	run -3 drydock check a.qcow2
	[[ $output == *'1 leaked clusters'* ]]
	run -3 drydock check --json a.qcow2
	[ "$(json '[.leaks, .corruptions, (.findings | length)]' <<<"$output")" = '[1,0,1]' ]
	run -0 drydock check -r leaks a.qcow2
	[[ $output == *'1 leaked clusters were freed'* ]]
	clean a.qcow2
	identical a.raw raw a.qcow2 qcow2
}

@test "errors are status 2, and are repaired" {
	requires qemu-img
	random_file a.raw 3M 1
	qemu-img convert -f raw -O qcow2 a.raw a.qcow2
	refs=$(($(od -An -tu8 --endian=big -j 48 -N 8 a.qcow2)))
	block=$(($(od -An -tu8 --endian=big -j "$refs" -N 8 a.qcow2)))
	printf '\0\0' | dd of=a.qcow2 bs=1 seek=$((block + 2 * 20)) conv=notrunc status=none
	run -2 qemu-img check a.qcow2
	run -2 drydock check a.qcow2
	run -2 drydock check -r leaks a.qcow2
	run -0 drydock check -r all a.qcow2
	clean a.qcow2
	identical a.raw raw a.qcow2 qcow2
}

@test "what cannot be checked is status 63, what cannot be opened status 1" {
	truncate -s 1M a.raw
	fails_with 63 'raw images cannot be checked' drydock check -f raw a.raw
	fails_with 1 'missing: No such file' drydock check missing
	fails_with 2 'is not leaks|all' drydock check -r some a.raw
	fails_with 2 'not repaired' drydock check -U -r all a.raw
}

@test "a raw image is not repaired on a guess" {
	truncate -s 1M a.raw
	fails_with 1 'no format is recognised' drydock check -r all a.raw
}
