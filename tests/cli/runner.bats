# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run notices what goes wrong: a runner that does not would make every other test worthless.
load helpers

# program NAME < SCRIPT: a test program unit/fake/NAME in a build of its own.
program()
{
	mkdir -p b/unit/fake
	{
		echo '#!/bin/sh'
		cat
	} >"b/unit/fake/$1_test"
	chmod +x "b/unit/fake/$1_test"
}

# The last line is the count.
counts()
{
	[ "${lines[-1]}" = "$1" ] || {
		echo "$output"
		return 1
	}
}

@test "what passes and what is skipped is counted, and skips are listed with their reasons" {
	program a <<-'E'
	echo "ok 1 - first"
	echo "ok 2 - second # SKIP no such tool"
	echo "1..2"
	E
	run "$TOP/tests/run" --build="$T/b" unit
	[ "$status" = 0 ]
	counts "1 passed, 0 failed, 1 skipped"
	[[ $output == *"unit/fake/a: second: no such tool"* ]]
}

@test "a failure makes the status 1 and is shown in full, with standard error" {
	program a <<-'E'
	echo "not ok 1 - first"
	echo "# the reason"
	echo "of stderr" >&2
	echo "1..1"
	exit 1
	E
	run "$TOP/tests/run" --build="$T/b" unit
	[ "$status" = 1 ]
	counts "0 passed, 1 failed, 0 skipped"
	[[ $output == *"not ok unit/fake/a: first"*"the reason"*"of stderr"* ]]
}

@test "a program that dies between its tests is a failure" {
	program a <<-'E'
	echo "ok 1 - first"
	kill -SEGV $$
	E
	run "$TOP/tests/run" --build="$T/b" unit
	[ "$status" = 1 ]
	counts "1 passed, 1 failed, 0 skipped"
}

@test "a program that ends early with status 0 is a failure" {
	program a <<-'E'
	echo "1..3"
	echo "ok 1 - first"
	E
	program b <<-'E'
	echo "ok 1 - first"
	E
	run "$TOP/tests/run" --build="$T/b" unit
	[ "$status" = 1 ]
	counts "2 passed, 2 failed, 0 skipped"
	[[ $output == *"planned 3 tests and ran 1"* ]]
}

@test "a program that hangs is a failure" {
	program a <<-'E'
	echo "ok 1 - first"
	exec sleep 100
	E
	run "$TOP/tests/run" --timeout=4 --build="$T/b" unit
	[ "$status" = 1 ]
	counts "1 passed, 1 failed, 0 skipped"
	[[ $output == *"out of time"* ]]
}

@test "a program that prints no TAP is one test, by its status" {
	program good <<-'E'
	echo hello
	E
	program bad <<-'E'
	exit 3
	E
	run "$TOP/tests/run" --build="$T/b" unit
	[ "$status" = 1 ]
	counts "1 passed, 1 failed, 0 skipped"
	[[ $output == *"unit/fake/bad: ended with status 3"* ]]
}

@test "a failing status without a failing test is a failure" {
	program a <<-'E'
	echo "ok 1 - first"
	echo "1..1"
	exit 1
	E
	run "$TOP/tests/run" --build="$T/b" unit
	[ "$status" = 1 ]
	counts "1 passed, 1 failed, 0 skipped"
}

@test "patterns choose and --except leaves out" {
	for p in one two three; do echo 'echo "ok 1 - x"; echo 1..1' | program $p; done
	[ "$("$TOP/tests/run" --build="$T/b" --list "unit/fake/t*" | sort | tr '\n' ' ')" = "unit/fake/three unit/fake/two " ]
	[ "$("$TOP/tests/run" --build="$T/b" --list --except="unit/fake/t*" unit)" = unit/fake/one ]
	run "$TOP/tests/run" --build="$T/b" no/such
	[ "$status" = 2 ]
}
