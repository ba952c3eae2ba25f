import { randomBytes } from 'node:crypto';
import { systemRandom } from '@carcosa/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type EncryptionKey, KeyRing } from './key-ring.ts';
import { keyIdOf, Sealer } from './sealer.ts';

const ROOT = 'a root secret of 32 bytes or more';
const owner = { kind: 'bucket', id: 'bkt_1' };
const key = (id: string): EncryptionKey => ({ id, key: randomBytes(32) });
const sealer = (keys: EncryptionKey[] = [], root = ROOT) =>
  new Sealer({ keyRing: new KeyRing(keys, root), random: systemRandom });

describe('a sealed secret', () => {
  it('comes back as it was, whatever it is, and never looks the same', async () => {
    const with1 = sealer();
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 300 }), async (secret) => {
        const sealed = await with1.seal(secret, owner);
        expect(await with1.open(sealed, owner)).toBe(secret);
        expect((await with1.seal(secret, owner)).equals(sealed)).toBe(false);
      }),
      { numRuns: 50 },
    );
  });

  it('opens for its owner alone', async () => {
    const sealed = await sealer().seal('word', owner);
    for (const other of [
      { kind: 'bucket', id: 'bkt_2' },
      { kind: 'webhook', id: 'bkt_1' },
    ])
      await expect(sealer().open(sealed, other)).rejects.toThrow('the row was altered');
  });

  it('does not open with any byte changed, or cut', async () => {
    const sealed = await sealer([key('k1')]).seal('word', owner);
    const open = (bytes: Uint8Array) => sealer([key('k1')]).open(bytes, owner);
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      await expect(open(changed), `byte ${at}`).rejects.toMatchObject({ code: 'configuration_invalid' });
      await expect(open(sealed.subarray(0, at)), `cut at ${at}`).rejects.toMatchObject({
        code: 'configuration_invalid',
      });
    }
  });

  it('is one more after a rotation: what is sealed is of the newest key, and older ones still open', async () => {
    const [k1, k2] = [key('k1'), key('k2')];
    const generations = [sealer(), sealer([k1]), sealer([k2, k1])];
    const sealed = await Promise.all(generations.map((each, index) => each.seal(`word ${index}`, owner)));
    expect(sealed.map(keyIdOf)).toEqual(['root', 'k1', 'k2']);
    const newest = generations.at(-1) as Sealer;
    for (const [index, bytes] of sealed.entries()) expect(await newest.open(bytes, owner)).toBe(`word ${index}`);
    expect(sealed.map((bytes) => bytes.subarray(0, newest.newestHeader.length).equals(newest.newestHeader))).toEqual([
      false,
      false,
      true,
    ]);
  });

  it('says which key is missing and where it belongs', async () => {
    const sealed = await sealer([key('2026-11')]).seal('word', owner);
    await expect(sealer().open(sealed, owner)).rejects.toThrow(/"2026-11".*CARCOSA_ENCRYPTION_KEYS/);
  });

  it('says that a key, or the root secret, is another one than it was', async () => {
    const byKey = await sealer([key('k1')]).seal('word', owner);
    await expect(sealer([key('k1')]).open(byKey, owner)).rejects.toThrow(/"k1".*former value/);
    const byRoot = await sealer().seal('word', owner);
    await expect(sealer([], `another ${ROOT}`).open(byRoot, owner)).rejects.toThrow(/CARCOSA_SECRET.*former one/);
  });

  it('does not stand in the error of one that cannot be opened', async () => {
    const sealed = await sealer().seal('MARKED', owner);
    const error = await sealer([], `another ${ROOT}`)
      .open(sealed, owner)
      .catch((thrown: unknown) => thrown);
    expect(JSON.stringify([String(error), error, (error as Error).stack])).not.toMatch(/MARKED|root secret of 32/);
  });
});
