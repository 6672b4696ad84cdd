#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Disks served by NBD: real clients, ends of all kinds, what is on the disk when the server is killed.
# shellcheck disable=SC2030,SC2031,SC2154 # each test is a subshell of bats

load helpers
load serve

teardown()
{
	[ -z "${server-}" ] || kill -9 "$server" 2>/dev/null || true
	remove_folder
}

# 8 MiB: 1 MiB of data, a hole, 1 MiB at 4 MiB.
make_disk()
{
	truncate -s 8M "$1"
	head -c 1M /dev/urandom | dd of="$1" conv=notrunc status=none
	head -c 1M /dev/urandom | dd of="$1" bs=1M seek=4 conv=notrunc status=none
}

@test "serve: clients of libnbd and QEMU read what the image holds" {
	requires qemu-img nbdinfo nbdcopy
	make_disk a.raw
	qemu-img convert -f raw -O qcow2 a.raw a.qcow2
	serve s drydock serve -t -f qcow2 a.qcow2
	nbdcopy "$(uri s)" copy.raw
	cmp a.raw copy.raw
	prints identical qemu-img compare -f raw -F raw a.raw "$(uri s)"
	prints 8388608 nbdinfo --size "$(uri s)"
	prints '"is_read_only": true' nbdinfo --json "$(uri s)"
	prints '"can_multi_conn": true' nbdinfo --json "$(uri s)"
	run -0 nbdinfo --map "$(uri s)"
	[ "$(awk '{ print $1, $2, $4 }' <<<"$output" | head -3)" = "0 1048576 data
1048576 3145728 hole,zero
4194304 1048576 data" ]
	run ! qemu-io -f raw -c 'write 0 512' "$(uri s)"
	stop
	is_gone s.sock
}

@test "serve: who comes when a raw disk has grown sees its new size, and a resize by others is refused" {
	requires nbdinfo nbdcopy
	make_disk a.raw
	serve s drydock serve -t -f raw a.raw
	prints 8388608 nbdinfo --size "$(uri s)"
	run ! drydock resize -f raw a.raw 9M
	[[ $output == *"another process uses this image"* ]]
	prints 8388608 nbdinfo --size "$(uri s)"
	head -c 1M /dev/urandom >>a.raw
	prints 9437184 nbdinfo --size "$(uri s)"
	nbdcopy "$(uri s)" copy.raw
	cmp a.raw copy.raw
	truncate -s 4M a.raw
	prints 9437184 nbdinfo --size "$(uri s)"
	stop
	serve p drydock serve -t -f raw -o 1M a.raw
	truncate -s 9M a.raw
	prints 3145728 nbdinfo --size "$(uri p)"
	stop
}

@test "serve: clients write, zero and discard, and the image is whole when the server was asked to end" {
	requires qemu-img qemu-io nbdcopy
	make_disk a.raw
	drydock create -q -f qcow2 b.qcow2 8M
	serve s drydock serve -t -w b.qcow2
	nbdcopy a.raw "$(uri s)"
	qemu-io -f raw -c 'write -P 7 2M 64k' -c 'write -z 4M 128k' -c 'discard 5M 1M' -c flush "$(uri s)"
	stop
	qemu-img check -q b.qcow2
	cp a.raw want.raw
	qemu-io -f raw -c 'write -P 7 2M 64k' -c 'write -z 4M 128k' want.raw >/dev/null
	prints identical qemu-img compare want.raw b.qcow2 -f raw -F qcow2
}

@test "serve: nothing is written unless that was said, nor to the image by --temporary" {
	requires qemu-io
	make_disk a.raw
	cp a.raw old.raw
	serve s drydock serve -t -f raw --temporary a.raw
	qemu-io -f raw -c 'write -P 9 0 1M' -c 'read -P 9 0 1M' "$(uri s)" >/dev/null
	stop
	cmp a.raw old.raw
}

@test "serve: several images, each under its name, and what a client gets that asks for none" {
	requires nbdinfo nbdcopy
	make_disk a.raw
	truncate -s 3M b.raw
	serve s drydock serve -t -f raw -D words a.raw "the second=b.raw"
	prints 8388608 nbdinfo --size "$(uri s a.raw)"
	prints 3145728 nbdinfo --size "$(uri s the%20second)"
	run ! nbdinfo --size "$(uri s)"
	run -0 drydock serve --list --json --socket="$T/s.sock"
	[ "$(jq -r '.[] | .name + " " + .description + " " + (.size | tostring)' <<<"$output")" = "a.raw words 8388608
the second words 3145728" ]
	grep -qx "nbd+unix:///the%20second?socket=$T/s.sock" s.out
	stop
}

@test "serve: a part of a disk, a partition, and volumes of a guest with an encrypted one" {
	requires sfdisk cryptsetup nbdcopy qemu-img
	truncate -s 64M disk.raw
	printf 'start=2048, size=20480\nstart=40960, size=81920\n' | sfdisk -q disk.raw
	head -c 10M /dev/urandom >part1
	dd if=part1 of=disk.raw bs=1M seek=1 conv=notrunc status=none
	make_disk inside
	# It times the processor, and sometimes cannot.
	for _ in {1..20}; do
		run qemu-img convert --object secret,id=s,data=secret -f raw -O luks -o key-secret=s,iter-time=10 inside part2
		[[ $output = *'accurate CPU'* ]] || break
	done
	[ "$status" = 0 ]
	dd if=part2 of=disk.raw bs=1M seek=20 conv=notrunc status=none

	serve s drydock serve -f raw --partition 1 disk.raw
	nbdcopy "$(uri s)" copy
	cmp part1 copy
	wait "$server"
	serve s drydock serve -f raw --offset 1M disk.raw
	nbdcopy "$(uri s)" copy
	cmp <(tail -c +1048577 disk.raw) copy
	wait "$server"
	serve s drydock serve -t -f raw --volumes --key all:key:secret disk.raw
	run -0 drydock serve --list --json --socket="$T/s.sock"
	[ "$(jq -r '.[] | .name' <<<"$output" | sort | tr '\n' ' ')" = "mapper/luks-$(cryptsetup luksUUID part2) sda1 sda2 " ] ||
		{ echo "$output"; false; }
	nbdcopy "$(uri s sda1)" copy
	cmp part1 copy
	nbdcopy "$(uri s "mapper/luks-$(cryptsetup luksUUID part2)")" copy
	cmp inside <(head -c 8M copy)
	stop
}

@test "serve: what was written to a partition is in the image" {
	requires sfdisk qemu-io qemu-img
	truncate -s 64M disk.raw
	printf 'start=2048, size=20480\n' | sfdisk -q disk.raw
	drydock convert -q -f raw -O qcow2 disk.raw disk.qcow2
	serve s drydock serve -w --volume sda1 disk.qcow2
	qemu-io -f raw -c 'write -P 3 0 1M' "$(uri s sda1)"
	wait "$server"
	qemu-img check -q disk.qcow2
	prints "read 1048576/1048576" qemu-io -f qcow2 -r -c 'read -P 3 1M 1M' disk.qcow2
}

@test "serve: a snapshot inside the image" {
	requires qemu-img qemu-io nbdcopy
	drydock create -q -f qcow2 a.qcow2 1M
	qemu-io -c 'write -P 1 0 1M' a.qcow2
	qemu-img snapshot -c before a.qcow2
	qemu-io -c 'write -P 2 0 1M' a.qcow2
	serve s drydock serve -l before a.qcow2
	prints "read 1048576/1048576" qemu-io -r -f raw -c 'read -P 1 0 1M' "$(uri s)"
	wait "$server"
}

@test "serve: dirty bitmaps and the depth of allocation" {
	requires qemu-img qemu-io nbdinfo
	drydock create -q -f qcow2 base.qcow2 4M
	qemu-io -c 'write -P 1 0 1M' base.qcow2
	qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 a.qcow2
	qemu-img bitmap --add a.qcow2 day
	qemu-io -c 'write -P 2 2M 64k' a.qcow2
	serve s drydock serve -t -A -B day a.qcow2
	run -0 nbdinfo --map=qemu:dirty-bitmap:day "$(uri s)"
	[ "$(awk '{ print $1, $2, $4 }' <<<"$output")" = "0 2097152 clean
2097152 65536 dirty
2162688 2031616 clean" ]
	run -0 nbdinfo --map=qemu:allocation-depth "$(uri s)"
	[ "$(awk '{ print $1, $2, $3 }' <<<"$output")" = "0 1048576 2
1048576 1048576 0
2097152 65536 1
2162688 2031616 0" ]
	# And as QEMU reads it.
	run -0 qemu-img map --output=json --image-opts \
		"driver=nbd,server.type=unix,server.path=$T/s.sock,x-dirty-bitmap=qemu:dirty-bitmap:day"
	[ "$(jq -c '[.[] | select(.data == false) | [.start, .length]]' <<<"$output")" = "[[2097152,65536]]" ]
	stop
	fails_with 1 'there is no bitmap "night"' drydock serve -B night --socket="$T/x.sock" a.qcow2
}

@test "serve: what was acknowledged with FUA or flush is there when the server was killed" {
	requires qemu-img qemu-io
	for format in raw qcow2; do
		drydock create -q -f "$format" "a.$format" 16M
		for how in fua flush; do
			serve s drydock serve -t -w -f "$format" "a.$format"
			if [ $how = fua ]; then
				qemu-io -f raw -t writeback -c 'write -f -P 5 1M 256k' -c 'write -f -P 6 9M 64k' \
					-c "sigraise 9" "$(uri s)" || true
			else
				qemu-io -f raw -t writeback -c 'write -P 7 2M 256k' -c 'write -P 8 10M 64k' -c flush \
					-c "sigraise 9" "$(uri s)" || true
			fi
			kill -9 "$server"
			wait "$server" || true
			wait_until is_gone s.sock # by the process that is there for that
		done
		# What is not repaired is at most space that nobody uses.
		run qemu-img check "a.$format" -f "$format"
		[ "$status" = 0 ] || [ "$status" = 3 ] || [ "$format" = raw ]
		prints "read 65536/65536" qemu-io -r -f "$format" -c 'read -P 5 1M 256k' -c 'read -P 6 9M 64k' \
			-c 'read -P 7 2M 256k' -c 'read -P 8 10M 64k' "a.$format"
		[[ $output != *failed* ]]
	done
}

# Each system call that reaches the disk is seen before the answer goes out.
@test "serve: a write with FUA, and a flush, have synced the file before they are answered" {
	requires_tracing
	requires qemu-io
	truncate -s 1M a.raw
	unset DRYDOCK_TEST_SHORT_IO
	serve s strace -f -o trace -e trace=pwrite64,fdatasync,fsync,sendmsg "$DRYDOCK" serve -w -f raw --confine=off a.raw
	qemu-io -f raw -t writeback -c 'write -f -P 5 64k 4k' "$(uri s)" >/dev/null
	wait "$server"
	awk '/pwrite64.*= 4096|pwrite64.*resumed.*= 4096/ { written = NR } /f(data)?sync.*= 0/ && written && !synced { synced = NR }
		/sendmsg/ && written && !answered { answered = NR }
		END { exit !(written && synced > written && answered > synced) }' trace || { cat trace; false; }
}

# SERVE_KILLS=200 for a longer look.
@test "serve: killed at random moments, it has lost nothing that was acknowledged" {
	requires qemu-img python3
	drydock create -q -f qcow2 -o cluster_size=4k k.qcow2 16M
	python3 "$TOP/tests/cli/serve_kill.py" "$DRYDOCK" "${SERVE_KILLS:-8}"
}

@test "serve: 64 clients hammer one export while others vanish, send rubbish or never read" {
	requires qemu-io python3
	truncate -s 64M a.raw
	serve s drydock serve -t -w -f raw --shared 200 a.raw
	python3 - "$T/s.sock" <<-'PY' || { cat s.err; false; }
	import os, random, resource, socket, struct, sys, threading
	path = sys.argv[1]
	def connect():
	    s = socket.socket(socket.AF_UNIX); s.connect(path); return s
	def get(s, n):
	    b = b''
	    while len(b) < n:
	        got = s.recv(n - len(b))
	        if not got: raise EOFError
	        b += got
	    return b
	def go(s):
	    get(s, 18); s.sendall(struct.pack('>I', 3))
	    s.sendall(b'IHAVEOPT' + struct.pack('>IIIH', 7, 6, 0, 0))
	    while True:
	        _, _, kind, n = struct.unpack('>QIII', get(s, 20)); get(s, n)
	        if kind == 1: return
	def ask(s, kind, flags, off, n, data=b''):
	    s.sendall(struct.pack('>IHHQQI', 0x25609513, flags, kind, 1, off, n) + data)
	# Those that never read: each wants far more than a socket holds.
	mute = [connect() for _ in range(8)]
	for s in mute:
	    go(s)
	    for i in range(16): ask(s, 0, 0, 0, 1 << 25)
	# Rubbish, lengths that lie, and ends in the middle.
	r = random.Random(1)
	for i in range(40):
	    s = connect()
	    try:
	        if i % 4 == 0: s.sendall(r.randbytes(200))
	        elif i % 4 == 1: go(s); ask(s, 1, 0, 0, 0xffffffff, b'x' * 100)
	        elif i % 4 == 2: go(s); ask(s, 1, 0, 1 << 60, 65536, b'y' * 1000)
	        else: go(s); ask(s, 1, 0, 4096, 1 << 20, b'z' * 5000)
	    except OSError: pass
	    s.close()
	failed = []
	def hammer(i):
	    try:
	        s = connect(); go(s); base = i << 19
	        for k in range(40):
	            data = bytes([i ^ k]) * 4096; off = base + (k % 8) * 4096
	            ask(s, 1, 0, off, 4096, data); assert get(s, 16)[4:8] == b'\0' * 4
	            ask(s, 0, 0, off, 4096); assert get(s, 16)[4:8] == b'\0' * 4
	            assert get(s, 4096) == data
	        ask(s, 2, 0, 0, 0); s.close()
	    except Exception as e: failed.append(repr(e))
	threads = [threading.Thread(target=hammer, args=(i,)) for i in range(64)]
	for t in threads: t.start()
	for t in threads: t.join()
	assert not failed, failed
	PY
	# 72 clients of four threads, and a buffer of 512 KiB for each that asked for more.
	is_sanitized || [ "$(awk '/^VmHWM/ { print $2 }' "/proc/$server/status")" -lt $((72 * 2048 + 65536)) ]
	stop
}

@test "serve: fio writes at random places on several connections, and reads the same" {
	requires fio
	drydock create -q -f qcow2 a.qcow2 16M
	serve s drydock serve -t -w a.qcow2
	fio --name=x --ioengine=nbd --uri="$(uri s)" --rw=randwrite --bs=4k --iodepth=16 --numjobs=3 --thread --size=4m \
		--offset_increment=4m --verify=crc32c --verify_fatal=1 --fsync=64 >fio.out || { cat fio.out; false; }
	stop
	drydock check a.qcow2
}

@test "serve: no more clients at a time than --shared; the next is served when one has left" {
	requires nbdinfo
	truncate -s 1M a.raw
	serve s drydock serve -t -f raw --shared 1 a.raw
	python3 - "$T/s.sock" <<-'PY'
	import socket, sys
	a, b = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
	a.connect(sys.argv[1]); assert len(a.recv(18)) == 18
	b.connect(sys.argv[1]); b.settimeout(0.3)
	try: assert not b.recv(1)
	except socket.timeout: pass
	a.close(); b.settimeout(60); assert len(b.recv(18)) == 18
	PY
	prints '"can_multi_conn": false' nbdinfo --json "$(uri s)"
	stop
}

@test "serve: as many clients as --shared says, where the process may have so many descriptors" {
	requires python3
	truncate -s 1M a.raw
	# shellcheck disable=SC2016
	serve s bash -c 'ulimit -Sn 256; exec "$0" "$@"' "$DRYDOCK" serve -t -f raw --shared 400 a.raw
	python3 - "$T/s.sock" <<-'PY'
	import socket, sys
	all = [socket.socket(socket.AF_UNIX) for _ in range(300)]
	for s in all: s.connect(sys.argv[1])
	for s in all: assert len(s.recv(18)) == 18
	PY
	stop
	[ ! -s s.err ]
	# shellcheck disable=SC2016
	serve s bash -c 'ulimit -n 256; exec "$0" "$@"' "$DRYDOCK" serve -t -f raw --shared 400 a.raw
	grep -q "at most 128 clients at a time" s.err
	stop
}

@test "serve: it ends with the last client that was served, not with one that only asked" {
	requires nbdinfo
	truncate -s 1M a.raw
	serve s drydock serve -f raw a.raw
	drydock serve --list --socket="$T/s.sock"
	kill -0 "$server"
	nbdinfo --size "$(uri s)"
	wait "$server"
	is_gone s.sock
}

@test "serve: any free port, told by its URI, in the background, with a PID file" {
	requires nbdinfo
	truncate -s 1M a.raw
	drydock serve -t -f raw --fork --pid-file="$T/pid" -b 127.0.0.1 -p 0 a.raw >uri 3>&-
	server=$(cat pid)
	[[ $(cat uri) =~ ^nbd://127.0.0.1:[0-9]+/$ ]]
	prints 1048576 nbdinfo --size "$(cat uri)"
	kill "$server"
	wait_until has_ended "$server"
	fails_with 1 "No such file or directory" drydock serve --fork -f raw -p 0 missing.raw
}

@test "serve: sockets that the caller has made: systemd's way, one that listens, and a client" {
	requires nbdcopy nbdinfo
	make_disk a.raw
	nbdcopy -- [ "$DRYDOCK" serve -f raw a.raw ] copy.raw
	cmp a.raw copy.raw
	python3 - "$DRYDOCK" <<-'PY'
	import os, socket, subprocess, sys
	def greeting(fd): return subprocess.Popen([sys.argv[1], 'serve', '-f', 'raw', '--fd', str(fd), 'a.raw'], pass_fds=[fd])
	a, b = socket.socketpair()
	p = greeting(b.fileno()); b.close()
	assert a.recv(18, socket.MSG_WAITALL)[:8] == b'NBDMAGIC'; a.close()
	assert p.wait() == 0
	l = socket.socket(socket.AF_UNIX); l.bind('listener'); l.listen()
	p = greeting(l.fileno()); l.close()
	c = socket.socket(socket.AF_UNIX); c.connect('listener')
	assert c.recv(18, socket.MSG_WAITALL)[:8] == b'NBDMAGIC'; c.close(); p.terminate()
	assert p.wait() == 0
	PY
	fails_with 1 "descriptor 77: Bad file descriptor" drydock serve -f raw --fd 77 a.raw
}

@test "serve: where somebody listens nobody else does; a socket that was left behind is replaced" {
	truncate -s 1M a.raw
	serve s drydock serve -t -f raw a.raw
	fails_with 1 "Address already in use" drydock serve -f raw --socket="$T/s.sock" a.raw
	stop
	python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('$T/s.sock')"
	serve s drydock serve -t -f raw a.raw
	drydock serve --list --socket="$T/s.sock"
	stop
}

@test "serve: confined, it has no new privileges and a filter for system calls" {
	requires_seccomp
	truncate -s 1M a.raw
	serve s drydock serve -t -f raw --confine=required a.raw
	grep -q '^NoNewPrivs:.1' "/proc/$server/status"
	grep -q '^Seccomp:.2' "/proc/$server/status"
	stop
}

@test "serve: TLS with certificates: who has the right one is served, over it only" {
	requires openssl qemu-img nbdinfo qemu-nbd
	make_disk a.raw
	make_certificates ours
	make_certificates theirs
	drydock serve -t -w -v -f raw --fork --pid-file="$T/pid" -b localhost -p 0 --tls-creds t \
		--object "tls-creds-x509,id=t,endpoint=server,dir=$T/ours" a.raw >uri 2>err 3>&-
	server=$(cat pid)
	port=$(sed 's,.*:,,; s,/,,' uri)
	[[ $(head -1 uri) == nbds://* ]]
	local own="tls-creds-x509,id=c,endpoint=client,dir=$T/ours" other="tls-creds-x509,id=c,endpoint=client,dir=$T/theirs"
	prints 8388608 nbdinfo --size "nbds://localhost:$port/?tls-certificates=$T/ours"
	prints identical qemu-img compare --object "$own" --image-opts driver=raw,file.filename=a.raw \
		"driver=nbd,host=localhost,port=$port,tls-creds=c"
	prints "exports available: 1" qemu-nbd --list -b localhost -p "$port" --object "$own" --tls-creds c
	prints "exports available: 1" drydock serve --list -b localhost -p "$port" --object "$own" --tls-creds c
	# Of another authority; in the open; of another host.
	run ! nbdinfo --size "nbds://localhost:$port/?tls-certificates=$T/theirs"
	run ! qemu-nbd --list -b localhost -p "$port" --object "$other" --tls-creds c
	fails_with 1 "TLS: the other side's certificate" \
		drydock serve --list -b localhost -p "$port" --object "$other" --tls-creds c
	fails_with 1 "the server serves those only who encrypt (TLS)" drydock serve --list -b localhost -p "$port"
	run ! nbdinfo --size "nbd://localhost:$port"
	fails_with 1 "hostname mismatch" \
		drydock serve --list -b localhost -p "$port" --object "$own" --tls-creds c --tls-hostname elsewhere
	# A client without any certificate.
	mkdir bare
	cp ours/ca-cert.pem bare
	run ! nbdinfo --size "nbds://localhost:$port/?tls-certificates=$T/bare"
	kill "$server"
	wait_until has_ended "$server"
	grep -q 'drydock: TLS: ' err
}

@test "serve: TLS lets in those alone whose name is given" {
	requires openssl qemu-nbd
	truncate -s 1M a.raw
	make_certificates ours
	local own="tls-creds-x509,id=c,endpoint=client,dir=$T/ours"
	serve s drydock serve -t -f raw --tls-creds t --object "tls-creds-x509,id=t,endpoint=server,dir=$T/ours" \
		--tls-authz z --object 'authz-simple,id=z,identity=CN=client.example,,O=Example Org,,C=GB' a.raw
	prints "exports available: 1" qemu-nbd --list -k "$T/s.sock" --object "$own" --tls-creds c --tls-hostname localhost
	stop
	serve s drydock serve -v -t -f raw --tls-creds t --object "tls-creds-x509,id=t,endpoint=server,dir=$T/ours" \
		--tls-authz z --object 'authz-simple,id=z,identity=CN=somebody' a.raw
	run ! qemu-nbd --list -k "$T/s.sock" --object "$own" --tls-creds c --tls-hostname localhost
	stop
	grep -q 'a client of the name "CN=client.example,O=Example Org,C=GB" is not allowed' s.err
}

@test "serve: TLS with shared keys, many requests at once both ways" {
	requires nbdcopy nbdinfo qemu-nbd
	make_disk a.raw
	mkdir keys others
	echo "anna:00112233445566778899aabbccddeeff" >keys/keys.psk
	echo "anna:ff112233445566778899aabbccddeeff" >others/keys.psk
	drydock create -q -f raw b.raw 8M
	drydock serve -t -w -f raw --fork --pid-file="$T/pid" -b 127.0.0.1 -p 0 --tls-creds t \
		--object "tls-creds-psk,id=t,endpoint=server,dir=$T/keys" b.raw >uri 3>&-
	server=$(cat pid)
	port=$(sed 's,.*:,,; s,/,,' uri)
	uri="nbds://anna@127.0.0.1:$port/?tls-psk-file=$T/keys/keys.psk"
	nbdcopy --requests=16 --request-size=65536 a.raw "$uri"
	nbdcopy --requests=16 "$uri" copy.raw
	cmp a.raw copy.raw
	prints "exports available: 1" qemu-nbd --list -b 127.0.0.1 -p "$port" --tls-creds c \
		--object "tls-creds-psk,id=c,endpoint=client,dir=$T/keys,username=anna"
	run ! nbdinfo --size "nbds://anna@127.0.0.1:$port/?tls-psk-file=$T/others/keys.psk"
	kill "$server"
	wait_until has_ended "$server"
}

@test "serve: wrong uses get a sentence" {
	truncate -s 1M a.raw
	make() { fails_with "$1" "$2" drydock serve "${@:3}"; }
	make 2 "which image?"
	make 2 "--list takes no image" --list a.raw
	make 2 "--writable and --read-only exclude each other" -w -r a.raw
	make 2 "--temporary excludes" -w --temporary a.raw
	make 2 "a snapshot inside an image can only be read" -w -l x a.raw
	make 2 "several are named NAME=IMAGE" -x n a.raw a.raw
	make 2 "--tls-authz needs --tls-creds" --tls-authz z a.raw
	make 2 "--connect excludes --fd" --connect /dev/nbd0 --fd 3 a.raw
	make 2 "a device shows one export" --connect /dev/nbd0 a.raw a.raw
	make 2 "--disconnect takes one device" --disconnect
	make 1 "/dev/none: No such file or directory" --connect /dev/none -f raw a.raw
	make 1 "not a device of the kernel's NBD client" --connect /dev/null -f raw a.raw
	make 1 "not a device of the kernel's NBD client" --disconnect /dev/null
	make 2 "--shared: at least 1" --shared 0 a.raw
	make 2 "does not accept value 'nonsense'" --object nonsense,id=a a.raw
	make 2 "'priority' is not available" --object tls-creds-psk,id=a,dir=x,priority=NORMAL a.raw
	make 2 "No TLS credentials with id 't'" --tls-creds t --socket="$T/s.sock" a.raw
	make 1 "there is no partition 3" --partition 3 --socket="$T/s.sock" -f raw a.raw
	make 1 'there is no volume "sda9"' --volume sda9 --socket="$T/s.sock" -f raw a.raw
	make 2 "the offset lies past the end of the disk" --offset 2M --socket="$T/s.sock" -f raw a.raw
	make 1 "Failed to connect to" --list --socket="$T/none.sock"
}
