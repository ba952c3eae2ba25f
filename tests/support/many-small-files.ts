import { expect } from 'vitest';
import { concurrently } from './concurrently.ts';
import { DOORS, type Door } from './doors.ts';
import { expectSame, listAll, serve } from './files.ts';
import { ODD_PATHS } from './odd-names.ts';
import { patternBytes, seededRandom, sha256 } from './random.ts';
import type { Server } from './server.ts';

const SIGNS = [...'abcXYZ0189 -_.,;()[]{}!@#$%^&+=~`\'"äöüßéñçøÅ日本語한국어العربيةעברית👍🎉'];

/** A path that is odd, allowed, and like no other. */
function oddPath(folder: string, index: number): string {
  const random = seededRandom(index + 1);
  const sign = (): string => random.pick(SIGNS);
  const text = (length: number): string => Array.from({ length }, sign).join('');
  const odd = ODD_PATHS[index % ODD_PATHS.length] as string;
  const base = Buffer.byteLength(odd) < 400 ? odd : text(8);
  return `${folder}/${text(random.integer(0, 6))}${index}${text(random.integer(0, 6))}/${base}`;
}

/**
 * Puts `count` small files of odd names through one door, 16 at a time, then expects that the list has each of them
 * exactly once and that each comes back byte for byte.
 */
export async function expectManySmallFiles(server: Server, door: keyof typeof DOORS, count: number): Promise<void> {
  const folder = `many ${door}`;
  const put: Door = DOORS[door];
  const contents = new Map<string, Buffer>();
  for (let index = 0; index < count; index += 1) {
    contents.set(oddPath(folder, index), patternBytes(`${door} ${index}`, (index * 37) % 5000));
  }
  expect(contents.size, 'the names are all different').toBe(count);
  await concurrently([...contents], 16, async ([path, bytes]) => {
    const file = await put(server, path, bytes);
    expect(file.path).toBe(path);
  });

  const listed = await listAll(server, { folder, recursive: true, sort: 'path' });
  expect(listed.map(({ path }) => path).sort()).toEqual([...contents.keys()].sort());
  await concurrently(listed, 16, async (file) => {
    const bytes = contents.get(file.path) as Buffer;
    expect([file.size, file.version], file.path).toEqual([bytes.length, 1]);
    if (file.sha256) expect(file.sha256, file.path).toBe(sha256(bytes));
    const served = await serve(server, file.url, { headers: { authorization: `Bearer ${server.apiKey}` } });
    expect(served.status, file.path).toBe(200);
    expectSame(served.bytes, bytes, file.path);
  });
}
