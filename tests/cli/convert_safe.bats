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
