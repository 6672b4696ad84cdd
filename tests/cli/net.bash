# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # variables are for, and from, bats
#
# net.bash - servers for the tests of images on a network: "load helpers" and "load net".

# Nothing of this host's stands between a test and its servers.
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY CURL_CA_BUNDLE SSL_CERT_FILE

# For setup_file(): the web server and a disk, once for all tests.
make_servers()
{
	cd "$BATS_FILE_TMPDIR" && make_disk
	"${CC:-cc}" -O1 -o "$BATS_FILE_TMPDIR/range_server" "$BATS_TEST_DIRNAME/range_server.c" -lssl -lcrypto
}

# A disk with a filesystem and some files: www/disk.img (raw) and www/disk.qcow2.
make_disk()
{
	PATH=$PATH:/sbin:/usr/sbin
	command -v mke2fs >/dev/null || return 0
	mkdir -p www tree/etc
	echo "hello from afar" >tree/etc/greeting
	head -c 8000000 /dev/urandom >tree/noise
	truncate -s 24M www/disk.img
	mke2fs -q -F -b 4096 -d tree www/disk.img
	drydock convert -q -f raw -O qcow2 www/disk.img www/disk.qcow2
}

# For setup(): that disk in a folder of the test's own.
take_disk()
{
	[ -s "$BATS_FILE_TMPDIR/www/disk.qcow2" ] || skip "mke2fs is not installed"
	cp -r --reflink=auto --sparse=always "$BATS_FILE_TMPDIR/www" "$BATS_FILE_TMPDIR/tree" .
}

# web [FAULT...]: serves www; $U is its address, `log` what it answered.  One at a time.
web()
{
	web_stop
	rm -f log port
	# Not in bats' way: it waits for whoever has its descriptors.
	set -m
	"$BATS_FILE_TMPDIR/range_server" www log "$@" >port 3>&- 4>&- &
	WEB=$!
	set +m
	until_true [ -s port ]
	U=http://127.0.0.1:$(cat port)
}

web_stop()
{
	[ -z "${WEB-}" ] || kill -- "-$WEB" 2>/dev/null || true
	WEB=
}

# Bytes of bodies that were sent, and how many answers there were.
fetched()
{
	awk '{ n += $2 } END { print n + 0 }' log
}

# nbdkit_on SOCKET ARGUMENTS...: an NBD server that ends with the test.
nbdkit_on()
{
	local sock=$1

	shift
	rm -f "$sock" "$sock.pid"
	nbdkit -U "$sock" -P "$sock.pid" "$@" 3>&- 4>&-
	until_true [ -s "$sock.pid" ]
	NBD_PIDS="${NBD_PIDS-} $(cat "$sock.pid")"
}

# nbd_until_end FILE: the server whose process is named there ends with the test.
nbd_until_end()
{
	NBD_PIDS="${NBD_PIDS-} $(cat "$1")"
}

nbd_stop()
{
	local p

	for p in ${NBD_PIDS-}; do kill "$p" 2>/dev/null || true; done
	NBD_PIDS=
}

# nbdkit_tcp ARGUMENTS...: the same on a port of this host: $PORT.
nbdkit_tcp()
{
	local try

	for try in 1 2 3 4 5 6 7 8 9 10; do
		PORT=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
		rm -f tcp.pid
		nbdkit -i 127.0.0.1 -p "$PORT" -P tcp.pid "$@" 3>&- 4>&- 2>/dev/null || continue
		until_true [ -s tcp.pid ]
		NBD_PIDS="${NBD_PIDS-} $(cat tcp.pid)"
		return 0
	done
	return 1
}

# refused SENTENCE COMMAND...: it fails with one line that has this in it, and soon.
refused()
{
	local what=$1 command=$2

	shift 2
	[ "$command" != drydock ] || command=$DRYDOCK
	run --separate-stderr timeout 60 "$command" "$@"
	[[ ($status = 1 || $status = 2) && ${#stderr_lines[@]} = 1 && $stderr == *"$what"* ]] || { printf '%s\n' "wanted: $what" "got $status: $stderr"; return 1; }
}

# until_true COMMAND...: waits for it, for a minute at most.
until_true()
{
	local i

	for ((i = 0; i < 3000; i++)); do
		"$@" && return
		sleep 0.02
	done
	return 1
}

is_gone()
{
	! kill -0 "$1" 2>/dev/null
}
