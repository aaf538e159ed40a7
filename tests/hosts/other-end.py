#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""other-end.py ADDRESS CERTIFICATES version|slow
Where virt-migd should be: speaks versions 7 to 9 of the protocol; or says one
byte a second, as TLS begins.  Until it is killed."""
import socket
import ssl
import sys
import time

address, folder, kind = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(folder + '/server-cert.pem', folder + '/server-key.pem')
server = socket.create_server((address, 49216))
while True:
    peer, _ = server.accept()
    try:
        peer.recv(40, socket.MSG_WAITALL)
        if kind == 'version':
            peer = context.wrap_socket(peer, server_side=True)
            peer.sendall(b'virt-mig 7 9\n')
        else:
            peer.sendall(b'\x16\x03\x03\x3f\xff')
            while True:
                peer.sendall(b'\x02')
                time.sleep(1)
    except OSError:
        pass
    peer.close()
