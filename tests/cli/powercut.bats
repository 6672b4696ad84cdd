# SPDX-License-Identifier: GPL-2.0-or-later
# What whole commands do to images, cut off at any change: the image opens, leaks at worst, and holds what it held.
load helpers

setup()
{
	make_folder
	requires qemu-img cc
	! is_sanitized || skip "AddressSanitizer must be the first that is preloaded"
	cc -shared -fPIC -o record.so "$TOP/tests/cli/record_writes.c" -ldl
	cc -o replay "$TOP/tests/cli/replay_writes.c"
	random_file rnd 1M 3
	qemu-img create -q -f qcow2 -o cluster_size=4k base.qcow2 1M
	qemu-io -f qcow2 -c "write -P 1 0 300k" -c "write -P 2 600k 100k" base.qcow2 >/dev/null
	qemu-img create -q -f qcow2 -o cluster_size=4k -b base.qcow2 -F qcow2 top.qcow2 1M
	qemu-io -f qcow2 -c "write -s rnd 50k 200k" -c "write -z 610k 50k" -c "discard 0 20k" -c "write -P 9 1000k 24k" top.qcow2 >/dev/null
}

# recorded FILE... -- COMMAND...: what the command does to the files goes to the log; they are kept as they were.
recorded()
{
	files=()
	while [ "$1" != -- ]; do
		files+=("$1")
		shift
	done
	shift
	rm -rf was cut
	mkdir was cut
	cp "${files[@]}" was/
	WRITES_LOG=$PWD/log WRITES_FILES=$(IFS=:; echo "${files[*]}") LD_PRELOAD=$PWD/record.so "$@"
	events=$(./replay log)
	[ "$events" -gt 3 ]
}

# each_cut COMMAND...: in folder "cut", with the files as a power failure left them.
each_cut()
{
	local i seed step=$((events / 40 + 1))

	for ((i = 0; i <= events; i += step)); do
		for seed in 0 $((i + 1)) $((i + 1000)); do
			(cd was && cp "${files[@]}" ../cut/)
			./replay log "$i" "$seed" "${files[@]/#/cut/}"
			(cd cut && "$@") || {
				echo "after $i of $events changes, seed $seed"
				return 1
			}
		done
	done
	echo "# $events changes, $((3 * ((events + step - 1) / step))) power failures"
}

# sound IMAGE...: the reference finds leaks at worst.
sound()
{
	local image rc

	for image; do
		rc=0
		qemu-img check -q "$image" >check.out 2>&1 || rc=$?
		[ "$rc" = 0 ] || [ "$rc" = 3 ] || {
			cat check.out
			return 1
		}
	done
}

# A snapshot counts clusters twice before it says so in the tables, which no order of writing avoids; giving back what leaks
# mends both.
sound_without_leaks()
{
	cp "$1" mended.qcow2
	qemu-img check -q -r leaks mended.qcow2 >check.out 2>&1 || :
	qemu-img check -q mended.qcow2 >check.out 2>&1 || {
		cat check.out
		return 1
	}
}

same_but_for_leaks()
{
	sound_without_leaks "$2" && qemu-img compare -q -f raw -F qcow2 "$1" "$2"
}

same_as()
{
	sound "${files[@]:$skip}" && qemu-img compare -q -f raw -F qcow2 "$1" "$2"
}

@test "commit into a qcow2 image: what the overlay shows is the same at any moment" {
	qemu-img convert -O raw top.qcow2 want.raw
	recorded base.qcow2 top.qcow2 -- "$DRYDOCK" commit -q top.qcow2
	skip=0
	each_cut same_as ../want.raw top.qcow2
	qemu-img compare -q -f raw -F qcow2 want.raw base.qcow2
}

@test "commit into a raw disk" {
	qemu-img convert -O raw base.qcow2 base.raw
	qemu-img rebase -u -b base.raw -F raw top.qcow2
	qemu-img convert -O raw top.qcow2 want.raw
	recorded base.raw top.qcow2 -- "$DRYDOCK" commit -q top.qcow2
	skip=1
	each_cut same_as ../want.raw top.qcow2
}

@test "rebase onto another image, and onto none" {
	qemu-img create -q -f qcow2 -o cluster_size=4k other.qcow2 1M
	qemu-io -f qcow2 -c "write -P 1 0 100k" -c "write -P 7 300k 400k" other.qcow2 >/dev/null
	qemu-img convert -O raw top.qcow2 want.raw
	cp top.qcow2 first.qcow2
	recorded top.qcow2 -- "$DRYDOCK" rebase -q -b other.qcow2 -F qcow2 top.qcow2
	skip=0
	for f in base other; do ln -f "$f.qcow2" "cut/$f.qcow2"; done
	each_cut same_as ../want.raw top.qcow2
	rm log
	cp first.qcow2 top.qcow2
	recorded top.qcow2 -- "$COMPAT/qemu-img" rebase -b "" top.qcow2
	ln -f base.qcow2 cut/base.qcow2
	each_cut same_as ../want.raw top.qcow2
}

@test "rebase -u: the header names one backing file or the other" {
	cp base.qcow2 a-much-longer-name-for-the-same.qcow2
	qemu-img convert -O raw top.qcow2 want.raw
	recorded top.qcow2 -- "$DRYDOCK" rebase -q -u -b a-much-longer-name-for-the-same.qcow2 -F qcow2 top.qcow2
	skip=0
	ln -f base.qcow2 cut/base.qcow2
	ln -f a-much-longer-name-for-the-same.qcow2 cut/
	each_cut same_as ../want.raw top.qcow2
}

# The first bytes are the same, and the size is the old one or the new one.
prefix_same()
{
	local size

	sound top.qcow2
	size=$(drydock info --json top.qcow2 | json '.images[0].size')
	[ "$size" = "$1" ] || [ "$size" = "$2" ] || {
		echo "$size bytes"
		return 1
	}
	qemu-img convert -O raw top.qcow2 now.raw && cmp -n "$1" now.raw ../want.raw
}

@test "resize, to be longer and shorter" {
	qemu-img rebase -b '' top.qcow2
	qemu-img convert -O raw top.qcow2 want.raw
	cp top.qcow2 first.qcow2
	recorded top.qcow2 -- "$DRYDOCK" resize -q top.qcow2 9G
	each_cut prefix_long
	rm log
	cp first.qcow2 top.qcow2
	recorded top.qcow2 -- "$DRYDOCK" resize -q --shrink top.qcow2 500k
	each_cut prefix_same 512000 1048576
}

prefix_long()
{
	sound top.qcow2 && qemu-img compare -q -f raw -F qcow2 ../want.raw top.qcow2 2>/dev/null
}

@test "amend, to the old version and back" {
	qemu-img convert -O raw top.qcow2 want.raw
	recorded top.qcow2 -- "$COMPAT/qemu-img" amend -o compat=0.10 top.qcow2
	skip=0
	ln -f base.qcow2 cut/base.qcow2
	each_cut same_as ../want.raw top.qcow2
	rm log
	recorded top.qcow2 -- "$COMPAT/qemu-img" amend -o compat=1.1,lazy_refcounts=on top.qcow2
	ln -f base.qcow2 cut/base.qcow2
	each_cut same_as ../want.raw top.qcow2
}

@test "snapshots: made, applied, deleted" {
	qemu-img convert -O raw top.qcow2 want.raw
	recorded top.qcow2 -- "$COMPAT/qemu-img" snapshot -c one top.qcow2
	ln -f base.qcow2 cut/base.qcow2
	each_cut same_but_for_leaks ../want.raw top.qcow2
	rm log
	recorded top.qcow2 -- "$COMPAT/qemu-img" snapshot -d one top.qcow2
	ln -f base.qcow2 cut/base.qcow2
	each_cut same_but_for_leaks ../want.raw top.qcow2
}
