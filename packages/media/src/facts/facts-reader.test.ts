import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dominantColors, labOfHex } from './colors.ts';
import { FactsReader } from './facts-reader.ts';
import { HASH_SIDE, hashDistance, perceptualHash } from './perceptual-hash.ts';

let directory: string;
let reader: FactsReader;
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'carcosa-facts-'));
  reader = new FactsReader();
});
afterAll(async () => {
  reader.close();
  await rm(directory, { recursive: true });
});

async function store(name: string, bytes: Uint8Array): Promise<string> {
  const file = path.join(directory, name);
  await writeFile(file, bytes);
  return file;
}
const image = async (name: string, bytes: Uint8Array) =>
  await reader.read({ file: await store(name, bytes), kind: 'image' });

/** A scene of shapes: `at` moves them. */
const scene = (at: number) =>
  sharp(
    Buffer.from(
      `<svg width="640" height="480"><rect width="640" height="480" fill="#2060c0"/><circle cx="${at}" cy="${400 - at / 2}" r="120" fill="#f08020"/><rect x="${500 - at}" y="40" width="90" height="260" fill="#10a040"/></svg>`,
    ),
  );

describe('facts of pictures', () => {
  it('says size, colours, placeholders and what the camera wrote, and keeps the place apart', async () => {
    const bytes = await scene(200)
      .withExif({
        IFD0: { Make: 'Leica', Model: 'M11', Copyright: 'Somebody' },
        IFD2: { FNumber: '28/10', ISOSpeedRatings: '400' },
        IFD3: {
          GPSLatitudeRef: 'S',
          GPSLatitude: '52/1 30/1 0/1',
          GPSLongitudeRef: 'E',
          GPSLongitude: '13/1 24/1 0/1',
        },
      })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    const { facts, location } = await image('photo.jpg', bytes);
    expect(facts).toMatchObject({
      kind: 'image',
      width: 480,
      height: 640,
      orientation: 'portrait',
      exifOrientation: 6,
      hasAlpha: false,
    });
    expect(facts.exif).toMatchObject({ make: 'Leica', model: 'M11', fNumber: 2.8, copyright: 'Somebody' });
    expect(location).toEqual({ latitude: -52.5, longitude: 13.4 });
    expect(JSON.stringify(facts)).not.toMatch(/52|13\.4|gps/i);
    expect(facts.thumbhash).toMatch(/^[A-Za-z0-9+/]{20,}=*$/);
    expect(facts.blurhash).toMatch(/^.{20,40}$/);
    const [first] = facts.colors ?? [];
    const [l, a, b] = labOfHex(first?.hex ?? '');
    const [wantedL, wantedA, wantedB] = labOfHex('2060c0');
    expect(Math.hypot(l - wantedL, a - wantedA, b - wantedB)).toBeLessThan(6);
    expect(first?.share).toBeGreaterThan(0.5);
    expect(facts.colors?.length).toBeGreaterThanOrEqual(3);
  });

  it('counts the frames of an animation', async () => {
    const frames = await Promise.all([10, 200, 400].map((at) => scene(at).resize(32, 24).png().toBuffer()));
    const bytes = await sharp(frames, { join: { animated: true } })
      .gif()
      .toBuffer();
    expect((await image('moves.gif', bytes)).facts).toMatchObject({ width: 32, height: 24, frames: 3 });
  });

  it('gives near hashes to one picture in other sizes and qualities, and far ones to another', async () => {
    const hash = async (name: string, bytes: Promise<Buffer>) =>
      (await image(name, await bytes)).facts.perceptualHash ?? '';
    const original = await hash('a.png', scene(200).png().toBuffer());
    const changed = await Promise.all([
      hash('b.jpg', scene(200).resize(200).jpeg({ quality: 30 }).toBuffer()),
      hash('c.webp', scene(200).modulate({ brightness: 1.15 }).webp().toBuffer()),
      hash('d.png', scene(200).blur(2).png().toBuffer()),
    ]);
    for (const other of changed) expect(hashDistance(original, other)).toBeLessThanOrEqual(8);
    expect(hashDistance(original, await hash('e.png', scene(450).png().toBuffer()))).toBeGreaterThan(14);
  });

  it('makes 64 bits of any picture, which do not change when it becomes brighter as a whole', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: HASH_SIDE ** 2, maxLength: HASH_SIDE ** 2, max: 200 }),
        fc.integer({ min: 1, max: 50 }),
        (grey, more) => {
          const hash = perceptualHash(grey);
          expect(hash).toMatch(/^[0-9a-f]{16}$/);
          // The first bit is that of the brightness.
          expect(hashDistance(hash, perceptualHash(grey.map((value) => value + more)))).toBeLessThanOrEqual(3);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('names colours whose shares are never more than the whole', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 4000 }), (pixels) => {
        const colors = dominantColors(pixels);
        expect(colors.reduce((sum, { share }) => sum + share, 0)).toBeLessThanOrEqual(1.005);
        for (const { hex } of colors) expect(hex).toMatch(/^[0-9a-f]{6}$/);
      }),
    );
  });
});

describe('facts of documents', () => {
  it('counts pages and reads text, title and author', async () => {
    const file = await store('a.pdf', pdf(['The King in Yellow', 'Strange is the night']));
    const { facts, text } = await reader.read({ file, kind: 'document' });
    expect(facts).toMatchObject({ kind: 'document', pages: 2, title: 'A play', author: 'Castaigne', hasText: true });
    expect(text).toContain('The King in Yellow');
    expect(text).toContain('Strange is the night');
  });
});

describe('files that cannot be read', () => {
  it.each([
    ['image', ''],
    ['image', 'no picture'],
    ['image', '\x89PNG\r\n\x1a\n and no more'],
    ['document', '%PDF-1.7 and no more'],
    ['document', ''],
  ] as const)('says of %s %j what is wrong', async (kind, content) => {
    const { facts } = await reader.read({ file: await store('broken', Buffer.from(content, 'latin1')), kind });
    expect(facts).toEqual({ kind, problem: expect.stringMatching(/.{3,}/) });
  });

  it('ends a process that takes too long, and goes on with another', async () => {
    const short = new FactsReader({ timeMs: 1 });
    const file = await store('b.png', await scene(1).png().toBuffer());
    const { facts } = await short.read({ file, kind: 'image' });
    expect(facts.problem).toContain('too long');
    expect(short.worker).toBeUndefined();
    short.close();
    expect((await reader.read({ file, kind: 'image' })).facts.width).toBe(640);
  });

  it('ends a process that takes too much memory', async () => {
    const small = new FactsReader({ memoryBytes: 1024 * 1024 });
    const file = await store('c.png', await scene(1).png().toBuffer());
    expect((await small.read({ file, kind: 'image' })).facts.problem).toContain('memory');
    small.close();
  });
});

/** A document with a line of text on each page. */
function pdf(lines: string[]): Buffer {
  const objects: string[] = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    `<< /Type /Pages /Count ${lines.length} /Kids [${lines.map((_, at) => `${5 + 2 * at} 0 R`).join(' ')}] >>`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
    '<< /Title (A play) /Author (Castaigne) >>',
  ];
  for (const line of lines) {
    objects.push(
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Resources << /Font << /F1 3 0 R >> >> /Contents ${objects.length + 2} 0 R >>`,
    );
    const content = deflateSync(`BT /F1 18 Tf 20 100 Td (${line}) Tj ET`).toString('latin1');
    objects.push(`<< /Length ${content.length} /Filter /FlateDecode >>\nstream\n${content}\nendstream`);
  }
  let body = '%PDF-1.4\n';
  const offsets = objects.map((object, at) => {
    const offset = body.length;
    body += `${at + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const table = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  const start = body.length;
  body += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${table}trailer << /Size ${objects.length + 1} /Root 1 0 R /Info 4 0 R >>\nstartxref\n${start}\n%%EOF`;
  return Buffer.from(body, 'latin1');
}
