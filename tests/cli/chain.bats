#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What changes images in place, by our own verbs: snapshots, commit, rebase, bitmaps, dd, bench, secrets.

load helpers

make_pair()
{
	drydock create -q base.qcow2 8M
	drydock io -c 'write -q -P 1 0 2M' base.qcow2
	drydock create -q -b base.qcow2 -F qcow2 top.qcow2
	drydock io -c 'write -q -P 2 1M 128k' top.qcow2
}

reads()
{
	drydock io -r -c "read -q -P $2 $3 $4" "$1"
}

@test "a snapshot is made, listed, gone back to and removed" {
	make_pair
	drydock snapshot create top.qcow2 before
	drydock io -c 'write -q -P 3 1M 64k' top.qcow2
	run -0 drydock snapshot list --json top.qcow2
	[[ $output == *'"name": "before"'* ]]
	drydock snapshot apply top.qcow2 before
	reads top.qcow2 2 1M 128k
	drydock snapshot delete top.qcow2 before
	run -1 drydock snapshot apply top.qcow2 before
	run -0 drydock snapshot list top.qcow2
	[ -z "$output" ]
	drydock check -q top.qcow2
}

@test "a commit moves an image's data down and says what it did" {
	make_pair
	run -0 drydock commit --json top.qcow2
	[[ $output == *'"copied": 131072'* && $output == *'"emptied": true'* ]]
	reads base.qcow2 2 1M 128k
	drydock check -q base.qcow2
}

@test "a commit that is killed loses nothing and can be run again" {
	make_pair
	drydock io -c 'write -q -P 7 0 8M' top.qcow2
	"$DRYDOCK" commit -r 1M top.qcow2 &
	sleep 1
	kill -9 $! || true # on a very busy machine it may be done
	wait $! || true
	reads top.qcow2 7 0 8M
	run drydock check -q base.qcow2
	[ "$status" -eq 0 ] || [ "$status" -eq 3 ]
	drydock commit -q top.qcow2
	reads base.qcow2 7 0 8M
	reads top.qcow2 7 0 8M
}

@test "an image in use is not committed" {
	make_pair
	requires qemu-io
	mkfifo commands
	qemu-io -f qcow2 base.qcow2 <commands >/dev/null &
	local holder=$!
	exec 7>commands
	wait_for_lock base.qcow2
	run -1 drydock commit top.qcow2
	exec 7>&-
	wait $holder
	[[ $output == *base.qcow2* ]]
}

@test "a rebase keeps what the new file does not hold" {
	make_pair
	drydock create -q other.qcow2 8M
	drydock io -c 'write -q -P 9 4M 1M' other.qcow2
	drydock rebase -q -b other.qcow2 -F qcow2 top.qcow2
	rm base.qcow2
	reads top.qcow2 1 0 1M
	reads top.qcow2 2 1M 128k
	reads top.qcow2 0 4M 1M
	run -2 drydock rebase -b other.qcow2 top.qcow2
	run -2 drydock rebase top.qcow2
	drydock rebase -q --no-backing top.qcow2
	rm other.qcow2
	reads top.qcow2 0 4M 1M
}

@test "bitmaps record writes, and go into a copy when asked to" {
	make_pair
	drydock bitmap add top.qcow2 day
	drydock bitmap add --disabled -g 4k top.qcow2 off
	drydock io -c 'write -q 4M 64k' top.qcow2
	run -0 drydock bitmap list --json top.qcow2
	[[ $output == *'"dirty": 65536'* && $output == *'"granularity": 4096'* && $output == *'"state": "disabled"'* ]]
	drydock bitmap merge top.qcow2 off day
	drydock convert -q --bitmaps top.qcow2 copy.qcow2
	run -0 drydock bitmap list copy.qcow2
	[[ $output == *day*enabled* && $output == *off*disabled* ]]
	drydock bitmap clear top.qcow2 day
	drydock bitmap remove top.qcow2 off
	run -1 drydock bitmap remove top.qcow2 off
	run -2 drydock bitmap clear -g 4k top.qcow2 day
}

@test "dd counts the blocks behind those that it skips" {
	make_pair
	drydock dd -q if=top.qcow2 of=part.raw bs=64k skip=15 count=2
	[ "$(stat -c %s part.raw)" = 131072 ]
	drydock io -r -f raw -c 'read -q -P 1 0 64k' -c 'read -q -P 2 64k 64k' part.raw
	run -2 drydock dd if=top.qcow2 of=part.raw bs=0
	run -2 drydock dd if=top.qcow2 of=part.raw skip=1G
	run -2 drydock dd if=top.qcow2
}

@test "a benchmark tells requests and time" {
	make_pair
	run -0 drydock bench --json -c 100 -d 4 top.qcow2
	[[ $output == *'"requests": 100'* && $output == *'"nanoseconds": '* ]]
	run -0 drydock bench -c 8 -w --pattern 5 -f qcow2 top.qcow2
	reads top.qcow2 5 0 32k
	run -2 drydock bench -d 65 top.qcow2
	run -2 drydock bench --pattern 5 top.qcow2
}

@test "a secret opens an encrypted disk, from a file or a text" {
	printf secret >pass
	drydock create -q --secret k=pass -f luks -o key-secret=k,iter-time=10 crypt.luks 1M
	run -0 drydock compare -q --secret k=pass --open key-secret=k crypt.luks crypt.luks
	run -2 drydock map crypt.luks
	drydock io --object secret,id=k,data=secret --image-opts -c 'write -q -P 3 0 64k' driver=luks,file.filename=crypt.luks,key-secret=k
	drydock convert -q --secret k=pass --open key-secret=k crypt.luks plain.raw
	drydock io -r -f raw -c 'read -q -P 3 0 64k' plain.raw
	run -2 drydock convert -q --object secret,id=k,data=wrong --open key-secret=k crypt.luks plain.raw
	run -2 drydock info --secret k crypt.luks
}
