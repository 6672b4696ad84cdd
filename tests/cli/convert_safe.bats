# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154
#
# A conversion that does not come to its end leaves what was there before, and no litter.

load helpers

teardown()
{
	if mountpoint -q "$T/small"; then
		umount "$T/small"
	fi
	remove_folder
}

source_image()
{
	random_file source.raw 64M 1
}

litter()
{
	find . -name '.*.drydock-*' | wc -l
}

there_is_litter()
{
	[ "$(litter)" != 0 ]
}

# Until a conversion that runs in the background has begun to write.
wait_for_litter()
{
	wait_for there_is_litter
}

@test "a conversion killed at any time leaves no target" {
	source_image
	# slow enough that a kill always comes before the end
	for delay in 0.01 0.05 0.1 0.2 0.4; do
		"$DRYDOCK" convert -q -r 20M -f raw -O raw source.raw target.raw &
		pid=$!
		sleep "$delay"
		kill -9 "$pid"
		wait "$pid" || true
		[ ! -e target.raw ]
		rm -f .target.raw.drydock-*
	done
}

@test "a conversion killed at any time leaves the target that was there" {
	source_image
	echo "what was there" >target.raw
	chmod 640 target.raw
	for delay in 0.01 0.1 0.3; do
		"$DRYDOCK" convert -q -r 20M -f raw -O qcow2 source.raw target.raw &
		pid=$!
		sleep "$delay"
		kill -9 "$pid"
		wait "$pid" || true
		[ "$(cat target.raw)" = "what was there" ]
		[ "$(stat -c %a target.raw)" = 640 ]
	done
}

@test "what a killed conversion left does not stand in the way of the next" {
	source_image
	"$DRYDOCK" convert -q -r 1M -f raw -O raw source.raw target.raw &
	pid=$!
	wait_for_litter
	kill -9 "$pid"
	wait "$pid" || true
	[ "$(litter)" = 1 ]
	drydock convert -q -f raw source.raw target.raw
	same source.raw target.raw
}

@test "an interrupted conversion cleans up and ends by the signal" {
	source_image
	for signal in INT TERM HUP; do
		# bash lets background jobs ignore SIGINT; env gives it back
		env --default-signal="$signal" "$DRYDOCK" convert -q -r 1M -f raw -O raw source.raw target.raw 2>said &
		pid=$!
		wait_for_litter
		sleep 0.2
		kill -s "$signal" "$pid"
		status=0
		wait "$pid" || status=$?
		[ "$status" = $((128 + $(kill -l "$signal"))) ]
		grep -q stopped said
		[ ! -e target.raw ]
		[ "$(litter)" = 0 ]
	done
}

@test "a source that changes its size underneath is one sentence and no target" {
	local format size

	for format in raw qcow2; do
		for size in 4M 65M; do
			source_image
			[ $format = raw ] || drydock convert -q -S 0 -f raw -O qcow2 source.raw source.qcow2
			"$DRYDOCK" convert -q -r 30M -O raw -f $format source.$format target 2>said &
			pid=$!
			wait_for_litter
			truncate -s "$size" source.$format
			status=0
			wait "$pid" || status=$?
			echo "$format to $size: $status"
			cat said
			[ "$status" = 1 ]
			[ "$(grep -c . said)" = 1 ]
			grep -Eq "source.$format: .*another process has (made it shorter|changed its size)" said
			[ ! -e target ]
			[ "$(litter)" = 0 ]
		done
	done
}

@test "a source that others may write to may grow" {
	source_image
	"$DRYDOCK" convert -q -U -r 40M -O raw -f raw source.raw target &
	pid=$!
	wait_for_litter
	truncate -s 65M source.raw
	wait "$pid"
	cmp -n 67108864 source.raw target
}

@test "a target that grows past the file size limit is one sentence and no litter" {
	source_image
	limited()
	{
		(ulimit -f 20000 && "$DRYDOCK" "$@")
	}
	for format in raw qcow2; do
		fails_with 1 'File too large' limited convert -q -f raw -O "$format" source.raw target
		[ "$(grep -c . <<<"$stderr")" = 1 ]
		[[ $stderr != *.drydock-* ]]
		[ ! -e target ]
		[ "$(litter)" = 0 ]
	done
}

@test "a full disk is one sentence and no litter" {
	requires_root
	source_image
	mkdir small
	mount -t tmpfs -o size=20M tmpfs small 2>/dev/null || skip "this machine cannot mount a tmpfs"
	for format in raw qcow2; do
		fails_with 1 'No space left on device' drydock convert -q -f raw -O "$format" source.raw small/target
		[ "$(grep -c . <<<"$stderr")" = 1 ]
		[[ $stderr == *small/target* ]]
		[[ $stderr != *.drydock-* ]]
		[ -z "$(ls -A small)" ]
	done
}

@test "a missing folder, a folder, and a file that may not be written are one sentence each" {
	source_image
	mkdir folder
	fails_with 1 'missing/x.raw: No such file or directory' drydock convert -f raw source.raw missing/x.raw
	fails_with 1 'Is a directory' drydock convert -f raw -O raw source.raw folder
	touch locked.raw
	chmod 444 locked.raw
	chmod 644 source.raw
	fails_with 1 'locked.raw: Permission denied' as_user "$DRYDOCK" convert -f raw source.raw locked.raw
	[ "$(litter)" = 0 ]
}

@test "a target that another process uses is refused and stays" {
	requires qemu-io
	source_image
	truncate -s 1M target.raw
	coproc IO { exec qemu-io -f raw target.raw; }
	# it holds the image once it answers
	echo length >&"${IO[1]}"
	read -r -u "${IO[0]}" _
	pid=$IO_PID
	fails_with 1 'another process' drydock convert -q -f raw source.raw target.raw
	[ "$(size_of target.raw)" = 1048576 ]
	echo quit >&"${IO[1]}"
	wait "$pid" || true
	[ "$(litter)" = 0 ]
}

@test "a source is not converted onto itself" {
	source_image
	cp source.raw copy.raw
	fails_with 2 'among the files to be read' drydock convert -q -f raw -O raw source.raw source.raw
	fails_with 2 'among the files to be read' drydock convert -q -n -f raw -O raw source.raw source.raw
	same source.raw copy.raw
	[ "$(litter)" = 0 ]
}

@test "a new target has the permissions of the umask, a replaced one keeps its own" {
	source_image
	(umask 027 && drydock convert -q -f raw source.raw new.raw)
	[ "$(stat -c %a new.raw)" = 640 ]
	chmod 604 new.raw
	drydock convert -q -f raw source.raw new.raw
	[ "$(stat -c %a new.raw)" = 604 ]
	ln -s new.raw link.raw
	drydock convert -q -f raw source.raw link.raw
	[ -L link.raw ]
}

@test "a failed create leaves what was there" {
	echo "what was there" >old.qcow2
	fails_with 2 'no option "colour"' drydock create -o colour=red old.qcow2 1M
	[ "$(cat old.qcow2)" = "what was there" ]
	fails_with 1 'No such file' drydock create -b missing.qcow2 -F qcow2 old.qcow2
	[ "$(cat old.qcow2)" = "what was there" ]
	[ "$(litter)" = 0 ]
}

@test "reads and writes that come in pieces make the same image" {
	random_file source.raw 300K 2
	DRYDOCK_TEST_SHORT_IO=1 drydock convert -q -f raw source.raw target.raw
	same source.raw target.raw
	DRYDOCK_TEST_SHORT_IO=1 drydock convert -q -f raw -O qcow2 source.raw target.qcow2
	identical source.raw raw target.qcow2 qcow2
}

# bad_disk EVENT SECTOR...: a qcow2 image of 4 MiB over a file that cannot be read there once EVENT has happened.
bad_disk()
{
	local rules='' event=$1 sector
	shift

	[ -e a.qcow2 ] || {
		random_file a.raw 4M 1
		drydock convert -q -S 0 -f raw -O qcow2 a.raw a.qcow2
	}
	for sector; do
		rules+="{\"event\":\"$event\",\"errno\":5,\"sector\":$sector},"
	done
	echo "json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"blkdebug\",\"image\":{\"driver\":\"file\",\"filename\":\"a.qcow2\"},
		\"inject-error\":[${rules%,}]}}"
}

@test "what cannot be read is named by its place, and leaves no target" {
	fails_with 1 'a.qcow2: injected by blkdebug: read of 2097152 bytes at 327680: Input/output error' \
		drydock convert -q -m 1 "$(bad_disk read_aio 3000)" -O raw target
	[ "$(grep -c . <<<"$stderr")" = 1 ]
	[ ! -e target ]
	[ "$(litter)" = 0 ]
}

@test "--salvage makes zeros of what cannot be read, and a map of it that ddrescue's tools read" {
	# sectors of the file; the first cluster of data lies at 320 KiB
	run --separate-stderr drydock convert -q --salvage-map=bad.map "$(bad_disk read_aio 3000 3009 5000)" -O raw b.raw
	[ "$status" = 1 ]
	[ "$(grep -c 'cannot be read and are zeros' <<<"$stderr")" = 2 ]
	[[ $stderr == *"12288 bytes, in 2 stretches, could not be read"* ]]
	[ "$(grep -v '^#' bad.map | tr -s ' ' | tail -n +2)" = "0x00000000 0x00127000 +
0x00127000 0x00002000 -
0x00129000 0x000F8000 +
0x00221000 0x00001000 -
0x00222000 0x001DE000 +" ]
	requires ddrescuelog
	# nothing else differs
	cp a.raw want.raw
	for block in $(ddrescuelog -b 4096 -l- bad.map); do
		dd if=/dev/zero of=want.raw bs=4096 seek="$block" count=1 conv=notrunc status=none
	done
	same want.raw b.raw
	# a good disk has a map without bad blocks
	drydock convert -q --salvage-map=good.map -f raw a.raw c.qcow2
	ddrescuelog -D good.map
	fails_with 2 'of one pass' drydock convert --resume --salvage-map=x.map -f raw a.raw d.qcow2
	fails_with 1 'missing/x.map: No such file' drydock convert --salvage-map=missing/x.map -f raw a.raw d.qcow2
	[ ! -e d.qcow2 ]
}

@test "--salvage goes on over a table that cannot be read" {
	local bad

	bad_disk none
	# the only L2 table is the fifth cluster: all of the disk
	bad=$(bad_disk l2_load 512)
	fails_with 1 'Input/output error' drydock convert -q "$bad" -O raw b.raw
	run --separate-stderr drydock convert -q --salvage-map=bad.map "$bad" -O raw b.raw
	[ "$status" = 1 ]
	[[ $stderr == *"4194304 bytes, in "*" could not be read"* ]]
	[ "$(size_of b.raw)" = 4194304 ]
	[ "$(allocated b.raw)" = 0 ]
}

@test "a conversion that fails leaves a map of what nobody knows" {
	local bad

	bad=$(bad_disk read_aio 700)
	limited()
	{
		(ulimit -f 2000 && "$DRYDOCK" "$@")
	}
	fails_with 1 'File too large' limited convert -q --salvage-map=bad.map "$bad" -O raw b.raw
	[ ! -e b.raw ]
	grep -q '^0x.*  ?$' bad.map
	run ! grep -q "+$" bad.map
}
