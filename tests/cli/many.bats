# SPDX-License-Identifier: GPL-2.0-or-later
#
# Many guests in one call: side by side, in the order of operands, with failures named.
load helpers
load guest

setup()
{
	make_folder
	requires mke2fs
	make_guest g.img >/dev/null
	mkdir many
	for i in {1..12}; do
		cp --reflink=auto g.img "many/$i.img"
	done
}

# alone COMMAND...: what the command says about each guest in a call of its own, and about all in one.
images()
{
	printf 'many/%d.img\n' {1..12}
}

@test "all guests are shown in the order of operands, as each is shown alone" {
	mapfile -t all < <(images)
	for command in "ls" "ls -l" "ls -lR" "ls -R --checksum=md5" "find -l" "find -t f -0" "hash"; do
		# shellcheck disable=SC2086 # words
		drydock $command "${all[@]}" | grep -av ':$\|^$\|^# ' >together || :
		for i in "${all[@]}"; do
			# shellcheck disable=SC2086
			drydock $command "$i"
		done | grep -av ':$\|^$\|^# ' >alone
		same alone together
	done
	drydock ls "${all[@]}" | grep ':$' >headings
	printf '%s:/:\n' "${all[@]}" >want
	same want headings
	drydock cat "${all[@]/%/:/etc/fstab}" >together
	for i in "${all[@]}"; do drydock cat "$i:/etc/fstab"; done >alone
	same alone together
	drydock inspect "${all[@]}" | grep -v '^$' >together
	for i in "${all[@]}"; do drydock inspect "$i"; done >alone
	same alone together
	drydock df "${all[@]}" | sed 1d >together
	[ "$(wc -l <together)" = 24 ]
	[ "$(cut -d: -f1 together | uniq | xargs)" = "${all[*]}" ]
	drydock volumes "${all[@]}" | grep ':$' >headings
	printf '%s:\n' "${all[@]}" >want
	same want headings
}

@test "one core gives the same bytes as all, on both streams" {
	requires taskset
	mapfile -t all < <(images)
	head -c 1M /dev/zero >many/empty.img
	for command in df volumes inspect "inspect --json" "df --json" "volumes --json" "ls -R --json" "find --json" "hash --json" "ls -R"; do
		status=0
		# shellcheck disable=SC2086 # words
		drydock $command -v --confine=off "${all[@]:0:9}" many/empty.img nothere "${all[@]:9}" >out 2>err || status=$?
		[ "$status" = 1 ] || { echo "$command: $status"; cat err; return 1; }
		# shellcheck disable=SC2086
		taskset -c 0 "$DRYDOCK" $command -v --confine=off "${all[@]:0:9}" many/empty.img nothere "${all[@]:9}" >out1 2>err1 || :
		same out1 out
		same err1 err
		grep -q '^drydock: nothere: No such file' err
	done
}

@test "JSON of many guests is one array, also where there is nothing in some" {
	requires jq
	mapfile -t all < <(images)
	head -c 1M /dev/zero >many/empty.img
	[ "$(drydock df --json many/empty.img "${all[@]}" many/empty.img | jq length)" = 24 ]
	[ "$(drydock df --json many/empty.img many/empty.img | jq length)" = 0 ]
	[ "$(drydock inspect --json "${all[@]}" | jq -r '.[].image' | xargs)" = "${all[*]}" ]
	[ "$(drydock volumes --json "${all[@]}" | jq -r '.[].image' | xargs)" = "${all[*]}" ]
	[ "$(drydock ls --json "${all[@]}" | jq -r '.[].image' | xargs)" = "${all[*]}" ]
	[ "$(drydock find --json -n letter "${all[@]}" | jq -r '.[].entries[].path' | sort | uniq -c | xargs)" = "12 /home/ann/letter" ]
	[ "$(drydock hash --json "${all[@]}" | jq -r '.[].files | length' | uniq -c | xargs)" = "12 7" ]
	run --separate-stderr drydock ls --json nothere many/1.img many/2.img
	[ "$status" = 1 ]
	[ "$(jq -r '.[].image' <<<"$output" | xargs)" = "many/1.img many/2.img" ]
}

@test "operands about one guest in two places come in their order" {
	run -0 drydock ls many/1.img:/etc many/2.img:/home many/1.img:/home
	[ "$(grep ':$' <<<"$output" | xargs)" = "many/1.img:/etc: many/2.img:/home: many/1.img:/home:" ]
}

@test "more guests than a process may have open files by itself" {
	mapfile -t all < <(images)
	(
		ulimit -Sn 12
		drydock df "${all[@]}" | sed 1d >out
	)
	[ "$(wc -l <out)" = 24 ]
}

@test "a reader that goes away ends the command quietly" {
	mapfile -t all < <(images)
	set +o pipefail
	drydock ls -lR "${all[@]}" "${all[@]}" "${all[@]}" 2>err | head -1 >/dev/null
	[ ! -s err ]
}
