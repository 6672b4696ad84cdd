# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154

load helpers

@test "info of a raw image says that its format was guessed" {
	truncate -s 1M a.raw
	prints 'no format was given, and nothing in it names one' drydock info a.raw
	run -0 drydock info -f raw a.raw
	[[ $output != *"no format was given"* ]]
}

@test "info --json agrees with the reference" {
	requires qemu-img
	for o in compat=0.10 cluster_size=512 cluster_size=2M lazy_refcounts=on extended_l2=on,cluster_size=128k \
		compression_type=zstd; do
		qemu-img create -q -f qcow2 -o "$o" a.qcow2 100M
		filter='[.format, ."virtual-size", ."cluster-size", ."actual-size", ."dirty-flag", ."format-specific".data.compat]'
		theirs=$(qemu-img info --output=json a.qcow2 | json "$filter")
		filter='[.format, .size, .cluster_size, .allocated, .dirty, .specific.compat]'
		ours=$(drydock info --json a.qcow2 | json ".images[0] | $filter")
		[ "$ours" = "$theirs" ]
	done
}

@test "info walks the backing chain" {
	requires qemu-img
	truncate -s 2M base.raw
	qemu-img create -q -f qcow2 -b base.raw -F raw mid.qcow2
	qemu-img create -q -f qcow2 -b mid.qcow2 -F qcow2 top.qcow2
	run -0 drydock info --backing-chain --json top.qcow2
	[ "$(json '[.images[] | [.depth, .image, .format, .backing.name]]' <<<"$output")" = \
		'[[0,"top.qcow2","qcow2","mid.qcow2"],[1,"'"$T"'/mid.qcow2","qcow2","base.raw"],[2,"'"$T"'/base.raw","raw",null]]' ]
	prints 'mid.qcow2 (qcow2)' drydock info top.qcow2
	rm base.raw
	# without the chain, what is behind it need not be there
	drydock info top.qcow2
	fails_with 1 'base.raw' drydock info --backing-chain top.qcow2
}

@test "info lists internal snapshots" {
	requires qemu-img
	qemu-img create -q -f qcow2 a.qcow2 10M
	qemu-img snapshot -c first a.qcow2
	qemu-img snapshot -c $'second\e[31m' a.qcow2
	prints 'first' drydock info a.qcow2
	[[ $output != *$'\e'* ]]
	theirs=$(qemu-img info --output=json a.qcow2 | json '[.snapshots[] | [.id, .name, ."date-sec", ."vm-state-size"]]')
	ours=$(drydock info --json a.qcow2 | json '[.images[0].snapshots[] | [.id, .name, .date_sec, .vm_state_size]]')
	[ "$ours" = "$theirs" ]
}

@test "info of several images tells the good ones when one is missing" {
	truncate -s 1M a.raw
	truncate -s 1M c.raw
	fails_with 1 'missing.raw: No such file' drydock info --json a.raw missing.raw c.raw
	[ "$(json '[.images[].image]' <<<"$output")" = '["a.raw","c.raw"]' ]
}

@test "an image in use is looked at with --force-share only" {
	requires qemu-img qemu-io
	qemu-img create -q -f qcow2 a.qcow2 1M
	coproc IO { exec qemu-io -f qcow2 a.qcow2; }
	echo length >&"${IO[1]}"
	read -r -u "${IO[0]}" _
	pid=$IO_PID
	fails_with 1 '--force-share' drydock info a.qcow2
	prints 'qcow2' drydock info -U a.qcow2
	echo quit >&"${IO[1]}"
	wait "$pid" || true
}

@test "a backing file outside of the image's folder is opened only when allowed" {
	requires qemu-img
	mkdir here there
	truncate -s 1M there/base.raw
	qemu-img create -q -f qcow2 -b ../there/base.raw -F raw here/a.qcow2
	fails_with 1 'outside of its folder' drydock info --backing-chain here/a.qcow2
	drydock info --backing-chain --allow-backing there here/a.qcow2
	drydock info --backing-chain --allow-backing there/base.raw here/a.qcow2
	drydock info --backing-chain --allow-backing any here/a.qcow2
	qemu-img create -q -f qcow2 -b ../here/a.qcow2 -F qcow2 here/b.qcow2
	fails_with 1 'outside of its folder' drydock info --backing-chain --allow-backing none here/b.qcow2
}
