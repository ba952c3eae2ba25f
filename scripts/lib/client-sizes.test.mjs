import { expect, it } from 'vitest';
import { clientSizes, sizeTable } from './client-sizes.mjs';

const sizes = await clientSizes();
const sizeOf = (name) => sizes.find((each) => each.name === name);

it('the SDK, uploads included, is at most 15 kB, and less than each of its peers', () => {
  const { gzip } = sizeOf('@carcosa/sdk');
  expect(gzip).toBeGreaterThan(5_000);
  expect(gzip).toBeLessThanOrEqual(15_000);
  for (const peer of sizes.filter(({ name }) => !name.startsWith('@carcosa/')))
    expect(gzip, peer.name).toBeLessThan(peer.gzip);
});

it('the parts of React are at most 12 kB more, and with the SDK less than those of UploadThing', () => {
  const both = sizeOf('@carcosa/react, with the SDK').gzip;
  expect(both - sizeOf('@carcosa/sdk').gzip).toBeLessThanOrEqual(12_000);
  expect(both).toBeLessThan(sizeOf('@uploadthing/react').gzip);
});

it('the SDK brings no other package along', () => {
  const foreign = sizeOf('@carcosa/sdk').inputs.filter((file) => file !== '<stdin>' && !file.includes('packages/sdk/'));
  expect(foreign).toEqual([]);
});

it('is told as a table', () => {
  expect(sizeTable(sizes)).toMatch(/tus-js-client +\d+\.\d kB +\d+\.\d kB gzip/);
});
