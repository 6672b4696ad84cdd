# SPDX-License-Identifier: GPL-2.0-or-later
load helpers

@test "version prints name and version" {
	run drydock version
	[ "$status" = 0 ]
	[[ $output =~ ^drydock\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
	[ "$(drydock --version)" = "$output" ]
}

@test "an unknown command is a usage error that names it and says where the list is" {
	fails_with 2 'unknown command "frobnicate"; "drydock --help" lists them' drydock frobnicate
	[ -z "$output" ]
}

@test "without a command the usage goes to stderr and the status is 2" {
	fails_with 2 "usage: drydock COMMAND" drydock
	[ -z "$output" ]
}

@test "help lists every command with a summary" {
	drydock --help >help
	for c in $(drydock --list-commands); do
		grep -qE "^  $c +[a-z]" help || { echo "missing: $c"; false; }
	done
}

@test "every command prints its own help" {
	for c in $(drydock --list-commands); do
		prints "usage: drydock $c" drydock "$c" --help
		[[ $output == *--help* ]]
	done
}

@test "every command refuses an unknown option with status 2" {
	for c in $(drydock --list-commands); do
		fails_with 2 "no-such-option" drydock "$c" --no-such-option
	done
}

@test "a full disk under standard output is noticed" {
	[ -w /dev/full ] || skip "no /dev/full"
	run --separate-stderr sh -c '"$DRYDOCK" version >/dev/full'
	[ "$status" = 1 ]
	[[ $stderr == *"No space left"* ]]
}
