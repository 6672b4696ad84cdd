# What people change, one after the other.
mkdir /srv/d
mkdir-p /srv/d/e/f
write /srv/d/file "one\ntwo\n"
write-append /srv/d/file "three\n"
cat /srv/d/file
touch /srv/d/touched
chmod 0600 /srv/d/file
chown 3 4 /srv/d/file
ln-s file /srv/d/link
ln /srv/d/file /srv/d/hard
cp /srv/d/file /srv/d/copy
cp-a /srv/d /srv/dd
mv /srv/d/copy /srv/d/moved
rm /srv/d/touched
-rm /srv/d/touched
rm-f /srv/d/touched
truncate-size /srv/d/moved 4
cat /srv/d/moved
ll /srv/dd
rm-rf /srv/dd
find /srv
rmdir /srv/d/e/f
upload host.txt /srv/d/up
download /srv/d/up down.txt
!cat down.txt
stat /srv/d/file
command "/bin/none"
