# shellcheck shell=bash disable=SC2154 # $work is that of run
# SPDX-License-Identifier: GPL-2.0-or-later
#
# fixtures.bash - the folders in which rows start, made by the peer.

fixture_empty() { :; }

# held FILE COMMAND...: runs it while another process has the qcow2 image open for writing, as a VM has.
held() {
	local file=$1 rc
	shift
	exec 9> >(exec qemu-io -f qcow2 "$file" >/dev/null 2>&1)
	while ! grep -q "OFDLCK.*$(stat -c %i "$file") " /proc/locks 2>/dev/null; do sleep 0.02; done
	"$@" 9>&-
	rc=$?
	exec 9>&-
	wait
	return $rc
}

# patiently COMMAND...: on a busy machine the peer may find no time to measure how fast it derives keys, and gives up.
patiently() {
	local rc
	for _ in {1..80}; do
		"$@" >"$work/try.out" 2>"$work/try.err"
		rc=$?
		grep -q 'accurate CPU' "$work/try.err" || break
		sleep 0.1
	done
	cat "$work/try.out"
	cat "$work/try.err" >&2
	return $rc
}

# served OPTIONS COMMAND...: runs it, with $nbd the URI of what qemu-nbd serves with these options, and ends the server.
served() {
	local options=$1 pid rc nbd="nbd+unix:///${name-}?socket=$PWD/socket"
	shift
	eval "exec qemu-nbd -t -k $PWD/socket $options" 2>served.err &
	pid=$!
	while [ ! -S socket ] && kill -0 $pid 2>/dev/null; do sleep 0.02; done
	eval "$*"
	rc=$?
	kill $pid
	wait $pid
	echo "the server: $?, the client: $rc"
	while [ -S socket ]; do sleep 0.02; done
	sed "s,$PWD,DIR,g" served.err >&2
	rm -f served.err
}
# What is seen of a server by QEMU's own client and by libnbd's.
peer_io() { /usr/bin/qemu-io "$@"; }
peer_img() { /usr/bin/qemu-img "$@"; }
nbd_facts() { nbdinfo --json "$nbd" | jq -S 'del(.exports[].uri, .exports[].content) | del(.exports[].can_multi_conn)'; }

# fill FILE PATTERN OFFSET LENGTH: writes a pattern.
fill() { qemu-io -f "${5:-qcow2}" -c "write -q -P $2 $3 $4" "$1" >/dev/null; }
# poke FILE OFFSET BYTES: overwrites bytes given as \x escapes.
poke() { printf '%b' "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }
be64() { od -An -tu8 --endian=big -j "$2" -N8 "$1" | tr -d ' '; }

# Plain images: raw of even and odd size, qcow2 of both versions, with data, zeros and holes.
fixture_plain() {
	qemu-img create -q -f raw a.raw 4M
	fill a.raw 0x11 0 64k raw
	fill a.raw 0x22 1M 192k raw
	fill a.raw 0 2M 64k raw
	printf 'hello' >odd.raw
	: >zero.raw
	truncate -s 1000 thousand.raw
	qemu-img create -q -f qcow2 a.qcow2 16M
	fill a.qcow2 0x11 0 64k
	fill a.qcow2 0x22 1M 192k
	qemu-io -f qcow2 -c 'write -q -z 4M 128k' a.qcow2
	qemu-io -f qcow2 -c 'write -q -z -u 5M 128k' a.qcow2
	fill a.qcow2 0 6M 64k
	qemu-img create -q -f qcow2 -o compat=0.10 old.qcow2 4M
	fill old.qcow2 0x33 0 64k
	qemu-img create -q -f qcow2 empty.qcow2 1G
	qemu-img create -q -f qcow2 -o compression_type=zstd,lazy_refcounts=on,refcount_bits=8,cluster_size=4k z.qcow2 8M
	fill z.qcow2 0x44 0 16k
	qemu-img create -q -f qcow2 -o extended_l2=on,cluster_size=128k ext.qcow2 8M
	fill ext.qcow2 0x55 4k 4k
	qemu-img convert -c -O qcow2 a.qcow2 comp.qcow2
	mkdir dir
	cp a.qcow2 unreadable.qcow2
	printf 'this is not a qcow2 image, and has more than one sector%s' "$(seq 1000)" >text.txt
}

# A chain of three and broken chains.
fixture_chain() {
	qemu-img create -q -f qcow2 base.qcow2 8M
	fill base.qcow2 1 0 256k
	fill base.qcow2 2 1M 128k
	qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 mid.qcow2
	fill mid.qcow2 3 64k 64k
	qemu-io -f qcow2 -c 'write -q -z 1M 64k' mid.qcow2
	qemu-img create -q -f qcow2 -b mid.qcow2 -F qcow2 top.qcow2 16M
	fill top.qcow2 4 192k 128k
	fill top.qcow2 5 10M 64k
	qemu-img create -q -f raw base.raw 2M
	fill base.raw 6 0 128k raw
	qemu-img create -q -f qcow2 -b base.raw -F raw onraw.qcow2 4M
	fill onraw.qcow2 7 64k 64k
	cp base.qcow2 gone.qcow2
	qemu-img create -q -f qcow2 -b gone.qcow2 -F qcow2 orphan.qcow2
	rm gone.qcow2
	# The first header extension is the format of the backing file: as one of an unknown type it says nothing.
	qemu-img create -q -f qcow2 -b base.raw -F raw nofmt.qcow2
	poke nofmt.qcow2 112 '\x12\x34\x56\x78'
	qemu-img create -q -f qcow2 -u -b loop2.qcow2 -F qcow2 loop1.qcow2 1M
	qemu-img create -q -f qcow2 -u -b loop1.qcow2 -F qcow2 loop2.qcow2 1M
	qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 badfmt.qcow2
	poke badfmt.qcow2 120 'qcowX'
	mkdir sub
	qemu-img create -q -f qcow2 -b ../base.qcow2 -F qcow2 sub/rel.qcow2
	qemu-img create -q -f qcow2 -b "$PWD/base.qcow2" -F qcow2 abs.qcow2
	qemu-img create -q -f qcow2 -b 'json:{"driver":"qcow2","file":{"driver":"file","filename":"base.qcow2"}}' -F qcow2 json.qcow2 8M
}

# Internal snapshots, bitmaps, data files, encryption, a feature bit nobody knows.
fixture_rich() {
	qemu-img create -q -f qcow2 snap.qcow2 8M
	fill snap.qcow2 1 0 128k
	qemu-img snapshot -c before snap.qcow2
	fill snap.qcow2 2 64k 128k
	qemu-img snapshot -c "after all" snap.qcow2
	fill snap.qcow2 3 1M 64k
	qemu-img create -q -f qcow2 bm.qcow2 8M
	qemu-img bitmap --add bm.qcow2 b0
	qemu-img bitmap --add -g 128k bm.qcow2 b1
	qemu-img bitmap --disable bm.qcow2 b1
	fill bm.qcow2 1 0 128k
	qemu-img create -q -f qcow2 -o data_file=d.data,data_file_raw=on d.qcow2 4M
	fill d.qcow2 9 0 64k
	qemu-img create -q -f qcow2 -o data_file=e.data e.qcow2 4M
	fill e.qcow2 9 64k 64k
	patiently qemu-img create -q --object secret,id=s0,data=secret -f qcow2 \
		-o encrypt.format=luks,encrypt.key-secret=s0,encrypt.iter-time=10 luks.qcow2 1M
	qemu-img create -q -f qcow2 dirty.qcow2 1M
	poke dirty.qcow2 79 '\x01'
	qemu-img create -q -f qcow2 corrupt.qcow2 1M
	poke corrupt.qcow2 79 '\x02'
	qemu-img create -q -f qcow2 future.qcow2 1M
	poke future.qcow2 72 '\x80'
	qemu-img create -q -f qcow2 badver.qcow2 1M
	poke badver.qcow2 7 '\x07'
	qemu-img create -q -f qcow2 badcluster.qcow2 1M
	poke badcluster.qcow2 23 '\x7f'
	qemu-img create -q -f qcow2 v0.qcow2 1M
	poke v0.qcow2 7 '\x00'
	qemu-img create -q -f qcow2 bigheader.qcow2 1M
	poke bigheader.qcow2 101 '\x7f'
	qemu-img create -q -f qcow2 badbacking.qcow2 1M
	poke badbacking.qcow2 8 '\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x10'
	qemu-img create -q -f qcow2 badorder.qcow2 1M
	poke badorder.qcow2 99 '\x07'
	qemu-img create -q -f qcow2 badcrypt.qcow2 1M
	poke badcrypt.qcow2 35 '\x09'
	qemu-img create -q -f qcow2 noreftable.qcow2 1M
	poke noreftable.qcow2 59 '\x00'
	qemu-img create -q -f qcow2 bigreftable.qcow2 1M
	poke bigreftable.qcow2 56 '\x7f'
	qemu-img create -q -f qcow2 oddreftable.qcow2 1M
	poke oddreftable.qcow2 55 '\x08'
	qemu-img create -q -f qcow2 bigl1.qcow2 1M
	poke bigl1.qcow2 36 '\x7f'
	qemu-img create -q -f qcow2 oddl1.qcow2 1M
	poke oddl1.qcow2 47 '\x08'
	qemu-img create -q -f qcow2 smalll1.qcow2 1M
	poke smalll1.qcow2 28 '\x7f'
	qemu-img create -q -f qcow2 bigsnap.qcow2 1M
	poke bigsnap.qcow2 60 '\x7f'
	qemu-img create -q -f qcow2 badcompression.qcow2 1M
	poke badcompression.qcow2 104 '\x09'
	qemu-img create -q -f qcow2 cut.qcow2 1M
	truncate -s 50 cut.qcow2
}

# Images with findings for check.
fixture_broken() {
	local rt rb l1
	qemu-img create -q -f qcow2 ok.qcow2 4M
	fill ok.qcow2 1 0 256k
	rt=$(be64 ok.qcow2 48) rb=$(be64 ok.qcow2 "$(be64 ok.qcow2 48)") l1=$(be64 ok.qcow2 40)
	# A leak: the last cluster's refcount says used, but nothing points there.
	cp ok.qcow2 leak.qcow2
	truncate -s +64k leak.qcow2
	poke leak.qcow2 $((rb + 2 * 9)) '\x00\x01'
	# Two leaks and a refcount that is too high.
	cp leak.qcow2 leaks.qcow2
	truncate -s +64k leaks.qcow2
	poke leaks.qcow2 $((rb + 2 * 10)) '\x00\x01'
	poke leaks.qcow2 $((rb + 2 * 6)) '\x00\x03'
	# A refcount of zero for a cluster in use.
	cp ok.qcow2 err.qcow2
	poke err.qcow2 $((rb + 2 * 6)) '\x00\x00'
	# Both.
	cp leak.qcow2 both.qcow2
	poke both.qcow2 $((rb + 2 * 6)) '\x00\x00'
	# An L2 entry that points past the end.
	cp ok.qcow2 past.qcow2
	local l2
	l2=$(($(be64 ok.qcow2 "$l1") & 0x00fffffffffffe00))
	poke past.qcow2 $((l2 + 8)) '\x80\x00\x00\x00\x40\x00\x00\x00'
	# An L2 entry that is not aligned.
	cp ok.qcow2 unaligned.qcow2
	poke unaligned.qcow2 $((l2 + 8)) '\x80\x00\x00\x00\x00\x05\x02\x00'
	# Two entries with the same cluster.
	cp ok.qcow2 twice.qcow2
	poke twice.qcow2 $((l2 + 8)) '\x80\x00\x00\x00\x00\x05\x00\x00'
	# COPIED missing.
	cp ok.qcow2 copied.qcow2
	poke copied.qcow2 $((l2 + 8)) '\x00'
	# L1 entry past the end.
	cp ok.qcow2 l1past.qcow2
	poke l1past.qcow2 "$l1" '\x80\x00\x00\x00\x40\x00\x00\x00'
	# A refcount table that points nowhere.
	cp ok.qcow2 nort.qcow2
	poke nort.qcow2 "$rt" '\x00\x00\x00\x00\x40\x00\x00\x00'
	cp ok.qcow2 dirtyleak.qcow2
	poke dirtyleak.qcow2 $((rb + 2 * 6)) '\x00\x00'
	poke dirtyleak.qcow2 79 '\x01'
	cp ok.qcow2 corruptbit.qcow2
	poke corruptbit.qcow2 79 '\x02'
	printf 'raw' >raw.raw
	truncate -s 1M raw.raw
}

# Images under keys: LUKS in qcow2 and by itself, with a wrong key beside the right one.
fixture_keys() {
	printf secret >pass
	printf 'c2VjcmV0' >pass64
	patiently qemu-img create -q --object secret,id=k,file=pass -f qcow2 -o encrypt.format=luks,encrypt.key-secret=k,encrypt.iter-time=10 e.qcow2 1M
	patiently qemu-img create -q --object secret,id=k,file=pass -f luks -o key-secret=k,iter-time=10 l.luks 1M
	qemu-io --object secret,id=k,file=pass --image-opts -c 'write -q -P 5 0 64k' driver=qcow2,file.filename=e.qcow2,encrypt.key-secret=k
	qemu-io --object secret,id=k,file=pass --image-opts -c 'write -q -P 5 0 64k' driver=luks,file.filename=l.luks,key-secret=k
	qemu-img create -q -f raw p.raw 1M
	fill p.raw 5 0 64k raw
}

# A chain of two to work on, images to put beneath it, a snapshot, bitmaps with bits in them.
fixture_work() {
	qemu-img create -q -f qcow2 base.qcow2 4M
	fill base.qcow2 0x11 0 1M
	fill base.qcow2 0x12 2M 64k
	qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 mid.qcow2
	fill mid.qcow2 0x21 64k 64k
	qemu-io -f qcow2 -c 'write -q -z 2M 64k' mid.qcow2
	qemu-img create -q -f qcow2 -b mid.qcow2 -F qcow2 top.qcow2 6M
	fill top.qcow2 0x31 128k 64k
	fill top.qcow2 0x32 5M 64k
	qemu-io -f qcow2 -c 'write -q -z 512k 128k' top.qcow2
	qemu-img convert -O qcow2 top.qcow2 flat.qcow2
	qemu-img create -q -f qcow2 other.qcow2 8M
	fill other.qcow2 0x11 0 512k
	fill other.qcow2 0x41 3M 64k
	qemu-img create -q -f qcow2 small.qcow2 1M
	fill small.qcow2 0x11 0 128k
	qemu-img create -q -f raw disk.raw 2M
	fill disk.raw 0x51 0 128k raw
	qemu-img create -q -f qcow2 -b disk.raw -F raw onraw.qcow2
	fill onraw.qcow2 0x52 64k 64k
	qemu-img create -q -f qcow2 snap.qcow2 4M
	fill snap.qcow2 1 0 128k
	qemu-img snapshot -c one snap.qcow2
	fill snap.qcow2 2 64k 128k
	qemu-img snapshot -c two snap.qcow2
	fill snap.qcow2 3 1M 64k
	qemu-img create -q -f qcow2 bm.qcow2 4M
	qemu-img bitmap --add bm.qcow2 a
	qemu-img bitmap --add -g 4k bm.qcow2 fine
	fill bm.qcow2 1 0 128k
	qemu-img bitmap --add --disable bm.qcow2 off
	fill bm.qcow2 2 1M 64k
	qemu-img create -q -f qcow2 bm2.qcow2 4M
	qemu-img bitmap --add bm2.qcow2 c
	fill bm2.qcow2 1 3M 64k
	qemu-img create -q -f qcow2 -o compat=0.10 old.qcow2 4M
	fill old.qcow2 7 0 64k
	qemu-img create -q -f qcow2 -o data_file=d.data d.qcow2 1M
	printf secret >pass
	patiently qemu-img create -q --object secret,id=s0,file=pass -f luks -o key-secret=s0,iter-time=10 crypt.luks 64k
	: >zero.raw
	printf hello >odd.raw
}
