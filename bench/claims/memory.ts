import type { Bench } from '../harness/bench.ts';
import { Carcosa } from '../harness/carcosa.ts';
import type { ClaimResult, Reach } from '../harness/claim.ts';
import { curl, rangeScript, wrk } from '../harness/clients.ts';
import { limit } from '../harness/lines.ts';
import { MemoryWatch } from '../harness/memory.ts';
import { median } from '../harness/statistics.ts';
import { directUpload, simpleUpload, tusUpload } from '../harness/uploads.ts';
import { GIBIBYTE } from '../harness/workspace.ts';
import { postSmallFiles } from './small-files.ts';

export const name = 'memory';
export const what =
  'Memory of our processes while 1 GiB is uploaded by tus, as a raw body and directly in turn (10 times, 100 with --full), ' +
  'then downloaded, read in ranges, and 2,000 small files are taken and listed.';
export const reach = { server: { atMost: 200 }, database: { atMost: 150 }, growth: { atMost: 1.1 } } satisfies Record<
  string,
  Reach
>;

export async function run(bench: Bench): Promise<ClaimResult> {
  const count = bench.full ? 100 : 10;
  const carcosa = await Carcosa.start(bench);
  const watch = new MemoryWatch(carcosa.server);
  try {
    const afterEach = await uploadMany(bench, carcosa, count, watch);
    await readAndList(bench, carcosa);
    watch.stop();
    return {
      lines: [
        limit('memory of the server process, highest', 'MB', watch.serverPeak, reach.server.atMost),
        limit('memory of the embedded database, highest', 'MB', watch.companionPeak, reach.database.atMost),
        limit(
          `memory after uploads of 1 GiB, last third of ${count} to first third`,
          '',
          growth(afterEach),
          reach.growth.atMost,
        ),
      ],
      turns: {
        'server after each upload, MB': afterEach.map((rate, index) => ({ round: index + 1, rate, cpuSeconds: 0 })),
      },
      details: {
        uploads: count,
        unit: 'MB of proportional set size; the highest of the server is its peak resident size',
      },
    };
  } finally {
    watch.stop();
  }
}

async function uploadMany(bench: Bench, carcosa: Carcosa, count: number, watch: MemoryWatch): Promise<number[]> {
  const source = await bench.workspace.source(GIBIBYTE);
  const doors = [
    async () => (await tusUpload(`${carcosa.url}/api/v1/tus`, source, carcosa.authorization)).fileId,
    async () => (await simpleUpload(carcosa, source, 'bench/memory-simple.bin')).file.id,
    async () => {
      const options = { size: GIBIBYTE, path: 'bench/memory-direct.bin', parallel: 3 };
      return (await directUpload(carcosa, bench.workspace, options)).file.id;
    },
  ];
  const sizes: number[] = [];
  // The first of each door is a warm-up: code is compiled and pools are filled then.
  for (let upload = -doors.length; upload < count; upload++) {
    const door = doors[(upload + doors.length) % doors.length];
    const id = await door?.();
    await carcosa.purge(id ? [id] : []);
    if (upload < 0) continue;
    sizes.push(watch.serverNow);
    console.log(`  upload ${upload + 1} of ${count}: server ${watch.serverNow.toFixed(0)} MB`);
  }
  return sizes;
}

async function readAndList(bench: Bench, carcosa: Carcosa): Promise<void> {
  const source = await bench.workspace.source(GIBIBYTE);
  const { file } = await simpleUpload(carcosa, source, 'bench/memory-read.bin');
  const url = `${carcosa.url}/f/${file.key}`;
  for (let download = 0; download < 3; download++) await curl({ url }, 200);
  const program = await bench.program('wrk');
  const load = { connections: 16, seconds: 5, headers: carcosa.authorization };
  if (program) await wrk(program, { ...load, url, script: rangeScript(bench.workspace.root, GIBIBYTE, 64 * 1024) });
  await postSmallFiles(carcosa, 'memory');
  if (program) await wrk(program, { ...load, url: `${carcosa.url}/api/v1/files?limit=50` });
}

function growth(sizes: readonly number[]): number {
  const third = Math.max(1, Math.floor(sizes.length / 3));
  return median(sizes.slice(-third)) / median(sizes.slice(0, third));
}
