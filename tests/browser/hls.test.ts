import { readFileSync } from 'node:fs';
import { createServer, type Server as HttpServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectData } from '../support/api.ts';
import { makeMedia } from '../support/media.ts';
import { type Server, startServer } from '../support/server.ts';
import { findTool } from '../support/tools.ts';
import { type Browser, findChromium, startBrowser } from './chromium.ts';

/** Seconds. */
const LENGTH = 600;
const HLS_JS = createRequire(import.meta.url).resolve('hls.js/dist/hls.min.js');

const PAGE = `<!doctype html><video id="video" muted></video><script src="/hls.js"></script><script>
const video = document.getElementById('video');
const errors = [];
/** Plays the ladder at each of the times, until half a second of it was shown there. */
window.watch = async (address, times) => {
  const hls = new Hls();
  hls.on(Hls.Events.ERROR, (_event, { fatal, details }) => fatal && errors.push(details));
  hls.loadSource(address);
  hls.attachMedia(video);
  await new Promise((resolve, reject) => {
    video.addEventListener('loadedmetadata', resolve, { once: true });
    hls.on(Hls.Events.ERROR, (_event, data) => data.fatal && reject(new Error(data.details)));
  });
  const seen = [];
  for (const time of times) {
    video.currentTime = time;
    await video.play();
    while (video.currentTime < time + 0.5 || video.readyState < 3) await new Promise((next) => video.requestVideoFrameCallback(next));
    seen.push({ time, frames: video.getVideoPlaybackQuality().totalVideoFrames, width: video.videoWidth });
  }
  video.pause();
  return { duration: video.duration, levels: hls.levels.map(({ height }) => height), seen, errors };
};
</script>`;

interface Watched {
  duration: number;
  levels: number[];
  seen: { time: number; frames: number; width: number }[];
  errors: string[];
}
interface Job {
  id: string;
  status: string;
  progress: number;
  error: { message: string } | null;
  results: { files: { id: string; url: string; path: string }[] }[];
}

describe.skipIf(!findChromium() || !findTool('ffmpeg'))(
  'a film of ten minutes as HLS (Debian: apt-get install chromium ffmpeg)',
  () => {
    let server: Server;
    let browser: Browser;
    let site: HttpServer;

    beforeAll(async () => {
      server = await startServer();
      browser = await startBrowser();
      // Another origin than that of the films.
      site = createServer((request, response) => {
        const isScript = request.url === '/hls.js';
        response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
        response.end(isScript ? readFileSync(HLS_JS) : PAGE);
      });
      await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
    }, 60_000);
    afterAll(async () => {
      await browser?.close();
      site?.close();
      await server?.stop();
    });

    async function ladder(): Promise<Job> {
      const film = await makeMedia(
        'mp4',
        ...['-f', 'lavfi', '-i', `testsrc2=size=160x90:rate=10:duration=${LENGTH}`],
        ...['-f', 'lavfi', '-i', `sine=frequency=440:duration=${LENGTH}`],
        ...['-c:v', 'libx264', '-preset', 'ultrafast', '-c:a', 'aac', '-b:a', '32k'],
      );
      const query = { path: 'film.mp4', visibility: 'public' };
      const { id: fileId } = expectData(await server.api<{ id: string }>('POST', '/files', { query, body: film }), 201);
      const json = { fileId, steps: [{ type: 'hls', heights: [48, 90] }] };
      const { id } = expectData(await server.api<Job>('POST', '/transform/jobs', { json }), 202);
      const read = async (): Promise<Job> => expectData(await server.api<Job>('GET', `/transform/jobs/${id}`));
      await expect
        .poll(async () => (await read()).status, { timeout: 150_000, interval: 250 })
        .toMatch(/completed|failed/);
      return await read();
    }

    async function watch(address: string): Promise<Watched> {
      const page = await browser.newPage();
      try {
        await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
        return (await page.evaluate(`window.watch(${JSON.stringify(address)}, [0, 301, 590])`)) as Watched;
      } finally {
        await page.close();
      }
    }

    it('plays from beginning to end, wherever one jumps to', async () => {
      const job = await ladder();
      expect(job).toMatchObject({ status: 'completed', error: null });
      const watched = await watch(job.results[0]?.files.at(-1)?.url ?? '');
      expect(watched).toMatchObject({ levels: [48, 90], errors: [] });
      expect(Math.abs(watched.duration - LENGTH)).toBeLessThan(1);
      expect(watched.seen.map(({ time }) => time)).toEqual([0, 301, 590]);
      for (const { frames, width } of watched.seen) expect([frames, width].every((each) => each > 0)).toBe(true);
    }, 300_000);
  },
);
