import { createHash } from 'node:crypto';
import { S3ObjectStore } from '@carcosa/storage/adapters/s3';
import { patternBytes, unique } from './random.ts';

// Run as a process of its own: uploads and reads back an object of the given size, and prints by how much its memory grew at most
// over what it had after a small one.

const [config = '', size = '0'] = process.argv.slice(2);
// One block over and over: what a source of many would allocate is not what is measured.
const block = patternBytes('block', 64 * 1024);
const store = await S3ObjectStore.open(JSON.parse(config));

async function upload(key: string, bytes: number): Promise<string> {
  const staged = await store.stage({ uploadId: key, key, size: bytes, contentType: 'application/octet-stream' });
  for (let left = bytes; left > 0; left -= block.length) await staged.append(block.subarray(0, left));
  await staged.sync();
  const sha256 = await staged.sha256();
  await staged.commit(key);
  return sha256;
}

async function download(key: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of await store.read(key)) hash.update(chunk);
  return hash.digest('hex');
}

const [small, large] = [unique('small'), unique('large')];
await upload(small, 1024 * 1024);
await download(small);
const before = process.memoryUsage.rss();
let peak = before;
const timer = setInterval(() => {
  peak = Math.max(peak, process.memoryUsage.rss());
}, 5);
const uploadBegan = performance.now();
const uploaded = await upload(large, Number(size));
const growth = { upload: peak - before, download: 0 };
const downloadBegan = performance.now();
const downloaded = await download(large);
const ended = performance.now();
clearInterval(timer);
growth.download = peak - before;
await store.delete(large);
await store.close();
const seconds = { upload: (downloadBegan - uploadBegan) / 1000, download: (ended - downloadBegan) / 1000 };
process.stdout.write(JSON.stringify({ before, growth, uploaded, downloaded, seconds }));
