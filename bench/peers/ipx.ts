/** ipx over a directory, as its own server would run it: its own sharp, no cache. ROOT holds the pictures. */
import { createServer } from 'node:http';
import { createIPX, createIPXNodeServer, ipxFSStorage } from 'ipx';

const ipx = createIPX({ storage: ipxFSStorage({ dir: process.env.ROOT ?? '.', maxAge: 60 }) });
createServer(createIPXNodeServer(ipx)).listen(Number(process.env.PORT), '127.0.0.1');
