#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# http - images on web servers: read in parts, and servers of which something is wrong.
load helpers
load net

setup_file()
{
	make_servers
}

setup()
{
	make_folder
	take_disk
}

teardown()
{
	web_stop
	remove_folder
}

@test "ls, cat and cp read a guest's files from a server, confined, and only what they need" {
	requires_seccomp
	web
	run -0 drydock ls --confine=required "$U/disk.qcow2:/etc"
	[ "$output" = greeting ]
	[ "$(fetched)" -lt 2000000 ]
	[ "$(drydock cat "$U/disk.qcow2:/etc/greeting")" = "hello from afar" ]
	drydock cp "$U/disk.qcow2:/noise" .
	cmp noise tree/noise
}

@test "the start of a disk without a filesystem costs one question" {
	web
	truncate -s 1G www/empty.img
	drydock info -f raw "$U/empty.img"
	[ "$(wc -l <log)" = 1 ]
	[ "$(fetched)" = 65536 ]
}

@test "convert copies what a server has, with at most a tenth more than its bytes" {
	web
	drydock convert -q "$U/disk.qcow2" -O raw out.raw
	cmp out.raw www/disk.img
	[ "$(fetched)" -lt $(($(stat -c %s www/disk.qcow2) * 11 / 10)) ]
	drydock convert -q -f raw "$U/disk.img" -O qcow2 out.qcow2
	drydock compare -f qcow2 -F raw out.qcow2 www/disk.img
}

@test "every command that reads takes such an address" {
	web
	drydock info --json "$U/disk.qcow2" | grep -q "\"$U/disk.qcow2\""
	drydock check "$U/disk.qcow2"
	drydock map "$U/disk.qcow2" | sed "s,$U,www," >map
	drydock map www/disk.qcow2 | diff - map
	drydock compare "$U/disk.qcow2" www/disk.img
	drydock measure -O qcow2 "$U/disk.qcow2"
	drydock dd -f qcow2 -O raw if="$U/disk.qcow2" of=dd.img bs=1M count=2
	cmp dd.img <(head -c 2M www/disk.img)
	drydock io -r -f raw -c 'read -v 1080 2' "$U/disk.img" | grep -q '53 ef'
	drydock df "$U/disk.qcow2"
}

@test "peers' names take it as an address, and as options in their names" {
	web
	"$COMPAT/qemu-img" info "$U/disk.qcow2" | grep -q "^image: $U/disk.qcow2"
	"$COMPAT/qemu-img" info "json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"http\",\"url\":\"$U/disk.qcow2\",\"readahead\":\"128k\",\"sslverify\":\"off\",\"timeout\":9}}" |
		grep -q '^file format: qcow2'
	"$COMPAT/qemu-img" convert --image-opts "driver=raw,file.driver=http,file.url=$U/disk.img" -O raw o.raw
	cmp o.raw www/disk.img
	"$COMPAT/virt-filesystems" -a "$U/disk.qcow2" | grep -q /dev/sda
	"$COMPAT/qemu-io" -r -f raw -c 'read 0 64k' "$U/disk.img"
	refused "Unknown protocol 'foo'" "$COMPAT/qemu-img" info foo://x/y
}

@test "readahead asks for more at a time" {
	web
	drydock io -r -c 'read 0 1' "json:{\"driver\":\"raw\",\"file\":{\"driver\":\"http\",\"url\":\"$U/disk.img\",\"readahead\":\"1M\"}}"
	drydock io -r -c 'read 8M 1' "json:{\"driver\":\"raw\",\"file\":{\"driver\":\"http\",\"url\":\"$U/disk.img\",\"readahead\":\"1M\"}}"
	grep -q '^206 1048576 8388608-9437183 ' log
}

@test "options that mean nothing are refused" {
	web
	refused 'no option "path"' drydock info "json:{\"driver\":\"raw\",\"file\":{\"driver\":\"http\",\"url\":\"$U/disk.img\",\"path\":\"x\"}}"
	refused '"timeout": a number' drydock info "json:{\"driver\":\"http\",\"url\":\"http://127.0.0.1:1/\",\"timeout\":0}"
	refused '"readahead": not a multiple' drydock info "json:{\"driver\":\"http\",\"url\":\"http://127.0.0.1:1/\",\"readahead\":1}"
	refused 'not an address of https' drydock info "json:{\"driver\":\"https\",\"url\":\"http://127.0.0.1:1/\"}"
	refused 'there is no host' drydock info http:///x
	refused 'only read' drydock resize -f raw http://127.0.0.1:1/x 1M
	refused 'no image is made on a network' drydock convert -f raw -O raw www/disk.img http://127.0.0.1:1/x
}

@test "what breaks or is busy is asked again, also where nobody waits for it yet" {
	local fault

	for fault in reset=3 busy=2; do
		web delay=2 "$fault"
		drydock cat "$U/disk.img:/noise" | cmp - tree/noise
	done
	for fault in reset=3 busy=2 short; do
		web "$fault"
		drydock convert -q -f qcow2 "$U/disk.qcow2" -O raw out.raw
		cmp out.raw www/disk.img
	done
}

@test "a file that is replaced while it is read is an error" {
	local fault

	for fault in change=3 grow=3; do
		web "$fault"
		refused "the file on the server has changed since it was opened" drydock convert -q "$U/disk.qcow2" -O raw out.raw
		[ ! -e out.raw ]
	done
	web delay=2 change=20
	refused "the file on the server has changed since it was opened" drydock cat "$U/disk.img:/noise"
}

@test "a server that does not give parts is refused before it has sent much" {
	web whole
	refused "no parts of them (ranges)" drydock info "$U/disk.img"
	web endless
	refused "no parts of them (ranges)" drydock info "$U/disk.img"
}

@test "servers that lie get a sentence" {
	web long
	refused "sent more than it was asked for" drydock info "$U/disk.img"
	web other
	refused "sent another part" drydock info "$U/disk.img"
	web lie
	refused "has changed" drydock convert -q "$U/disk.qcow2" -O raw out.raw
	web huge
	refused "9223372036854775807 bytes" drydock info "$U/disk.img"
	web headers
	refused "headers are longer" drydock info "$U/disk.img"
	web loop
	refused "redirects" drydock info "$U/disk.img"
	web garbage
	refused "$U/disk.img: " drydock info "$U/disk.img"
}

@test "servers that are slow, or say nothing, are given up" {
	local options='"timeout":1'

	web silent
	refused "$U/disk.img: " drydock info "json:{\"driver\":\"http\",\"url\":\"$U/disk.img\",$options}"
	web drip
	refused "$U/disk.img: " drydock info "json:{\"driver\":\"http\",\"url\":\"$U/disk.img\",$options}"
}

@test "what is not there, and who is not there, is told" {
	web
	refused "the server has no such file (status 404)" drydock info "$U/none"
	web_stop
	refused "127.0.0.1" drydock info http://127.0.0.1:1/x
}

@test "users, passwords and cookies are sent, and not shown" {
	web auth=me:s:3cret
	printf 's:3cret' >pw
	refused "another user or password (status 401)" drydock info "$U/disk.img"
	run -0 drydock info -f raw "http://me:s%3A3cret@${U#http://}/disk.img"
	[[ $output != *3cret* ]]
	"$COMPAT/qemu-img" info --object secret,id=p,file=pw --image-opts \
		"driver=raw,file.driver=http,file.url=$U/disk.img,file.username=me,file.password-secret=p"
	run -1 drydock info "http://me:wr0ng@${U#http://}/disk.img"
	[[ $output == *401* && $output != *wr0ng* ]]
	web cookie=a=b
	"$COMPAT/qemu-img" info --image-opts "driver=raw,file.driver=http,file.url=$U/disk.img,file.cookie=a=b"
	refused "status 403" drydock info "$U/disk.img"
}

@test "a redirection is followed, and a password stays with the host that it was given for" {
	local first second there closed

	web
	first=$WEB there=${U#http://} WEB=
	web auth=me:pw
	second=$WEB closed=${U#http://} WEB=
	web
	drydock info "$U/to/$there/disk.qcow2" | grep -q qcow2
	drydock info "http://me:pw@$closed/disk.qcow2" | grep -q qcow2
	refused "another user or password" drydock info "http://me:pw@${U#http://}/to/$closed/disk.qcow2"
	kill -- "-$first" "-$second"
}

@test "an image on a server names its neighbours there, and no file of this host" {
	web
	(cd www && drydock create -q -f qcow2 -b disk.qcow2 -F qcow2 over.qcow2)
	drydock create -q -f qcow2 -b "$PWD/www/disk.qcow2" -F qcow2 www/local.qcow2
	[ "$(drydock cat "$U/over.qcow2:/etc/greeting")" = "hello from afar" ]
	drydock convert -q "$U/over.qcow2" -O raw out.raw
	cmp out.raw www/disk.img
	refused "an image that lies on a network names $PWD/www/disk.qcow2, a file of this host" drydock compare "$U/local.qcow2" www/disk.img
	refused "a file of this host" drydock convert -q --allow-backing "$PWD" "$U/local.qcow2" -O raw out.raw
	refused "a file of this host" drydock ls "$U/local.qcow2"
}

@test "a chain on a server that comes back, or does not end, is refused" {
	requires qemu-img
	local i

	qemu-img create -q -u -f qcow2 -b loop.qcow2 -F qcow2 www/loop.qcow2 1M
	for ((i = 0; i < 18; i++)); do qemu-img create -q -u -f qcow2 -b "$((i + 1)).qcow2" -F qcow2 "www/$i.qcow2" 1M; done
	web
	refused "the backing chain comes back to this file" drydock convert -q -O raw "$U/loop.qcow2" out.raw
	refused "a chain of more than 16 images on a network" drydock convert -q -O raw "$U/0.qcow2" out.raw
}

@test "an image on this host reaches the network only where that is allowed by name" {
	web
	drydock create -q -f qcow2 -b "$U/disk.qcow2" -F qcow2 over.qcow2
	"$COMPAT/qemu-img" create -q -u -f qcow2 -b "json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"http\",\"url\":\"$U/disk.qcow2\"}}" -F qcow2 json.qcow2 24M
	rm log
	refused "no image reaches the network by itself" drydock ls over.qcow2
	refused "no image reaches the network by itself" drydock convert -q over.qcow2 -O raw out.raw
	refused "no image reaches the network by itself" drydock convert -q json.qcow2 -O raw out.raw
	refused "no image reaches the network by itself" drydock convert -q --allow-backing "http://127.0.0.1/" over.qcow2 -O raw out.raw
	[ ! -e log ]
	drydock ls --allow-backing "$U/" over.qcow2:/etc | grep -q greeting
	drydock convert -q --allow-backing "$U/disk.qcow2" over.qcow2 -O raw out.raw
	cmp out.raw www/disk.img
	"$COMPAT/qemu-img" convert -O raw json.qcow2 out.raw
	cmp out.raw www/disk.img
}

@test "the helper ends with the command, and does not hold what the command had open" {
	web
	mkfifo held
	# Whoever reads the pipe sees its end when the last one that has it open is gone.
	"$DRYDOCK" io -r -f raw -c 'sleep 60000' "$U/disk.img" 9>held >/dev/null 3>&- &
	local p=$!
	exec 8<held
	until_true pgrep -P "$p" drydock-http >/dev/null
	kill -KILL "$p"
	timeout 20 cat <&8
	"$DRYDOCK" io -r -f raw -c 'read 0 1' -c 'sleep 60000' "$U/disk.img" >/dev/null 3>&- &
	p=$!
	local helper
	until_true pgrep -P "$p" drydock-http >/dev/null
	helper=$(pgrep -P "$p" drydock-http)
	kill -KILL "$p"
	until_true is_gone "$helper"
}

@test "TLS is verified, unless the user says otherwise" {
	requires openssl
	openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost \
		-addext subjectAltName=DNS:localhost 2>/dev/null
	cat cert.pem key.pem >both.pem
	web "tls=$PWD/both.pem"
	local at=https://localhost:${U##*:}/disk.qcow2 other=https://127.0.0.1:${U##*:}/disk.qcow2
	refused "certificate" drydock info "$at"
	SSL_CERT_FILE=$PWD/cert.pem drydock info "$at" | grep -q qcow2
	SSL_CERT_FILE=$PWD/cert.pem drydock ls "$at:/etc" | grep -q greeting
	SSL_CERT_FILE=$PWD/cert.pem refused "127.0.0.1" drydock info "$other"
	drydock info "json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"https\",\"url\":\"$at\",\"sslverify\":\"off\"}}" | grep -q qcow2
}
