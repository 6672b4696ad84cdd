#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# backup.sh - nightly backups of a virtual machine's disk, as they are written for qemu-img: a full copy on Sundays, an
# overlay for each working day, bitmaps that tell what changed, and a merge at the end of the week.
#
#	backup.sh FOLDER
set -eu

dir=${1:?usage: backup.sh FOLDER}
disk=disk.qcow2
log() { printf '== %s\n' "$*"; }

# What a guest would do in a day: some writes, here by the exerciser.
guest_writes() {
	image=$1
	shift
	for w in "$@"; do
		qemu-io -f qcow2 -c "write -q $w" "$image"
	done
}

virtual_size() {
	qemu-img info -U --output=json "$1" | sed -n 's/.*"virtual-size": \([0-9]*\),.*/\1/p' | tail -n 1
}

backing_of() {
	qemu-img info -U "$1" | sed -n 's/^backing file: \([^ ]*\).*/\1/p'
}

# Sound and complete, or the night's mail says so.
verify() {
	if qemu-img check -q "$1"; then
		log "$1 is sound"
	else
		log "$1 is DAMAGED (status $?)"
		exit 1
	fi
}

cd "$dir"

log "a new machine"
qemu-img create -f qcow2 "$disk" 32M
guest_writes "$disk" '-P 1 0 4M' '-P 2 8M 1M' '-z 9M 64k'
[ "$(virtual_size $disk)" = 33554432 ]

log "sunday: full backup"
qemu-img convert -c -O qcow2 "$disk" full.qcow2
qemu-img compare -f qcow2 -F qcow2 "$disk" full.qcow2
verify full.qcow2

log "from now on: what changes in the week, and what changes in a day"
qemu-img bitmap --add "$disk" week
qemu-img bitmap --add -g 128k "$disk" day
qemu-img info "$disk" | sed -n '/bitmaps:/,/refcount/p'

previous=full.qcow2
for day in mon tue wed; do
	log "$day"
	case $day in
	mon) guest_writes "$disk" '-P 10 1M 256k' '-P 11 20M 64k' ;;
	tue) guest_writes "$disk" '-P 12 1M 64k' '-P 13 30M 1M' ;;
	wed) guest_writes "$disk" '-z 8M 512k' '-P 14 2M 4k' ;;
	esac
	# The day's copy holds what differs from the one before.
	qemu-img convert -O qcow2 -B "$previous" -F qcow2 "$disk" "inc-$day.qcow2"
	[ "$(backing_of "inc-$day.qcow2")" = "$previous" ]
	previous=inc-$day.qcow2
	qemu-img compare "$disk" "inc-$day.qcow2"
	verify "inc-$day.qcow2"
	qemu-img bitmap --clear "$disk" day
done

log "the chain"
qemu-img info --backing-chain inc-wed.qcow2 | grep -E '^(image|backing file|virtual size)'

log "a file was lost on tuesday: look at monday"
qemu-img create -q -f qcow2 -b inc-mon.qcow2 -F qcow2 restore.qcow2
qemu-io -f qcow2 -c 'read -q -P 10 1M 256k' restore.qcow2
qemu-io -f qcow2 -c 'read -q -P 1 3M 64k' restore.qcow2
rm restore.qcow2

log "saturday: the week becomes the new full backup"
qemu-img commit -q inc-wed.qcow2
qemu-img rebase -b inc-mon.qcow2 -F qcow2 inc-wed.qcow2
qemu-img commit -d -b full.qcow2 inc-tue.qcow2
qemu-img compare "$disk" full.qcow2
verify full.qcow2
rm inc-mon.qcow2 inc-tue.qcow2 inc-wed.qcow2

log "the old bitmaps go"
qemu-img bitmap --disable "$disk" week
qemu-img bitmap --merge week "$disk" day
qemu-img bitmap --remove "$disk" week
qemu-img bitmap --remove "$disk" day
qemu-img bitmap --remove "$disk" day || log "there is none any more"
verify "$disk"
qemu-img measure -O qcow2 full.qcow2
log "done"
