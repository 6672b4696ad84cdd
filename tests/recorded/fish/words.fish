# Words that are wrong: each is told, and the script goes on.
-cat
-cat /srv/note too many
-nonesuch
-cat "unfinished
-mkdir relative
-is-file relative
-ls /none
-mount /dev/none /
-write /none/x y
-chmod zzz /srv/note
-head-n x /srv/note
help cat
