import type { File } from '@carcosa/contracts';
import { ManualClock } from '@carcosa/kernel';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ServingNode, ServingWorld } from './support.ts';

const clock = new ManualClock(Date.UTC(2026, 5, 1));
let world: ServingWorld;
let node: ServingNode;
let other: ServingNode;
let file: File;
beforeAll(async () => {
  world = await ServingWorld.open({ clock });
  node = world.node;
  other = await world.addNode();
  file = await node.put('secret.txt', 'secret', { type: 'text/plain', visibility: 'private' });
});
afterAll(() => world.close());

const sign = async (input?: object, id = file.id): Promise<string> =>
  (await node.api<{ url: string }>('POST', `/files/${id}/signed-url`, input)).url;
const status = async (address: string, at = node): Promise<number> => (await at.get(address)).status;
const altered = (address: string, change: (query: URLSearchParams) => void): string => {
  const url = new URL(address);
  change(url.searchParams);
  return url.href;
};

describe('a signed address', () => {
  it('opens a private file on every node, for as long as it says', async () => {
    const { url, expiresAt } = await node.api<{ url: string; expiresAt: string }>(
      'POST',
      `/files/${file.id}/signed-url`,
      { expiresIn: 60 },
    );
    expect(Date.parse(expiresAt)).toBe(clock.now() + 60_000);
    for (const at of world.nodes) {
      const answer = await at.get(url);
      expect([answer.status, await answer.text()]).toEqual([200, 'secret']);
      expect(answer.headers.get('cache-control')).toBe('private, max-age=0, must-revalidate');
    }
    expect((await node.get(url, { range: 'bytes=0-1' })).status).toBe(206);
    expect((await node.get(url, {}, 'HEAD')).status).toBe(200);
    clock.advance(59_999);
    expect(await status(url)).toBe(200);
    clock.advance(1);
    expect(await status(url)).toBe(403);
    expect((await node.get(url, {}, 'HEAD')).status).toBe(403);
  });

  it('needs no body, and lives an hour then', async () => {
    const expires = Number(new URL(await sign()).searchParams.get('expires'));
    expect(expires).toBe(clock.now() / 1000 + 3600);
  });

  it('is kept by caches no longer than it lives', async () => {
    const answer = await node.get(await sign({ expiresIn: 100, version: 1 }));
    expect(answer.headers.get('cache-control')).toBe('private, max-age=100, immutable');
  });

  it('covers the version, the download and its name', async () => {
    const plain = await sign();
    expect(await status(altered(plain, (query) => query.set('v', '1')))).toBe(403);
    expect(await status(altered(plain, (query) => query.set('download', '')))).toBe(403);
    expect(await status(altered(plain, (query) => query.set('utm_source', 'mail')))).toBe(200);
    const download = await sign({ download: true });
    expect((await node.get(download)).headers.get('content-disposition')).toBe('attachment; filename="secret.txt"');
    expect(await status(altered(download, (query) => query.set('download', 'invoice.exe')))).toBe(403);
    expect(await status(altered(download, (query) => query.delete('download')))).toBe(403);
    const version = await sign({ version: 1 });
    expect(await status(version)).toBe(200);
    expect(await status(altered(version, (query) => query.delete('v')))).toBe(403);
  });

  it('says the same of every way in which it can be wrong', async () => {
    const url = await sign();
    const wrong = [
      `/f/${file.key}`,
      altered(url, (query) => query.delete('expires')),
      altered(url, (query) => query.delete('signature')),
      altered(url, (query) => query.append('signature', 'x')),
      altered(url, (query) => query.append('expires', '9999999999')),
      altered(url, (query) => query.set('expires', `0${query.get('expires')}`)),
      altered(url, (query) => query.set('expires', '9999999999')),
      altered(url, (query) => query.set('signature', `${query.get('signature')}=`)),
      altered(url, (query) => query.set('signature', 'é'.repeat(43))),
    ];
    for (const address of wrong) {
      const answer = await node.get(address);
      expect([answer.status, (await answer.json()).error], address).toEqual([403, 'signature_invalid']);
      expect(answer.headers.get('etag')).toBeNull();
      expect(answer.headers.get('cache-control')).toBe('no-store');
    }
    const etag = (await node.get(url)).headers.get('etag') ?? '';
    expect((await node.get(`/f/${file.key}`, { 'if-none-match': etag })).status).toBe(403);
  });

  it('is made for those who may see the file and for versions that exist', async () => {
    await expect(sign({ version: 2 })).rejects.toThrow('404');
    await expect(sign({ version: 2 ** 31 })).rejects.toThrow('404');
    await expect(sign({ expiresIn: 604_801 })).rejects.toThrow('400');
    await expect(sign({}, 'file_00000000000000000000000000' as typeof file.id)).rejects.toThrow('404');
  });
});

describe('a change on one node', () => {
  it('ends all signed addresses on all nodes when the signing key is rotated', async () => {
    const url = await sign();
    for (const at of world.nodes) expect(await status(url, at)).toBe(200);
    await node.api('POST', `/projects/${node.projectId}/rotate-signing-key`);
    expect(await status(url)).toBe(403);
    await vi.waitFor(async () => expect(await status(url, other)).toBe(403));
    const fresh = await sign();
    for (const at of world.nodes) expect(await status(fresh, at)).toBe(200);
  });

  it('is seen by the others', async () => {
    const { url, id } = await node.put('shared.txt', 'one');
    expect(await (await other.get(url)).text()).toBe('one');
    await node.put('shared.txt', 'two');
    await vi.waitFor(async () => expect(await (await other.get(url)).text()).toBe('two'));
    await node.api('PATCH', `/files/${id}`, { visibility: 'private' });
    await vi.waitFor(async () => expect(await status(url, other)).toBe(403));
    await node.api('PATCH', `/files/${id}`, { visibility: 'public' });
    await vi.waitFor(async () => expect(await status(url, other)).toBe(200));
    await node.api('DELETE', `/files/${id}`);
    await vi.waitFor(async () => expect(await status(url, other)).toBe(404));
  });
});
