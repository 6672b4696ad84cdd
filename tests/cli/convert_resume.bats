# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154

load helpers

disk()
{
	random_file part 9M 11
	truncate -s 40M "$1"
	dd if=part of="$1" bs=1M seek=1 conv=notrunc status=none
	dd if=/dev/zero of="$1" bs=1M seek=12 count=3 conv=notrunc status=none
	seq 2000000 | dd of="$1" bs=1M seek=20 conv=notrunc iflag=fullblock status=none
	rm part
}

# interrupted SECONDS SIGNAL OPTIONS...: a slow conversion of a.raw that a signal ends so long after it began.
interrupted()
{
	local after=$1 signal=$2 pid
	shift 2
	"$DRYDOCK" convert -q -r 4M --resume "$@" -f raw a.raw b.img &
	pid=$!
	wait_for test -s .b.img.drydock-journal
	sleep "$after"
	kill "-$signal" $pid || true
	wait $pid || true
}

# killed_in_the_middle OPTIONS...: the same, killed some time after the journal knows of a stable part.
killed_in_the_middle()
{
	local pid
	"$DRYDOCK" convert -q -r 4M --resume "$@" -f raw a.raw b.img &
	pid=$!
	wait_for grep -qs '^drydock conversion 1 0*[1-9]' .b.img.drydock-journal
	sleep "0.$((RANDOM % 9))"
	kill -KILL $pid || true
	wait $pid || true
}

no_litter()
{
	[ -z "$(find . -name '.b.img*')" ]
}

@test "a conversion that is killed again and again comes to its end" {
	requires qemu-img
	disk a.raw
	for o in "-O raw" "-O qcow2" "-O qcow2 -c" "-O qcow2 -o lazy_refcounts=on,cluster_size=4k"; do
		echo "$o"
		rm -f b.img
		# shellcheck disable=SC2086 # words
		killed_in_the_middle $o
		[ ! -e b.img ]
		# shellcheck disable=SC2086 # words
		killed_in_the_middle $o
		[ ! -e b.img ]
		# shellcheck disable=SC2086 # words
		drydock convert --json --verify --resume $o -f raw a.raw b.img >facts
		[ "$(json .resumed facts)" -ge 1048576 ]
		no_litter
		[ "$o" = "-O raw" ] && same a.raw b.img && continue
		qemu-img check b.img
		qemu-img compare -f raw -F qcow2 a.raw b.img
	done
}

@test "a conversion that is interrupted, or finds the disk full, can go on, too" {
	disk a.raw
	interrupted 3 TERM -O qcow2
	[ ! -e b.img ]
	[ -s .b.img.drydock-journal ]
	drydock convert --json --resume -O qcow2 -f raw a.raw b.img >facts
	[ "$(json .resumed facts)" -gt 0 ]
	no_litter
	identical a.raw raw b.img qcow2
	rm b.img
	(
		ulimit -f 12000
		fails_with 1 'File too large' drydock convert -q --resume -O qcow2 -f raw a.raw b.img
	)
	[ -s .b.img.drydock-journal ]
	[ ! -e b.img ]
	drydock convert -q --resume -O qcow2 -f raw a.raw b.img
	no_litter
	clean b.img
	identical a.raw raw b.img qcow2
}

@test "a journal that does not fit is refused, and says what to do" {
	disk a.raw
	interrupted 2.5 KILL -O qcow2
	fails_with 2 "had other options; remove" drydock convert --resume -O qcow2 -c -f raw a.raw b.img
	fails_with 2 "had other options; remove" drydock convert --resume -O qcow2 -o cluster_size=4k -f raw a.raw b.img
	fails_with 2 "had other options; remove" drydock convert --resume -O raw -f raw a.raw b.img
	cp a.raw c.raw
	fails_with 2 "read a source that has changed since, or another one" \
		drydock convert --resume -O qcow2 -f raw c.raw b.img
	touch a.raw
	fails_with 2 "read a source that has changed since" drydock convert --resume -O qcow2 -f raw a.raw b.img
	echo garbage that is long enough to be a journal of something >.b.img.drydock-journal
	fails_with 1 "is no journal of a conversion; remove it to begin anew" \
		drydock convert --resume -O qcow2 -f raw a.raw b.img
	rm .b.img.drydock-journal
	drydock convert -q --resume -O qcow2 -f raw a.raw b.img
	no_litter
	identical a.raw raw b.img qcow2
}

@test "without its unfinished file a journal begins anew, and a damaged one is not continued" {
	disk a.raw
	interrupted 2.5 KILL -O qcow2
	mv .b.img.drydock-resume away
	drydock convert --json --resume -O qcow2 -f raw a.raw b.img >facts
	json .resumed facts | grep -qx 0
	identical a.raw raw b.img qcow2
	interrupted 2.5 KILL -O qcow2
	# the refcount table names a place in the middle of nowhere
	printf '\0\0\0\0\x7f\0\0\0' | dd of=.b.img.drydock-resume bs=1 seek=65536 conv=notrunc status=none
	run --separate-stderr drydock convert --resume -O qcow2 -f raw a.raw b.img
	[ "$status" = 1 ]
}

@test "two at once are refused" {
	disk a.raw
	"$DRYDOCK" convert -q -r 4M --resume -O qcow2 -f raw a.raw b.img &
	pid=$!
	wait_for test -s .b.img.drydock-journal
	fails_with 2 "another process is making it" drydock convert --resume -O qcow2 -f raw a.raw b.img
	kill -9 $pid
	wait $pid || true
	drydock convert -q --resume -O qcow2 -f raw a.raw b.img
	no_litter
}

@test "what cannot be resumed says so" {
	truncate -s 1M a.raw
	fails_with 2 "a digest is of one pass" drydock convert --resume --hash=sha256 -f raw a.raw b.raw
	fails_with 2 "nobody knows" drydock convert --resume -t unsafe -f raw a.raw b.raw
	fails_with 2 "comes once" bash -c 'cat a.raw | "$DRYDOCK" convert --resume -f raw - b.raw'
	fails_with 2 "pipe is gone" bash -o pipefail -c '"$DRYDOCK" convert --resume -f raw a.raw -O raw - | cat'
	cp a.raw there.raw
	fails_with 2 "an image that is there" drydock convert --resume -n -f raw a.raw there.raw
	[ ! -e b.raw ]
	[ -z "$(find . -name '.*drydock*')" ]
}

@test "a copy over a backing file in another folder goes on, too" {
	mkdir else
	disk a.raw
	truncate -s 40M else/base.raw
	interrupted 3 KILL -O qcow2 -B "$T/else/base.raw" -F raw
	[ -s .b.img.drydock-journal ]
	drydock convert -q --resume -O qcow2 -B "$T/else/base.raw" -F raw -f raw a.raw b.img
	no_litter
	drydock convert -q --allow-backing=any b.img c.raw
	same a.raw c.raw
}
