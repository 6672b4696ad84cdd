#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# qemu_img.bats - what the name qemu-img adds that cannot be compared with the peer; tests/compat has the rest.

load helpers

@test "the version line has the words that scripts look for" {
	run "$COMPAT/qemu-img" --version
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" =~ ^"qemu-img version 7.2."[0-9]+" (drydock " ]]
}

@test "help names the formats on one line and goes to standard output" {
	"$COMPAT/qemu-img" info --help | grep -q '^Supported formats:.* qcow2.* raw'
}

@test "a target that was there survives a conversion that fails" {
	printf 'precious' >out.raw
	"$COMPAT/qemu-img" create -q -f qcow2 a.qcow2 1M
	# The map's first entry: a table past the end of the file.
	l1=$(($(od -An -tu8 --endian=big -j 40 -N 8 a.qcow2)))
	printf '\200\0\0\0\100\0\0\0' | dd of=a.qcow2 bs=1 seek=$l1 conv=notrunc status=none
	run "$COMPAT/qemu-img" convert -O raw a.qcow2 out.raw
	[ "$status" -eq 1 ]
	[ "$(cat out.raw)" = precious ]
	[ "$(find . -type f | sort | tr '\n' ' ')" = "./a.qcow2 ./out.raw " ]
}
