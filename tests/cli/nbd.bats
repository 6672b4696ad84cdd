#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# nbd - exports of NBD servers, read and written: nbdkit's, qemu-nbd's, and those of servers that make no sense.
load helpers
load net

setup_file()
{
	make_servers
}

setup()
{
	make_folder
	requires nbdkit
	take_disk
}

teardown()
{
	nbd_stop
	web_stop
	remove_folder
}

@test "a guest's files are read from an export, by a confined process" {
	requires_seccomp
	nbdkit_on s.sock file www/disk.img
	[ "$(drydock cat --confine=required -a "nbd+unix:///?socket=$PWD/s.sock" /etc/greeting)" = "hello from afar" ]
	[ "$(drydock ls "nbd+unix://?socket=$PWD/s.sock:/etc")" = greeting ]
}

@test "an export is written by convert -n, read back, and what it had before is gone" {
	nbdkit_on s.sock memory 24M
	drydock io -f raw -c 'write -P 7 0 24M' "nbd:unix:$PWD/s.sock"
	drydock convert -q -n -f raw -O raw www/disk.img "nbd+unix:///?socket=$PWD/s.sock"
	drydock compare -f raw -F raw www/disk.img "nbd:unix:$PWD/s.sock"
	"$COMPAT/qemu-img" convert -n -f qcow2 -O raw www/disk.qcow2 "nbd+unix:///?socket=$PWD/s.sock"
	drydock convert -q -f raw -O raw "nbd:unix:$PWD/s.sock" back.img
	cmp back.img www/disk.img
	refused "can be written to (-n)" drydock convert -q -f raw -O raw www/disk.img "nbd:unix:$PWD/s.sock"
}

@test "a qcow2 image in an export is read and written as in a device" {
	truncate -s 40M room.img
	nbdkit_on s.sock file room.img
	dd if=www/disk.qcow2 of=room.img conv=notrunc status=none
	drydock convert -q -f qcow2 -O raw "nbd:unix:$PWD/s.sock" back.img
	cmp back.img www/disk.img
	drydock io -f qcow2 -c 'write -P 9 20M 1M' "nbd:unix:$PWD/s.sock"
	drydock io -r -f qcow2 -c 'read -P 9 20M 1M' "nbd:unix:$PWD/s.sock"
	drydock check -f qcow2 "nbd:unix:$PWD/s.sock"
}

@test "an export does not grow" {
	nbdkit_on s.sock memory 1M
	refused "is shorter (1048576 bytes)" drydock convert -q -n -f raw -O raw www/disk.img "nbd:unix:$PWD/s.sock"
	refused "the export has only 1048576 bytes" drydock resize -f raw "nbd:unix:$PWD/s.sock" 2M
	# An image that is full has no room for a cluster more.
	drydock create -q -f qcow2 small.qcow2 16M
	truncate -s 448K small.qcow2
	nbdkit_on q.sock file small.qcow2
	run ! drydock io -f qcow2 -c 'write 0 1M' "nbd:unix:$PWD/q.sock"
	[[ $output == *"past the end of the export"* || $output == *"No space left"* ]]
}

@test "an export for reading only is not written to" {
	nbdkit_on s.sock -r file www/disk.img
	refused "for reading only" drydock io -f raw -c 'write 0 512' "nbd:unix:$PWD/s.sock"
}

@test "a server that wants whole blocks gets them" {
	nbdkit_on s.sock --filter=blocksize-policy memory 1M blocksize-minimum=4096 blocksize-preferred=4096 \
		blocksize-maximum=64K blocksize-error-policy=error
	head -c 1M /dev/urandom >bytes
	cp bytes want
	drydock convert -q -n -f raw -O raw bytes "nbd:unix:$PWD/s.sock"
	drydock io -f raw -c 'write -P 1 5000 10' -c 'write -P 2 4095 2' -c 'write -z 9000 5000' -c 'discard 100 9' \
		"nbd:unix:$PWD/s.sock" >/dev/null
	drydock io -f raw -c 'write -P 1 5000 10' -c 'write -P 2 4095 2' -c 'write -z 9000 5000' want >/dev/null
	drydock compare -f raw -F raw want "nbd:unix:$PWD/s.sock"
}

@test "where data is, is asked of the server" {
	requires qemu-img
	nbdkit_on s.sock file www/disk.img
	"$COMPAT/qemu-img" map --output=json -f raw "nbd:unix:$PWD/s.sock" >ours
	qemu-img map --output=json -f raw "nbd:unix:$PWD/s.sock" >theirs
	diff ours theirs
	"$COMPAT/qemu-img" info "nbd:unix:$PWD/s.sock" >ours
	qemu-img info "nbd:unix:$PWD/s.sock" >theirs
	diff ours theirs
}

@test "exports have names, addresses several forms, and peers' names take them" {
	requires qemu-nbd
	qemu-nbd -r -f raw -t -x "a disk" -k "$PWD/q.sock" --fork --pid-file="$PWD/q.pid" www/disk.img
	nbd_until_end q.pid
	local name
	for name in "nbd+unix:///a%20disk?socket=$PWD/q.sock" "nbd:///a%20disk?socket=$PWD/q.sock" \
		"nbd:unix:$PWD/q.sock:exportname=a disk" \
		"json:{\"driver\":\"nbd\",\"server\":{\"type\":\"unix\",\"path\":\"$PWD/q.sock\"},\"export\":\"a disk\"}" \
		"json:{\"driver\":\"raw\",\"file\":{\"driver\":\"nbd\",\"path\":\"$PWD/q.sock\",\"export\":\"a disk\"}}"; do
		"$COMPAT/qemu-img" compare www/disk.img "$name"
	done
	"$COMPAT/qemu-img" info --image-opts "driver=nbd,server.type=unix,server.path=$PWD/q.sock,export=a disk"
	"$COMPAT/virt-filesystems" -a "nbd:///a%20disk?socket=$PWD/q.sock" | grep -q /dev/sda
	"$COMPAT/virt-ls" -m /dev/sda -a "nbd:///a%20disk?socket=$PWD/q.sock" /etc | grep -q greeting
	run -1 drydock info "nbd+unix:///other?socket=$PWD/q.sock"
}

@test "a server that several connections may use at once is used so" {
	nbdkit_on s.sock --filter=log --filter=delay file www/disk.img rdelay=30ms logfile="$PWD/log"
	drydock convert -q -f raw -O raw "nbd:unix:$PWD/s.sock" back.img
	cmp back.img www/disk.img
	[ "$(grep -c ' Connect ' log)" -gt 1 ]
	nbdkit_on t.sock --filter=multi-conn --filter=log --filter=delay file www/disk.img rdelay=30ms logfile="$PWD/log1" \
		multi-conn-mode=disable
	drydock convert -q -f raw -O raw "nbd:unix:$PWD/t.sock" back.img
	cmp back.img www/disk.img
	[ "$(grep -c ' Connect ' log1)" = 1 ]
	# And on the one there are several questions at a time.
	awk '/ Read / { if (++n > 1) several = 1 } /[.][.][.]Read / { n-- } END { exit !several }' log1
}

# lossy BYTES SERVE-OPTIONS...: a server at lossy.sock, for one client at a time; the first one is hung up on after so many bytes.
# How many came is told in a file.
lossy()
{
	"$DRYDOCK" serve -t --shared 1 --socket="$PWD/s.sock" "${@:2}" >served 3>&- 4>&- &
	NBD_PIDS="${NBD_PIDS-} $!"
	until_true [ -s served ]
	python3 - "$1" <<-'PY' 3>&- 4>&- &
	import os, socket, sys, threading
	left = [int(sys.argv[1])]
	l = socket.socket(socket.AF_UNIX); l.bind('lossy.sock.part'); l.listen(); os.rename('lossy.sock.part', 'lossy.sock')
	def pump(a, b, first):
	    while data := a.recv(65536):
	        if first:
	            left[0] -= len(data)
	            if left[0] < 0: break
	        b.sendall(data)
	    for s in (a, b):
	        try: s.shutdown(socket.SHUT_RDWR)
	        except OSError: pass
	def run(a, b, first):
	    try: pump(a, b, first)
	    except OSError: pass
	first, n = True, 0
	while True:
	    c, _ = l.accept(); n += 1; open('came', 'w').write(str(n)); s = socket.socket(socket.AF_UNIX); s.connect('s.sock')
	    threading.Thread(target=run, args=(c, s, False), daemon=True).start()
	    threading.Thread(target=run, args=(s, c, first), daemon=True).start()
	    first = False
	PY
	NBD_PIDS="${NBD_PIDS-} $!"
	until_true [ -S lossy.sock ]
}

@test "a connection that is lost is made anew, and what was to be read is asked again" {
	requires python3
	lossy 5000000 -f raw www/disk.img
	drydock convert -q -f raw -O raw "nbd:unix:$PWD/lossy.sock" back.img
	cmp back.img www/disk.img
	[ "$(cat came)" = 2 ]
}

@test "what was written over a connection that is lost is not taken for kept" {
	requires python3
	lossy 3000000 -w -f raw www/disk.img
	run -1 drydock io -f raw -c 'write 0 64k' -c 'read 0 8M' -c 'read 0 4k' -c flush "nbd:unix:$PWD/lossy.sock"
	[[ $output == *"read failed: "*"read failed: "* ]]
	[[ $output != *"read 4096/4096"* ]]
}

@test "what makes no sense in an address is refused" {
	refused "a server is HOST:PORT or unix:PATH" drydock info nbd:x
	refused "the path of the socket is missing" drydock info nbd+unix:///x
	refused "one of them is meant" drydock info "nbd://host/x?socket=/s"
	refused '"foo" means nothing' drydock info "nbd://host/x?foo=1"
	refused 'either a "host" or the "path"' drydock info 'json:{"driver":"nbd"}'
	nbdkit_on s.sock memory 1M
	refused 'no option "colour"' drydock info "json:{\"driver\":\"nbd\",\"path\":\"$PWD/s.sock\",\"colour\":\"red\"}"
	refused "Connection refused" drydock info nbd://127.0.0.1:1/
	refused "No such file" drydock info "nbd+unix:///?socket=$PWD/none"
}

@test "servers that make no sense, say nothing or go away get a sentence" {
	web greet
	refused "nbd://127.0.0.1" drydock info "nbd://${U#http://}/"
	web silent
	refused "no answer in 1 seconds" drydock info "json:{\"driver\":\"nbd\",\"host\":\"127.0.0.1\",\"port\":\"${U##*:}\",\"open-timeout\":1}"
	nbdkit_on big.sock memory 9223372036854775807
	refused "9223372036854775807 bytes" drydock info "nbd:unix:$PWD/big.sock"
	nbdkit_on bad.sock --filter=error file www/disk.img error-pread=EIO error-pread-rate=100%
	refused "Input/output error" drydock convert -q -f raw -O raw "nbd:unix:$PWD/bad.sock" out.raw
	[ ! -e out.raw ]
	nbdkit_on gone.sock --filter=delay file www/disk.img rdelay=300ms
	"$DRYDOCK" convert -q -f raw -O raw "nbd:unix:$PWD/gone.sock" out.raw 2>err 3>&- &
	local p=$!
	until_true pgrep -P "$p" drydock-nbd >/dev/null
	sleep 0.3
	nbd_stop
	status=0
	wait "$p" || status=$?
	[ "$status" = 1 ]
	[ "$(wc -l <err)" = 1 ]
	[ ! -e out.raw ]
}

@test "over TLS: by certificates, by keys, and refused without the right ones" {
	requires openssl
	nbdkit --dump-config | grep -q '^tls=yes' || skip "nbdkit is built without TLS"
	mkdir pki
	openssl req -x509 -newkey rsa:2048 -nodes -keyout ca-key.pem -out pki/ca-cert.pem -days 2 -subj /CN=ca 2>/dev/null
	openssl req -newkey rsa:2048 -nodes -keyout pki/server-key.pem -out server.csr -subj /CN=localhost 2>/dev/null
	echo subjectAltName=DNS:localhost >ext
	openssl x509 -req -in server.csr -CA pki/ca-cert.pem -CAkey ca-key.pem -CAcreateserial -out pki/server-cert.pem \
		-days 2 -extfile ext 2>/dev/null
	openssl req -x509 -newkey rsa:2048 -nodes -keyout other-key.pem -out other.pem -days 2 -subj /CN=ca 2>/dev/null
	mkdir good bad
	cp pki/ca-cert.pem good/
	cp other.pem bad/ca-cert.pem
	echo "me:$(openssl rand -hex 32)" >keys.psk
	echo "me:$(openssl rand -hex 32)" >wrong.psk
	chmod 600 ./*.psk
	nbdkit_tcp --tls=require --tls-certificates="$PWD/pki" file www/disk.img
	drydock ls "nbds://localhost:$PORT/?tls-certificates=$PWD/good:/etc" | grep -q greeting
	refused "nbds://localhost" drydock info "nbds://localhost:$PORT/?tls-certificates=$PWD/bad"
	refused "nbds://127.0.0.1" drydock info "nbds://127.0.0.1:$PORT/?tls-certificates=$PWD/good"
	drydock info "nbds://127.0.0.1:$PORT/?tls-certificates=$PWD/bad&tls-verify-peer=off" >/dev/null
	refused "nbd://localhost" drydock info "nbd://localhost:$PORT/"
	nbdkit_on s.sock --tls=require --tls-psk="$PWD/keys.psk" file www/disk.img
	drydock info "nbds+unix:///?socket=$PWD/s.sock&tls-psk-file=$PWD/keys.psk&tls-username=me" >/dev/null
	refused "nbds+unix" drydock info "nbds+unix:///?socket=$PWD/s.sock&tls-psk-file=$PWD/wrong.psk&tls-username=me"
}
