# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154
#
# serve.bash - servers of disks that tests start and end: "load serve" behind "load helpers".

# wait_until COMMAND...: it succeeds at last.  Never a question of speed: a minute is for a machine that does other things.
wait_until()
{
	for _ in {1..1200}; do
		"$@" && return
		sleep 0.05
	done
	echo "never: $*"
	return 1
}

# serve NAME PROGRAM-AND-OPTIONS...: starts it at the socket $T/NAME.sock; waits until it listens; its number is in $server.
serve()
{
	local name=$1
	shift
	# Not the function: what is killed is to be the program.
	[ "$1" != drydock ] || set -- "$DRYDOCK" "${@:2}"
	"$@" --socket="$T/$name.sock" >"$T/$name.out" 2>"$T/$name.err" 3>&- &
	server=$!
	wait_until listening "$T/$name.sock" "$server" || {
		cat "$T/$name.err"
		return 1
	}
}

# It listens, which the kernel's table of sockets tells, or has ended.
listening()
{
	grep -q "00010000 0001 01 .* $1\$" /proc/net/unix || ! kill -0 "$2" 2>/dev/null
}

# stop: the server that was started last ends when it is asked to, and well; its socket is gone.
stop()
{
	kill "$server"
	wait "$server"
}

uri()
{
	echo "nbd+unix:///${2-}?socket=$T/$1.sock"
}

# It has, also where nobody asks how.
has_ended()
{
	! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status"
}

is_gone()
{
	[ ! -e "$1" ]
}

# make_certificates DIR: an authority, a server's and a client's certificate, named as QEMU names them.
make_certificates()
{
	local dir=$1 w
	mkdir -p "$dir"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=authority of $dir" \
		-keyout "$dir/ca-key.pem" -out "$dir/ca-cert.pem" 2>/dev/null
	for w in server client; do
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/C=GB/O=Example Org/CN=$w.example" \
			-keyout "$dir/$w-key.pem" -out "$dir/$w.csr" 2>/dev/null
		printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=%sAuth\n' \
			"$w" >"$dir/$w.ext"
		openssl x509 -req -in "$dir/$w.csr" -CA "$dir/ca-cert.pem" -CAkey "$dir/ca-key.pem" -CAcreateserial -days 3650 \
			-extfile "$dir/$w.ext" -out "$dir/$w-cert.pem" 2>/dev/null
	done
}
