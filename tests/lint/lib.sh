# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# lib.sh - sourced by the lints: TAP from lists of complaints.
#
# A lint pipes "where: what" lines into rule NAME; no line is a pass.  It ends with done_testing.
set -u
: "${BUILD:=build}"
lint_tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$lint_tmp"' EXIT
trap 'exit 1' HUP INT TERM
# A rule ends a pipeline, so it may run in a process of its own: what it counts is in a file.
: >"$lint_tmp/answers"

rule()
{
	complaints=$(cat)
	if [ -z "$complaints" ]; then
		echo "ok - $1" | tee -a "$lint_tmp/answers"
	else
		echo "not ok - $1" | tee -a "$lint_tmp/answers"
		echo "$complaints" | sed 's/^/  /'
	fi
}

# skip_rule NAME REASON
skip_rule()
{
	echo "ok - $1 # SKIP $2" | tee -a "$lint_tmp/answers"
}

done_testing()
{
	echo "1..$(wc -l <"$lint_tmp/answers")"
	! grep -q '^not ok' "$lint_tmp/answers"
	exit
}

# Prints C files with their comments taken out, as "FILE:LINE:text".
code_of()
{
	awk '
	FNR == 1 { in_comment = 0 }
	{
		line = $0; out = ""
		while (line != "") {
			if (in_comment) {
				i = index(line, "*/")
				if (!i) break
				line = substr(line, i + 2); in_comment = 0
			} else {
				i = index(line, "/*"); j = index(line, "//")
				if (j && (!i || j < i) && substr(line, j - 1, 1) != ":") { out = out substr(line, 1, j - 1); break }
				if (!i) { out = out line; break }
				out = out substr(line, 1, i - 1); line = substr(line, i + 2); in_comment = 1
			}
		}
		if (out ~ /[^ \t]/) print FILENAME ":" FNR ":" out
	}' "$@" /dev/null
}

# The files of the tree, whether it is a clone or an unpacked archive.
tree_files()
{
	if [ -e .git ] && command -v git >/dev/null; then
		git -c safe.directory='*' ls-files --cached --others --exclude-standard
	else
		find . \( -name 'build*' -o -name .git \) -prune -o -type f -print | sed 's,^\./,,'
	fi
}

# Shell scripts: what begins with a #! of a shell.
tree_scripts()
{
	tree_files | while read -r f; do
		[ -f "$f" ] || continue
		case $(head -c 64 "$f" | head -n 1 | tr -d '\0') in
		'#!/bin/sh'* | '#!/bin/bash'* | '#!/usr/bin/env bash'*) echo "$f" ;;
		esac
	done
}
