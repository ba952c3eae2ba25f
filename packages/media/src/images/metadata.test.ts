import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ImageLab } from './image-lab.ts';
import { keptExif } from './source/exif.ts';

let lab: ImageLab;
let photo: Buffer;

beforeAll(async () => {
  lab = await ImageLab.open();
  photo = await sharp({ create: { width: 60, height: 40, channels: 3, background: '#a52' } })
    .withExif({
      IFD0: { Copyright: 'Somebody', Artist: 'Somebody Else', HostComputer: 'of Somebody' },
      IFD2: { DateTimeOriginal: '2026:01:02 03:04:05', FNumber: '28/10', BodySerialNumber: '12345' },
      IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '52/1 31/1 7/1', GPSLongitudeRef: 'E', GPSLongitude: '13/1 24/1 9/1' },
    })
    .withIccProfile('p3')
    .jpeg()
    .toBuffer();
});
afterAll(() => lab.close());

const FORMATS = ['jpeg', 'webp', 'avif', 'png'];

const exifOf = async (bytes: Buffer) => {
  const { exif, icc } = await sharp(bytes).metadata();
  return { text: exif?.toString('latin1') ?? '', fields: keptExif(exif, ['exif', 'gps']), icc };
};

it('has what it should in the original', async () => {
  const { fields } = await exifOf(photo);
  expect(fields).toMatchObject({ IFD0: { Copyright: 'Somebody' }, IFD3: { GPSLatitude: '52/1 31/1 7/1' } });
});

it.each(FORMATS)('removes all of it from %s unless asked', async (format) => {
  for (const steps of [`f_${format}`, `f_${format},w_20,then,blur`, `f_${format},bytes_5000`]) {
    const { text, icc } = await exifOf(await lab.make(photo, steps));
    expect([text, icc]).toEqual(['', undefined]);
  }
});

it.each(FORMATS)('keeps of %s what is asked for, the place only by its own name', async (format) => {
  for (const steps of [`f_${format},keep_exif`, `f_${format},keep_exif,w_20,round_5`]) {
    const { text, fields } = await exifOf(await lab.make(photo, steps));
    expect(fields.IFD0).toMatchObject({ Copyright: 'Somebody', Artist: 'Somebody Else' });
    expect(fields.IFD2).toMatchObject({ DateTimeOriginal: '2026:01:02 03:04:05', FNumber: '28/10' });
    expect(fields.IFD3).toEqual({});
    for (const secret of ['of Somebody', '12345']) expect(text).not.toContain(secret);
  }
  const { fields } = await exifOf(await lab.make(photo, `f_${format},keep_gps`));
  expect(fields.IFD3).toMatchObject({
    GPSLatitudeRef: 'N',
    GPSLatitude: '52/1 31/1 7/1',
    GPSLongitude: '13/1 24/1 9/1',
  });
  expect(fields.IFD0).not.toHaveProperty('Copyright');
});

it('keeps the colour profile only where it is asked for', async () => {
  expect((await exifOf(await lab.make(photo, 'f_jpeg,keep_icc'))).icc).toEqual((await sharp(photo).metadata()).icc);
  const plain = await sharp(await lab.make(photo, 'f_png'))
    .raw()
    .toBuffer();
  const expected = await sharp(photo).toColourspace('srgb').raw().toBuffer();
  expect([...plain.subarray(0, 3)]).toEqual([...expected.subarray(0, 3)]);
});

it('reads no further than a block of EXIF goes, whatever it claims', () => {
  const whole = Buffer.from('Exif\0\0MM\0*\0\0\0\u0008\0\u0002', 'latin1');
  for (let length = 0; length <= whole.length; length++) {
    expect(
      Object.values(keptExif(whole.subarray(0, length), ['exif', 'gps'])).flatMap((group) => Object.keys(group ?? {})),
    ).toEqual([]);
  }
  const endless = Buffer.alloc(4096, 0xff);
  endless.write('Exif\0\0II*\0\u0008\0\0\0', 'latin1');
  expect(() => keptExif(endless, ['exif', 'gps'])).not.toThrow();
});
