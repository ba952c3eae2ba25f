import { deflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { directUpload } from '../support/direct.ts';
import { DOOR_NAMES, DOORS } from '../support/doors.ts';
import { download, postForm, put, serve } from '../support/files.ts';
import { unique } from '../support/random.ts';
import { type Server, startServer } from '../support/server.ts';
import { expectInert } from '../support/serving.ts';
import { tusUpload } from '../support/tus.ts';
import type { FileInfo, SignedUrl } from '../support/wire.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

const SCRIPT = '<script>fetch("/api/v1/files")</script>';
/** A PNG of one pixel: signature, IHDR, IDAT, IEND. The checksums of its chunks are not looked at here. */
const PNG = Buffer.concat([
  Buffer.from('89504e470d0a1a0a0000000d4948445200000001000000010800000000', 'hex'),
  Buffer.from('3a7e9b55', 'hex'),
  Buffer.from('0000000a49444154', 'hex'),
  deflateSync(Buffer.from([0, 0])),
  Buffer.from('0000000049454e44ae426082', 'hex'),
]);
const GIF = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64');
const PDF = Buffer.from('%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF');
const JPEG = Buffer.concat([
  Buffer.from('ffd8ffe000104a46494600010100000100010000', 'hex'),
  Buffer.alloc(64),
  Buffer.from('ffd9', 'hex'),
]);
const ZIP = Buffer.concat([Buffer.from('504b0506', 'hex'), Buffer.alloc(18)]);

/** Contents that run script when a browser opens them as what they are. */
const ACTIVE: [string, string | Buffer][] = [
  ['HTML', `<!doctype html><html><body>${SCRIPT}</body></html>`],
  ['HTML without a doctype', SCRIPT],
  ['HTML after blanks and a comment', `  \n\t<!-- ${'x'.repeat(2000)} -->${SCRIPT}`],
  ['HTML with a byte order mark', `\ufeff<html>${SCRIPT}`],
  ['HTML in UTF-16', Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(`<html>${SCRIPT}`, 'utf16le')])],
  ['HTML in upper case', `<HTML><BODY onload="alert(1)">`],
  ['SVG', `<svg xmlns="http://www.w3.org/2000/svg">${SCRIPT}</svg>`],
  [
    'SVG after an XML declaration',
    `<?xml version="1.0"?><!DOCTYPE svg><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`,
  ],
  ['XHTML', `<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></html>`],
  ['XML with a stylesheet', `<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="/f/x"?><a/>`],
  ['XML with XHTML inside', `<a xmlns:h="http://www.w3.org/1999/xhtml"><h:script>alert(1)</h:script></a>`],
  [
    'MathML',
    `<math xmlns="http://www.w3.org/1998/Math/MathML"><maction actiontype="statusline" xlink:href="javascript:alert(1)">x</maction></math>`,
  ],
];
const DECLARED = [
  'text/html',
  'image/svg+xml',
  'application/xhtml+xml',
  'text/xml',
  'application/xml',
  'image/png',
  'text/plain',
  'application/octet-stream',
  '',
];

const everyView = async (file: FileInfo): Promise<[string, Awaited<ReturnType<typeof serve>>][]> => {
  const signed = await server.api<SignedUrl>('POST', `/files/${file.id}/signed-url`, { json: { expiresIn: 60 } });
  return [
    ['public', await serve(server, file.url)],
    ['versioned', await serve(server, `/f/${file.key}?v=1`)],
    ['attached', await serve(server, `/f/${file.key}?download`)],
    ['signed', await serve(server, signed.data.url)],
    ['by the API', await download(server, file.id)],
  ];
};

describe('what can run script never runs on our origin', () => {
  it.each(ACTIVE)('%s, whatever type was declared for it', async (name, content) => {
    for (const contentType of DECLARED) {
      const options = contentType === '' ? { path: `active/${unique()}` } : { path: `active/${unique()}`, contentType };
      const file = await put(server, content, options);
      for (const [view, served] of await everyView(file)) expectInert(served, `${name} as ${contentType}, ${view}`);
    }
  });

  it.each(DOOR_NAMES)('through the door %s', async (door) => {
    const file = await DOORS[door](server, `active/${door}.html`, Buffer.from(ACTIVE[0]?.[1] as string));
    for (const [view, served] of await everyView(file)) expectInert(served, view);
  });

  it.each(['x.html', 'x.svg', 'x.xhtml', 'x.xml', 'x.htm', 'x.shtml', 'x.html.', 'x.png'])(
    'under the name %s',
    async (name) => {
      const file = await put(server, `plain text ${SCRIPT}`, {
        path: `named/${name}`,
        contentType: 'text/html; charset=utf-7',
      });
      for (const [view, served] of await everyView(file)) expectInert(served, `${name}, ${view}`);
    },
  );

  it('a part of a file (206) and its absence (304) are no way round', async () => {
    const file = await put(server, ACTIVE[0]?.[1] as string, { path: 'active/range.html', contentType: 'text/html' });
    const part = await serve(server, file.url, { headers: { range: 'bytes=0-50' } });
    expectInert({ ...part, status: part.status === 206 ? 200 : part.status });
  });

  it('an error that repeats what was asked is no page', async () => {
    const { headers } = await serve(server, `/f/${encodeURIComponent(SCRIPT)}?v=${encodeURIComponent(SCRIPT)}`);
    expect(headers.get('content-type')).not.toMatch(/html|xml/);
  });
});

describe('the bytes decide the type; what was declared is kept beside it', () => {
  it.each([
    ['PNG', PNG, 'image/png'],
    ['GIF', GIF, 'image/gif'],
    ['JPEG', JPEG, 'image/jpeg'],
    ['PDF', PDF, 'application/pdf'],
    ['ZIP', ZIP, 'application/zip'],
  ] as const)('%s declared as HTML is what it is', async (_, bytes, type) => {
    const file = await put(server, bytes, { path: `lying/${unique()}.html`, contentType: 'text/html' });
    expect(file.contentType).toBe(type);
    expect(file.declaredContentType).toBe('text/html');
    expect((await serve(server, file.url)).headers.get('content-type')).toBe(type);
  });

  it('through every door', async () => {
    const files = [
      (await postForm(server, PNG, { path: 'lying/form', contentType: 'text/html' })).data,
      await directUpload(server, PNG, { path: 'lying/direct', contentType: 'text/html' }),
      (
        await server.api<FileInfo>(
          'GET',
          `/files/${await tusUpload(server, PNG, { filename: 'x.html', filetype: 'text/html', path: 'lying/tus' })}`,
        )
      ).data,
    ];
    for (const file of files)
      expect(file).toMatchObject({ contentType: 'image/png', declaredContentType: 'text/html' });
  });

  it('HTML declared as a picture is not served as a picture', async () => {
    const file = await put(server, `<!doctype html>${SCRIPT}`, { path: 'lying/page.png', contentType: 'image/png' });
    expect(file.declaredContentType).toBe('image/png');
    expect(file.contentType).not.toMatch(/^image\//);
  });

  it('a picture with a page inside (a polyglot) is a picture, and inert', async () => {
    const polyglots = [
      [Buffer.concat([GIF, Buffer.from(SCRIPT)]), 'image/gif'],
      [Buffer.concat([Buffer.from('GIF89a/*'), Buffer.from(`*/=1;${SCRIPT}`)]), null],
      [Buffer.concat([PNG, Buffer.from(`<html>${SCRIPT}`)]), 'image/png'],
      [Buffer.concat([PDF, Buffer.from(`<html>${SCRIPT}`)]), 'application/pdf'],
      [Buffer.concat([Buffer.from(`<html>${SCRIPT}<!--`), ZIP]), null],
    ] as const;
    for (const [bytes, type] of polyglots) {
      const file = await put(server, bytes, { path: `polyglot/${unique()}`, contentType: 'text/html' });
      if (type) expect(file.contentType).toBe(type);
      for (const [view, served] of await everyView(file)) expectInert(served, view);
    }
  });

  it('text that the bytes say nothing about keeps the declared type', async () => {
    for (const contentType of ['text/plain', 'text/csv', 'text/css', 'application/json']) {
      const body = contentType === 'application/json' ? '{"a":1}' : 'a,b\n1,2\n';
      const file = await put(server, body, { path: `text/${unique()}`, contentType });
      expect(file.declaredContentType).toBe(contentType);
      expect([contentType, 'text/plain'], file.contentType).toContain(file.contentType.split(';')[0]);
    }
  });

  it.each(['text/html\r\nx-evil: 1', 'no type', 'a/b; c="', 'x'.repeat(300), '/', 'text/plain; charset="\\"'])(
    'the declared type %j is harmless',
    async (contentType) => {
      const answer = await server.api<FileInfo>('POST', '/uploads/init', {
        json: { fileName: 'x', size: 1, contentType },
      });
      expect([201, 400]).toContain(answer.status);
      if (answer.status !== 201) return;
      await server.api('DELETE', `/uploads/${(answer.data as unknown as { uploadId: string }).uploadId}`);
    },
  );
});
