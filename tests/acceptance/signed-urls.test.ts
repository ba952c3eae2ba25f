import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectData, expectRefused } from '../support/api.ts';
import { unixNow, until } from '../support/clock.ts';
import { directUpload } from '../support/direct.ts';
import { download, put, serve } from '../support/files.ts';
import { type Server, startServer } from '../support/server.ts';
import { dispositionName } from '../support/serving.ts';
import { tusUpload } from '../support/tus.ts';
import type { FileInfo, SignedUrl } from '../support/wire.ts';

let server: Server;
let secret: FileInfo;
beforeAll(async () => {
  server = await startServer();
  secret = await put(server, 'for few eyes', {
    path: 'private/secret – ätsch.txt',
    visibility: 'private',
    contentType: 'text/plain',
  });
});
afterAll(() => server.stop());

const sign = async (json: Record<string, unknown> = { expiresIn: 600 }, id = secret.id): Promise<SignedUrl> => {
  const answer = await server.api<SignedUrl>('POST', `/files/${id}/signed-url`, { json });
  expect([200, 201], JSON.stringify(answer.body)).toContain(answer.status);
  return answer.data;
};
const altered = (address: string, change: (url: URL) => void): string => {
  const url = new URL(address);
  change(url);
  return url.href;
};
const expectClosed = async (address: string, what = address): Promise<void> => {
  const { status, bytes } = await serve(server, address);
  expect([401, 403, 404], what).toContain(status);
  expect(bytes.toString(), what).not.toContain('eyes');
};

describe('a private file', () => {
  it('is closed at its address, with every method, range and version', async () => {
    await expectClosed(`/f/${secret.key}`);
    await expectClosed(`/f/${secret.key}?v=1`);
    await expectClosed(`/f/${secret.key}?download`);
    expect([401, 403, 404]).toContain((await serve(server, `/f/${secret.key}`, { method: 'HEAD' })).status);
    expect([401, 403, 404]).toContain(
      (await serve(server, `/f/${secret.key}`, { headers: { range: 'bytes=0-3' } })).status,
    );
  });

  it('does not confirm a guess of its ETag', async () => {
    const { headers } = await serve(server, (await sign()).url);
    const answer = await serve(server, `/f/${secret.key}`, {
      headers: { 'if-none-match': headers.get('etag') ?? '*' },
    });
    expect([401, 403, 404]).toContain(answer.status);
  });

  it('is open to its project by the API, and to nobody else', async () => {
    expect((await download(server, secret.id)).bytes.toString()).toBe('for few eyes');
    expect((await server.request(`/api/v1/files/${secret.id}/download`)).status).toBe(401);
    expect((await server.api('GET', `/files/${secret.id}`, { key: null })).status).toBe(401);
  });

  it('is private by every door that takes a visibility', async () => {
    const direct = await directUpload(server, Buffer.from('eyes'), { visibility: 'private', path: 'private/direct' });
    const id = await tusUpload(server, Buffer.from('eyes'), {
      filename: 'x',
      visibility: 'private',
      path: 'private/tus',
    });
    const tus = (await server.api<FileInfo>('GET', `/files/${id}`)).data;
    for (const file of [direct, tus]) {
      expect(file.visibility).toBe('private');
      await expectClosed(`/f/${file.key}`);
    }
  });

  it('opens and closes as its visibility is changed', async () => {
    const file = await put(server, 'eyes', { path: 'private/changed', visibility: 'private' });
    await server.api('PATCH', `/files/${file.id}`, { json: { visibility: 'public' } });
    expect((await serve(server, `/f/${file.key}`)).status).toBe(200);
    await server.api('PATCH', `/files/${file.id}`, { json: { visibility: 'private' } });
    await expectClosed(`/f/${file.key}`);
  });

  it('stays private as a new version and as a copy', async () => {
    const file = await put(server, 'eyes 1', { path: 'private/copied', visibility: 'private' });
    await put(server, 'eyes 2', { path: 'private/copied' });
    await expectClosed(`/f/${file.key}`);
    const copy = expectData(
      await server.api<FileInfo>('POST', `/files/${file.id}/copy`, { json: { path: 'private/copy' } }),
      201,
    );
    expect(copy.visibility).toBe('private');
    await expectClosed(`/f/${copy.key}`);
  });
});

describe('a signed address', () => {
  it('opens it, with expires in unix seconds and a signature', async () => {
    const { url, expiresAt } = await sign({ expiresIn: 600 });
    const parameters = new URL(url).searchParams;
    expect(new URL(url).pathname).toBe(`/f/${secret.key}`);
    expect(Math.abs(Number(parameters.get('expires')) - unixNow() - 600)).toBeLessThan(10);
    expect(Math.abs(Date.parse(expiresAt) / 1000 - Number(parameters.get('expires')))).toBeLessThan(1.001);
    expect(parameters.get('signature')?.length).toBeGreaterThanOrEqual(20);
    const served = await serve(server, url);
    expect(served.status).toBe(200);
    expect(served.bytes.toString()).toBe('for few eyes');
    expect(served.headers.get('cache-control'), 'no shared cache keeps it').toMatch(/private|no-store/);
  });

  it('opens it for HEAD and ranges too', async () => {
    const { url } = await sign();
    expect((await serve(server, url, { method: 'HEAD' })).headers.get('content-length')).toBe('12');
    const part = await serve(server, url, { headers: { range: 'bytes=4-6' } });
    expect([part.status, part.bytes.toString()]).toEqual([206, 'few']);
  });

  it('can ask for a download, with the name', async () => {
    const { headers } = await serve(server, (await sign({ expiresIn: 60, download: true })).url);
    expect(dispositionName(headers.get('content-disposition') ?? '')).toEqual({
      kind: 'attachment',
      name: 'secret – ätsch.txt',
    });
  });

  it('can be of one version', async () => {
    const file = await put(server, 'one', { path: 'private/versions', visibility: 'private' });
    await put(server, 'two', { path: 'private/versions' });
    const { url } = await sign({ expiresIn: 60, version: 1 }, file.id);
    expect((await serve(server, url)).bytes.toString()).toBe('one');
    expect((await serve(server, (await sign({ expiresIn: 60 }, file.id)).url)).bytes.toString()).toBe('two');
    const stretched = altered(url, (at) => {
      for (const [name, value] of at.searchParams) if (value === '1') at.searchParams.set(name, '2');
    });
    if (stretched !== url)
      expect([401, 403, 404], 'a signature for one version opens no other').toContain(
        (await serve(server, stretched)).status,
      );
    expect(
      (await server.api('POST', `/files/${file.id}/signed-url`, { json: { expiresIn: 60, version: 99 } })).status,
    ).toBe(404);
  });

  it('of the current version does not open an older one', async () => {
    const file = await put(server, 'old eyes', { path: 'private/older', visibility: 'private' });
    await put(server, 'new', { path: 'private/older' });
    const { url } = await sign({ expiresIn: 60 }, file.id);
    const older = await serve(
      server,
      altered(url, (at) => at.searchParams.set('v', '1')),
    );
    expect(older.bytes.toString()).not.toContain('eyes');
  });

  it('may live 7 days and no longer', async () => {
    expect(Date.parse((await sign({ expiresIn: 604_800 })).expiresAt) / 1000 - unixNow()).toBeGreaterThan(604_700);
    for (const expiresIn of [604_801, 0, -1, 1.5, '600', null, 1e300]) {
      expectRefused(await server.api('POST', `/files/${secret.id}/signed-url`, { json: { expiresIn } }), 400, 422);
    }
  });

  it('is over when it has expired', async () => {
    const { url } = await sign({ expiresIn: 1 });
    const status = await until(
      async () => {
        const served = await serve(server, url);
        return served.status === 200 ? undefined : served.status;
      },
      { within: 8000, what: 'the end of an address that lives one second' },
    );
    expect([401, 403, 404]).toContain(status);
  });

  it('with anything about it changed opens nothing', async () => {
    const { url } = await sign();
    const expires = Number(new URL(url).searchParams.get('expires'));
    const signature = new URL(url).searchParams.get('signature') ?? '';
    await expectClosed(
      altered(url, (at) => at.searchParams.set('expires', String(expires + 1))),
      'a later expiry',
    );
    await expectClosed(
      altered(url, (at) => at.searchParams.set('expires', `0${expires}`)),
      'another spelling of the expiry',
    );
    await expectClosed(
      altered(url, (at) => at.searchParams.set('expires', '9'.repeat(20))),
      'an endless expiry',
    );
    await expectClosed(
      altered(url, (at) => at.searchParams.delete('expires')),
      'no expiry',
    );
    await expectClosed(
      altered(url, (at) => at.searchParams.delete('signature')),
      'no signature',
    );
    await expectClosed(
      altered(url, (at) => at.searchParams.set('signature', '')),
      'an empty signature',
    );
    await expectClosed(
      altered(url, (at) => at.searchParams.set('signature', signature.slice(0, -1))),
      'a shorter signature',
    );
    await expectClosed(
      altered(url, (at) => at.searchParams.append('signature', 'x')),
      'two signatures',
    );
    await expectClosed(
      altered(url, (at) => at.searchParams.append('expires', '9999999999')),
      'two expiries',
    );
    const flipped = signature.startsWith('A') ? `B${signature.slice(1)}` : `A${signature.slice(1)}`;
    await expectClosed(
      altered(url, (at) => at.searchParams.set('signature', flipped)),
      'another signature',
    );
  });

  it('has one signature and no other spelling of it', async () => {
    const { url } = await sign();
    const signature = new URL(url).searchParams.get('signature') ?? '';
    for (const last of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_') {
      if (signature.endsWith(last)) continue;
      await expectClosed(altered(url, (at) => at.searchParams.set('signature', signature.slice(0, -1) + last)));
    }
    for (const other of [`${signature}=`, `${signature}A`, ` ${signature}`, signature.toUpperCase()]) {
      await expectClosed(altered(url, (at) => at.searchParams.set('signature', other)));
    }
  });

  it('of one file does not open another', async () => {
    const other = await put(server, 'other eyes', { path: 'private/other', visibility: 'private' });
    const { url } = await sign();
    await expectClosed(altered(url, (at) => (at.pathname = `/f/${other.key}`)));
  });

  it('carries no key of the API', async () => {
    expect((await sign()).url).not.toContain(server.apiKey.split('_').at(-1));
  });

  it('is given only to those who may see the file', async () => {
    expectRefused(await server.api('POST', `/files/${secret.id}/signed-url`, { json: {}, key: null }), 401);
    expectRefused(await server.api('POST', '/files/file_00000000000000000000000000/signed-url', { json: {} }), 404);
  });

  it('keeps working over a restart', async () => {
    const { url } = await sign();
    await server.restart();
    expect((await serve(server, url)).status).toBe(200);
  });

  it('is revoked with all others when the signing key is rotated', async () => {
    const [one, two] = [await sign(), await sign({ expiresIn: 604_800 })];
    const answer = await server.api('POST', `/projects/${server.projectId}/rotate-signing-key`);
    expect([200, 201, 204]).toContain(answer.status);
    expect(JSON.stringify(answer.body ?? {}), 'the key itself stays inside').not.toMatch(/signingKey|secret/i);
    await expectClosed(one.url);
    await expectClosed(two.url);
    expect((await serve(server, (await sign()).url)).status).toBe(200);
    await server.restart();
    await expectClosed(one.url, 'after a restart');
  });
});

describe('the default visibility of a project', () => {
  it('is what new files get, and can be set', async () => {
    const settings = (defaultVisibility: string) =>
      server.api('PATCH', `/projects/${server.projectId}`, { json: { settings: { defaultVisibility } } });
    expect((await put(server, 'x', { path: 'default/one' })).visibility).toBe('public');
    expectData(await settings('private'));
    expect((await put(server, 'x', { path: 'default/two' })).visibility).toBe('private');
    expect((await directUpload(server, Buffer.from('x'), { path: 'default/three' })).visibility).toBe('private');
    expect((await put(server, 'x', { path: 'default/four', visibility: 'public' })).visibility).toBe('public');
    expectData(await settings('public'));
    expectRefused(await settings('everyone'), 400, 422);
    expectRefused(
      await server.api('PATCH', '/projects/prj_00000000000000000000000000', { json: { settings: {} } }),
      404,
    );
  });
});
