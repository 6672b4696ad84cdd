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

@test "an image that is its own backing file, or in a ring of them, is refused in one sentence by every subcommand" {
	head -c 512 /dev/zero >x # so that the names exist while the images are made
	"$COMPAT/qemu-img" create -q -u -f qcow2 -b ./self.qcow2 -F qcow2 self.qcow2 1M
	"$COMPAT/qemu-img" create -q -u -f qcow2 -b two.qcow2 -F qcow2 one.qcow2 1M
	"$COMPAT/qemu-img" create -q -u -f qcow2 -b one.qcow2 -F qcow2 two.qcow2 1M
	for i in self.qcow2 one.qcow2; do
		for c in check map "measure -O qcow2" "compare x" "convert -O raw x" "dd of=o" "snapshot -l" "bench -c 1"; do
			echo "$c $i"
			# shellcheck disable=SC2086 # words
			case $c in
			dd*) run "$COMPAT/qemu-img" $c if=$i ;;
			convert*) run "$COMPAT/qemu-img" $c $i o ;;
			*) run "$COMPAT/qemu-img" $c $i ;;
			esac
			[ "$status" = 1 ] || [[ $c == compare* && $status = 2 ]]
			[ "${#lines[@]}" = 1 ]
			[[ $output == *"the backing chain comes back to this file"* ]]
		done
		run "$COMPAT/qemu-io" -r -c length $i
		[ "$status" = 1 ]
		[ "${#lines[@]}" = 1 ]
	done
}

@test "qemu-io's writes are on the disk when it is killed, but for those it may keep" {
	for t in "" "-t writethrough" "-t directsync" "-t writeback"; do
		"$COMPAT/qemu-img" create -q -f qcow2 a.qcow2 1M
		# shellcheck disable=SC2086 # words
		run bash -c 'printf "write -P 7 0 64k\nabort\n" | "$COMPAT/qemu-io" '"$t"' -f qcow2 a.qcow2'
		[ "$status" != 0 ]
		[ "$t" = "-t writeback" ] || "$COMPAT/qemu-io" -r -f qcow2 -c "read -q -P 7 0 64k" a.qcow2
	done
}
