# SPDX-License-Identifier: GPL-2.0-or-later
"""Kills a server of k.qcow2 in this folder at random moments while clients write to it, and looks whether all that was
acknowledged with FUA, or before a flush that was, is in the image.  Arguments: the program, how many times."""
import os, random, socket, struct, subprocess, sys, threading, time

program, kills = sys.argv[1], int(sys.argv[2])
BLOCK, BLOCKS, CLIENTS = 4096, 4096, 4
kept = {}  # what must be in the image; blocks whose last write was under way are not judged


def get(s, n):
    b = b''
    while len(b) < n:
        got = s.recv(n - len(b))
        if not got:
            raise EOFError
        b += got
    return b


def ask(s, kind, flags, off, data=b''):
    s.sendall(struct.pack('>IHHQQI', 0x25609513, flags, kind, 7, off, len(data)) + data)
    assert get(s, 16)[4:8] == b'\0' * 4


def client(number, seed, acked, pending):
    r, waiting = random.Random(seed), {}
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect('k.sock')
        get(s, 18)
        s.sendall(struct.pack('>I', 3) + b'IHAVEOPT' + struct.pack('>IIIH', 7, 6, 0, 0))
        while True:
            _, _, kind, n = struct.unpack('>QIII', get(s, 20))
            get(s, n)
            if kind == 1:
                break
        while True:
            block, data, fua = r.randrange(BLOCKS // CLIENTS) * CLIENTS + number, bytes([r.randrange(1, 256)]) * BLOCK, r.random() < 0.5
            pending[block] = data
            ask(s, 1, fua, block * BLOCK, data)
            waiting[block] = data
            if not fua and r.random() < 0.8:
                continue
            if not fua:
                ask(s, 3, 0, 0)
            for b in list(waiting) if not fua else [block]:
                acked[b] = waiting.pop(b)
                pending.pop(b, None)
    except (EOFError, OSError):
        pass


for n in range(kills):
    server = subprocess.Popen([program, 'serve', '-t', '-w', '-f', 'qcow2', '-k', 'k.sock', 'k.qcow2'], stdout=subprocess.PIPE)
    server.stdout.readline()
    acked, pending = {}, {}
    threads = [threading.Thread(target=client, args=(i, n * CLIENTS + i, acked, pending)) for i in range(CLIENTS)]
    for t in threads:
        t.start()
    time.sleep(random.Random(n).uniform(0, 0.15))
    server.kill()
    server.wait()
    for t in threads:
        t.join()
    kept.update(acked)
    for b in pending:
        kept.pop(b, None)

assert subprocess.run(['qemu-img', 'check', '-q', 'k.qcow2']).returncode in (0, 3), 'damaged'
subprocess.run([program, 'convert', '-q', '-f', 'qcow2', '-O', 'raw', 'k.qcow2', 'k.raw'], check=True)
with open('k.raw', 'rb') as f:
    for b, data in kept.items():
        f.seek(b * BLOCK)
        assert f.read(BLOCK) == data, f'block {b} is lost'
print(len(kept), 'blocks are there')
