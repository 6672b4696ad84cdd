# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154

load helpers

# The peer's map and ours as [offset, length, depth, zero, data, file offset], neighbours of a kind joined.
theirs()
{
	qemu-img map --output=json "$@" |
		jq -c '[.[] | [.start, .length, .depth, .zero, .data, (if .data then .offset else null end)]]'
}

ours()
{
	drydock map --json "$@" |
		jq -c '[.extents[] | [.offset, .length, .depth, (.kind == "zero" or .kind == "hole"),
			(.kind == "data" or .kind == "compressed"), (if .kind == "data" then .file_offset else null end)]]'
}

@test "map of a raw file has its holes" {
	requires jq
	truncate -s 8M a.raw
	random_file d 1M 1
	dd if=d of=a.raw bs=1M seek=3 conv=notrunc status=none
	[ "$(ours -f raw a.raw)" = \
		'[[0,3145728,0,true,false,null],[3145728,1048576,0,false,true,3145728],[4194304,4194304,0,true,false,null]]' ]
}

@test "map of a chain agrees with the reference" {
	requires qemu-img qemu-io jq
	random_file base.raw 4M 1
	qemu-img create -q -f qcow2 -b base.raw -F raw mid.qcow2 6M
	qemu-io -c 'write -q -P 7 1M 128k' -c 'write -q -z 2M 128k' mid.qcow2
	qemu-img create -q -f qcow2 -b mid.qcow2 -F qcow2 top.qcow2 8M
	qemu-io -c 'write -q -P 7 3M 128k' -c 'write -q -P 9 7M 64k' top.qcow2
	[ "$(ours top.qcow2)" = "$(theirs top.qcow2)" ]
	[ "$(ours mid.qcow2)" = "$(theirs mid.qcow2)" ]
}

@test "map tells people the same, and compressed clusters by name" {
	requires qemu-img
	seq 100000 >a.raw
	truncate -s 1M a.raw
	qemu-img convert -c -f raw -O qcow2 a.raw a.qcow2
	prints compressed drydock map a.qcow2
	[[ $output == *OFFSET* ]]
}

@test "map of a part, and of the image alone" {
	requires qemu-img qemu-io jq
	random_file base.raw 4M 1
	qemu-img create -q -f qcow2 -b base.raw -F raw top.qcow2
	qemu-io -c 'write -q -P 7 1M 128k' top.qcow2
	run -0 drydock map --json --own top.qcow2
	[ "$(json '[.extents[] | [.offset, .kind]]' <<<"$output")" = '[[0,"hole"],[1048576,"data"],[1179648,"hole"]]' ] ||
		[ "$(json '[.extents[] | [.offset, .kind]]' <<<"$output")" = '[[0,"backing"],[1048576,"data"],[1179648,"backing"]]' ]
	run -0 drydock map --json -s 1M -m 64k top.qcow2
	[ "$(json '[.extents[] | [.offset, .length]]' <<<"$output")" = '[[1048576,65536]]' ]
	run -0 drydock map --json -s 1G top.qcow2
	[ "$(json .extents <<<"$output")" = '[]' ]
}
