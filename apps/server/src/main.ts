import { start } from './boot/start.ts';

await start();
