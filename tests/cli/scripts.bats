#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Scripts as users have them, run with the peer's programs and with ours: the same words, the same end.

load helpers

setup() {
	qemu-img --version 2>/dev/null | grep -q 'version 7\.2\.' || skip "no qemu-img 7.2 to compare with"
	mkdir "$BATS_TEST_TMPDIR/peer" "$BATS_TEST_TMPDIR/ours"
}

both() {
	local script=$BATS_TEST_DIRNAME/../scripts/$1 d=$BATS_TEST_TMPDIR

	TZ=UTC LC_ALL=C sh "$script" "$d/peer" >"$d/peer.out" 2>&1 || { cat "$d/peer.out"; return 1; }
	TZ=UTC LC_ALL=C PATH=$COMPAT:$PATH sh "$script" "$d/ours" >"$d/ours.out" 2>&1 || { cat "$d/ours.out"; return 1; }
	diff "$d/peer.out" "$d/ours.out"
	diff <(cd "$d/peer" && ls) <(cd "$d/ours" && ls)
}

@test "a week of backups by overlays, bitmaps and commit" {
	both backup.sh
}

@test "an image pipeline of overlays, snapshots, rebase and convert" {
	both pipeline.sh
}
