/** sirv in its production mode: it lists the directory once at start. */
import { createServer } from 'node:http';
import sirv from 'sirv';

createServer(sirv(process.env.ROOT ?? '', { dev: false })).listen(Number(process.env.PORT), '127.0.0.1');
