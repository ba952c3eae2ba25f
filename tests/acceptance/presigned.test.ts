import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unixNow, until } from '../support/clock.ts';
import { times } from '../support/concurrently.ts';
import {
  completeUpload,
  initMultipart,
  initUpload,
  type Multipart,
  partOf,
  putSigned,
  sendable,
  sendParts,
  signParts,
  threePartSize,
} from '../support/direct.ts';
import { expectIntact } from '../support/files.ts';
import { patternBytes, unique } from '../support/random.ts';
import { rawConnect, rawExchange, requestHead } from '../support/raw-http.ts';
import { type Server, startServer } from '../support/server.ts';
import type { FileInfo, InitResult, SignedPart } from '../support/wire.ts';

let server: Server;
let size: number;
let bytes: Buffer;
beforeAll(async () => {
  server = await startServer();
  size = await threePartSize(server);
  bytes = patternBytes('presigned', size);
});
afterAll(() => server.stop());

const BODY = Buffer.from('exactly these');

/** A single upload that waits for its bytes. */
async function single(path = `single/${unique()}`): Promise<InitResult & { url: string }> {
  const init = (await initUpload(server, { fileName: 'x.txt', size: BODY.length, contentType: 'text/plain', path }))
    .data;
  return init as InitResult & { url: string };
}

/** An upload in parts with the address of its second part. */
async function part(): Promise<{ upload: Multipart; signed: SignedPart; body: Uint8Array }> {
  const upload = await initMultipart(server, { fileName: 'x.bin', size, path: `parts/${unique()}` });
  const [signed] = (await signParts(server, upload.uploadId, [2])).data.parts;
  return { upload, signed: signed as SignedPart, body: partOf(upload, bytes, 2) };
}

/** Sends the part over a connection of its own, its declared length as given. */
async function putRaw(
  address: string,
  headers: Record<string, string>,
  length: number | string,
  body: Uint8Array,
): Promise<number> {
  const { pathname, search } = new URL(address);
  const head = requestHead('PUT', `${pathname}${search}`, { ...sendable(headers), 'content-length': length });
  return (await rawExchange(address, Buffer.concat([Buffer.from(head), body]))).status;
}

/** Every parameter of an address, changed by one character. */
function alterations(address: string): [string, string][] {
  const names = [...new URL(address).searchParams.keys()];
  return names.map((name) => {
    const altered = new URL(address);
    const value = altered.searchParams.get(name) ?? '';
    const last = value.at(-1) ?? '';
    altered.searchParams.set(
      name,
      value.slice(0, -1) + (/\d/.test(last) ? String((Number(last) + 1) % 10) : last === 'a' ? 'b' : 'a'),
    );
    return [name, altered.href];
  });
}

describe('a presigned address is good for one thing only', () => {
  it('with every other method it is 403', async () => {
    const [one, two] = [await single(), await part()];
    for (const method of ['GET', 'POST', 'DELETE', 'PATCH']) {
      expect((await putSigned(one.url, BODY, one.headers, method)).status, method).toBe(403);
      expect(
        (await putSigned(two.signed.url, two.body, two.signed.headers, method)).status,
        `${method} of a part`,
      ).toBe(403);
    }
  });

  it('with another length it is 403, and the bytes are not taken', async () => {
    const one = await single();
    expect((await putSigned(one.url, BODY.subarray(1), one.headers)).status, 'one byte less').toBe(403);
    expect(
      (await putSigned(one.url, Buffer.concat([BODY, Buffer.from('!')]), one.headers)).status,
      'one byte more',
    ).toBe(403);
    expect((await putSigned(one.url, Buffer.alloc(0), one.headers)).status, 'none').toBe(403);
    expect((await completeUpload(server, one.uploadId)).status).toBeGreaterThanOrEqual(400);
    const { upload, signed, body } = await part();
    expect((await putSigned(signed.url, body.subarray(1), signed.headers)).status, 'a part of one byte less').toBe(403);
    const status = await server.api<{ parts?: unknown[] }>('GET', `/uploads/${upload.uploadId}`);
    expect(status.data.parts ?? []).toEqual([]);
  });

  it('the last part has its own length', async () => {
    const { upload } = await part();
    const [last] = (await signParts(server, upload.uploadId, [3])).data.parts as [SignedPart];
    expect((await putSigned(last.url, partOf(upload, bytes, 2), last.headers)).status).toBe(403);
    expect((await putSigned(last.url, partOf(upload, bytes, 3), last.headers)).status).toBe(200);
  });

  it('without a length (chunked) it takes exactly the bytes that were signed for, or none', async () => {
    const send = async (chunk: Buffer): Promise<[number, InitResult]> => {
      const one = await single();
      const { pathname, search } = new URL(one.url);
      const head = requestHead('PUT', `${pathname}${search}`, {
        ...sendable(one.headers),
        'transfer-encoding': 'chunked',
      });
      const body = `${chunk.length.toString(16)}\r\n${chunk}\r\n0\r\n\r\n`;
      return [(await rawExchange(one.url, head + body)).status, one];
    };
    expect([200, 403, 411]).toContain((await send(BODY))[0]);
    for (const wrong of [BODY.subarray(1), Buffer.concat([BODY, Buffer.from('!')])]) {
      const [status, one] = await send(wrong);
      expect([403, 411]).toContain(status);
      expect((await completeUpload(server, one.uploadId)).status).toBeGreaterThanOrEqual(400);
    }
  });

  it('with another type than was signed it is 403', async () => {
    const one = await single();
    const signsType = Object.keys(one.headers ?? {}).some((name) => name.toLowerCase() === 'content-type');
    expect(signsType, 'the declared type is among the headers to send').toBe(true);
    const headers = Object.fromEntries(
      Object.entries(one.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
    );
    expect((await putSigned(one.url, BODY, { ...headers, 'content-type': 'text/html' })).status).toBe(403);
    expect((await putSigned(one.url, BODY, one.headers)).status).toBe(200);
  });

  it('with any of its parameters altered it is 403', async () => {
    const [one, two] = [await single(), await part()];
    expect(alterations(one.url).length).toBeGreaterThanOrEqual(2);
    for (const [name, altered] of alterations(one.url)) {
      expect((await putSigned(altered, BODY, one.headers)).status, name).toBe(403);
    }
    for (const [name, altered] of alterations(two.signed.url)) {
      expect((await putSigned(altered, two.body, two.signed.headers)).status, `${name} of a part`).toBe(403);
    }
  });

  it('has one signature and no other spelling of it', async () => {
    const one = await single();
    for (const [name, value] of new URL(one.url).searchParams) {
      if (value.length < 32) continue;
      // The last sign of base64 has bits that mean nothing: a lenient reader takes four signs for one.
      for (const sign of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_') {
        const altered = new URL(one.url);
        altered.searchParams.set(name, value.slice(0, -1) + sign);
        if (!value.endsWith(sign)) expect((await putSigned(altered.href, BODY, one.headers)).status, sign).toBe(403);
      }
      for (const altered of [`${value}=`, `${value}A`, ` ${value}`, value.toUpperCase(), `${value}.`]) {
        const url = new URL(one.url);
        url.searchParams.set(name, altered);
        expect((await putSigned(url.href, BODY, one.headers)).status, altered).toBe(403);
      }
    }
  });

  it('with any of its parameters left out, or said twice, it is 403', async () => {
    const one = await single();
    for (const name of new URL(one.url).searchParams.keys()) {
      const without = new URL(one.url);
      without.searchParams.delete(name);
      expect((await putSigned(without.href, BODY, one.headers)).status, `without ${name}`).toBe(403);
      const twice = new URL(one.url);
      twice.searchParams.append(name, `${twice.searchParams.get(name)}0`);
      expect((await putSigned(twice.href, BODY, one.headers)).status, `${name} twice`).toBe(403);
    }
  });

  it('of one upload does not open another', async () => {
    const [mine, yours] = [await single(), await single()];
    const crossed = new URL(mine.url);
    const target = new URL(yours.url);
    if (crossed.pathname === target.pathname) crossed.href = mine.url.replaceAll(mine.uploadId, yours.uploadId);
    else crossed.pathname = target.pathname;
    expect((await putSigned(crossed.href, BODY, mine.headers)).status).toBe(403);
    const parts = await part();
    const [first] = (await signParts(server, parts.upload.uploadId, [1])).data.parts as [SignedPart];
    const other = new URL(parts.signed.url);
    if (other.pathname !== new URL(first.url).pathname) {
      other.pathname = new URL(first.url).pathname;
      expect((await putSigned(other.href, parts.body, parts.signed.headers)).status, 'part 2 sent as part 1').toBe(403);
    }
  });

  it('with its expiry put off, or past, it is 403', async () => {
    const one = await single();
    const expiry = [...new URL(one.url).searchParams].find(
      ([, value]) => Math.abs(Number(value) - unixNow()) < 8 * 86_400,
    );
    expect(expiry, 'the address carries its expiry in unix seconds').toBeDefined();
    for (const at of [unixNow() - 1, unixNow() + 10 * 86_400, 0, -1, Number.NaN, 1e21]) {
      const altered = new URL(one.url);
      altered.searchParams.set(expiry?.[0] ?? '', String(at));
      expect((await putSigned(altered.href, BODY, one.headers)).status, String(at)).toBe(403);
    }
  });

  it('is made with no secret in it', async () => {
    const one = await single();
    expect(one.url).not.toContain(server.apiKey);
    expect(one.url).not.toContain(server.apiKey.split('_').at(-1));
  });
});

describe('replay', () => {
  it('after completion is refused, and the content stays', async () => {
    const one = await single();
    await putSigned(one.url, BODY, one.headers);
    const file = (await completeUpload(server, one.uploadId)).data;
    const again = await putSigned(one.url, Buffer.from('other content'), one.headers);
    expect([403, 404, 409, 410]).toContain(again.status);
    await expectIntact(server, file, BODY);
  });

  it('of a part after completion is refused, and the content stays', async () => {
    const { upload, signed } = await part();
    const parts = await sendParts(server, upload, bytes);
    const file = (await completeUpload(server, upload.uploadId, parts)).data;
    const again = await putSigned(signed.url, Buffer.alloc(upload.partSize), signed.headers);
    expect([403, 404, 409, 410]).toContain(again.status);
    await expectIntact(server, file, bytes);
  });

  it('by 20 at once while it is completed never changes what was completed', async () => {
    const one = await single();
    await putSigned(one.url, BODY, one.headers);
    const [done] = await Promise.all([
      completeUpload(server, one.uploadId),
      times(20, () => putSigned(one.url, Buffer.from('OTHER content'), one.headers)),
    ]);
    const answer = done.status === 200 ? done : await completeUpload(server, one.uploadId);
    const file: FileInfo = answer.data;
    const served = await server.request(file.url);
    const text = await served.text();
    expect(['exactly these', 'OTHER content'], 'one of the two bodies, whole').toContain(text);
    await expectIntact(server, file, Buffer.from(text));
  });
});

describe('a part whose sender goes away', () => {
  it('does not count, and can be sent again', async () => {
    const { upload, signed, body } = await part();
    const { pathname, search } = new URL(signed.url);
    const connection = await rawConnect(signed.url);
    await connection.write(
      requestHead('PUT', `${pathname}${search}`, { ...sendable(signed.headers), 'content-length': body.length }),
    );
    await connection.write(body.subarray(0, body.length - 1));
    connection.destroy();
    await connection.closed;
    const status = await server.api<{ parts?: unknown[] }>('GET', `/uploads/${upload.uploadId}`);
    expect(status.data.parts ?? []).toEqual([]);
    expect(await putRaw(signed.url, signed.headers, body.length, body)).toBe(200);
    await sendParts(server, upload, bytes, [1, 3]);
    await expectIntact(server, (await completeUpload(server, upload.uploadId)).data, bytes);
  });

  it('after it had arrived once leaves the first one or none, never a mixture', async () => {
    const { upload, signed, body } = await part();
    const parts = await sendParts(server, upload, bytes, [1, 2, 3]);
    const connection = await rawConnect(signed.url);
    const { pathname, search } = new URL(signed.url);
    await connection.write(
      requestHead('PUT', `${pathname}${search}`, { ...sendable(signed.headers), 'content-length': body.length }),
    );
    await connection.write(Buffer.alloc(Math.floor(body.length / 2), 0xee));
    connection.destroy();
    await connection.closed;
    // The server may not have noticed yet that the sender is gone: then it says so, and is asked again.
    const answer = await until(async () => {
      const tried = await completeUpload(server, upload.uploadId, parts);
      return tried.status === 423 ? undefined : tried;
    });
    if (answer.status === 200) return expectIntact(server, answer.data, bytes);
    expect([400, 409, 422]).toContain(answer.status);
    const [resent] = await sendParts(server, upload, bytes, [2]);
    const again = await completeUpload(
      server,
      upload.uploadId,
      parts.map((p) => (p.partNumber === 2 && resent ? resent : p)),
    );
    await expectIntact(server, again.data, bytes);
  });
});
