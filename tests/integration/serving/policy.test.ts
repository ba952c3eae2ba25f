import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServingNode, ServingWorld } from './support.ts';

const HTML = '<!doctype html><script>fetch("/api/v1/files")</script>';
const SVG = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';

let world: ServingWorld;
let node: ServingNode;
beforeAll(async () => {
  world = await ServingWorld.open();
  node = world.node;
});
afterAll(() => world.close());

describe('what can run script', () => {
  it.each([
    ['a page', HTML, 'text/html', 'text/html; charset=utf-8', 'attachment'],
    ['a page that says to be a picture', HTML, 'image/png', 'text/html; charset=utf-8', 'attachment'],
    ['a page that says to be text', HTML, 'text/plain', 'text/html; charset=utf-8', 'attachment'],
    [
      'XHTML',
      '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"/>',
      'text/plain',
      'application/xhtml+xml',
      'attachment',
    ],
    [
      'XML',
      '<?xml version="1.0"?><x:a xmlns:x="http://www.w3.org/1999/xhtml"/>',
      'application/xml',
      'application/xml',
      'attachment',
    ],
    ['a drawing', SVG, 'image/svg+xml', 'image/svg+xml', 'inline'],
    ['a drawing that says to be a photo', SVG, 'image/jpeg', 'image/svg+xml', 'inline'],
  ])('%s is saved or sandboxed, by every door', async (what, content, declared, type, disposition) => {
    const file = await node.put(`scripted/${what}`, content, { type: declared });
    const answers = [
      await node.get(file.url),
      await node.get(`${file.url}?v=1`),
      await node.get(file.url, { range: 'bytes=0-5' }),
      await node.get(file.url, { range: 'bytes=0-1,3-5' }),
    ];
    for (const { headers } of answers) {
      expect(headers.get('content-security-policy')).toMatch(/^default-src 'none';.*; sandbox$/);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('content-disposition')).toMatch(new RegExp(`^${disposition};`));
    }
    expect(answers[0]?.headers.get('content-type')).toBe(type);
    expect((await node.get(`${file.url}?download`)).headers.get('content-disposition')).toMatch(/^attachment;/);
    expect((await node.download(file.id)).headers.get('content-security-policy')).toMatch(/sandbox$/);
  });

  it('is never loaded by our own pages, while other sites may have their scripts', async () => {
    const script = await node.put('app.js', 'alert(1)', { type: 'text/javascript' });
    const fetched = (site: string, destination: string) =>
      node.get(script.url, { 'sec-fetch-site': site, 'sec-fetch-dest': destination });
    for (const destination of ['script', 'serviceworker', 'worker', 'sharedworker']) {
      const answer = await fetched('same-origin', destination);
      expect([answer.status, (await answer.json()).error]).toEqual([403, 'forbidden']);
    }
    const elsewhere = await fetched('cross-site', 'script');
    expect(elsewhere.status).toBe(200);
    expect(elsewhere.headers.get('vary')).toBe('Sec-Fetch-Dest, Sec-Fetch-Site');
    expect((await fetched('same-origin', 'document')).status).toBe(200);
  });
});

it('says how text is encoded', async () => {
  const type = async (declared: string, bytes: Uint8Array | string) =>
    (
      await node.get((await node.put(`text/${declared}`.replace(/[^a-z/-]/g, ''), bytes, { type: declared })).url)
    ).headers.get('content-type');
  expect(await type('text/plain', 'héllo')).toBe('text/plain; charset=utf-8');
  expect(await type('text/csv; charset=iso-8859-1', Buffer.from('h\xe9llo;1', 'latin1'))).toBe(
    'text/csv; charset=iso-8859-1',
  );
});
