#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# pipeline.sh - a build of virtual machine images, as it runs in continuous integration: overlays on a golden image, test
# runs that are thrown away by snapshots, a move to the next golden image, and the formats that are published.
#
#	pipeline.sh FOLDER
set -eu

work=${1:?usage: pipeline.sh FOLDER}
cd "$work"

step() { printf '\n--- %s\n' "$*"; }
fail() {
	printf 'FAILED: %s\n' "$*"
	exit 1
}
# The last state of a progress bar.
last() { tr '\r' '\n' | sed -n '$!{h;d};x;p' | tail -n 1; }
put() { qemu-io -f "${3:-qcow2}" -c "write -q $2" "$1"; }
holds() { qemu-io -r -f qcow2 -c "read -q $2" "$1" >/dev/null || fail "$1 does not hold $2"; }

step "golden images"
qemu-img create -f raw golden-1.raw 16M
put golden-1.raw '-P 1 0 2M' raw
put golden-1.raw '-P 2 4M 1M' raw
qemu-img convert -p -f raw -O qcow2 golden-1.raw golden-1.qcow2 | last
qemu-img convert -f raw -O qcow2 -o cluster_size=128k,lazy_refcounts=on golden-1.raw golden-2.qcow2
put golden-2.qcow2 '-P 3 5M 1M'
qemu-img compare golden-1.raw golden-1.qcow2
qemu-img compare golden-1.qcow2 golden-2.qcow2 && fail "these differ" || echo "as expected"

step "one overlay for each job"
for job in unit integration; do
	qemu-img create -f qcow2 -b golden-1.qcow2 -F qcow2 "job-$job.qcow2"
	put "job-$job.qcow2" '-P 7 1M 64k'
	put "job-$job.qcow2" '-P 8 12M 256k'
done
qemu-img map job-unit.qcow2
qemu-img map --output=json job-unit.qcow2

step "how much will the results take?"
qemu-img measure -O qcow2 job-unit.qcow2
qemu-img measure --output=json -O raw job-unit.qcow2
qemu-img measure -O qcow2 --size 1G

step "each test begins from the same state"
image="job-integration.qcow2"
qemu-img snapshot -c clean "$image"
for run in 1 2 3; do
	put "$image" "-P $((20 + run)) 1M 1M"
	holds "$image" "-P $((20 + run)) 1M 1M"
	qemu-img snapshot -c "after-$run" "$image"
	qemu-img snapshot -a clean "$image"
	holds "$image" '-P 7 1M 64k'
done
qemu-img snapshot -l "$image" | awk 'NR > 2 { print $1, $2 }'
qemu-img convert -l snapshot.name=after-2 -O raw "$image" after-2.raw
qemu-io -r -f raw -c 'read -q -P 22 1M 1M' after-2.raw
for run in 1 2 3; do qemu-img snapshot -d "after-$run" "$image"; done
qemu-img snapshot -d clean "$image"
qemu-img snapshot -d clean "$image" || echo "already gone"
qemu-img check "$image" >/dev/null || fail "check of $image"

step "the golden image has moved on"
cp "$image" before.qcow2
qemu-img rebase -p -b golden-2.qcow2 -F qcow2 "$image" | last
qemu-img info "$image" | grep '^backing file'
qemu-img compare before.qcow2 "$image"
qemu-img rebase -u -b ./golden-2.qcow2 -F qcow2 "$image"
qemu-img compare before.qcow2 "$image"
holds "$image" '-P 0 5M 1M'
qemu-img rebase -b gone.qcow2 -F qcow2 "$image" || echo "refused"

step "larger, by options and by resize"
qemu-img resize "$image" +16M
qemu-img resize "$image" 8M || echo "needs --shrink"
qemu-img amend -o lazy_refcounts=on "$image"
qemu-img info "$image" | grep -e virtual -e lazy
qemu-img check "$image" >/dev/null || fail "check of $image"

step "what is published"
qemu-img convert -p -c -O qcow2 -o compression_type=zstd "$image" release.qcow2 | last
qemu-img convert -O raw -S 64k "$image" release.raw
qemu-img compare -p release.qcow2 release.raw | tr '\r' '\n' | tail -n 1
qemu-img dd -O raw if=release.qcow2 of=boot.raw bs=1M count=2
qemu-img dd -O qcow2 if=release.qcow2 of=data.qcow2 bs=1M skip=12 count=14
cmp -n 2097152 boot.raw release.raw
qemu-img info data.qcow2 | grep virtual
qemu-img bench -c 100 -d 4 -s 64k release.qcow2 | sed 's/in .* seconds/in N seconds/'
qemu-img check release.qcow2 >/dev/null && echo "ready"
