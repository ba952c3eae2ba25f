import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseTransformSteps, type ResolvedTransform } from '@carcosa/contracts';
import { isCarcosaError } from '@carcosa/kernel';
import { ImagePool } from './image-pool.ts';
import type { ImageLimits } from './limits.ts';

/** For tests: makes pictures of bytes by real processes, in a directory of its own. */
export class ImageLab {
  readonly #directory: string;
  readonly pool: ImagePool;
  #made = 0;

  private constructor(directory: string, pool: ImagePool) {
    this.#directory = directory;
    this.pool = pool;
  }

  static async open(limits: Partial<ImageLimits> = {}): Promise<ImageLab> {
    const directory = await mkdtemp(path.join(tmpdir(), 'carcosa-lab-'));
    return new ImageLab(directory, new ImagePool({ size: 2, maxWaiting: 64, limits }));
  }

  /** The result; the overlays are bytes of files, in the order in which the steps name them. */
  async make(source: Uint8Array, steps: string, overlays: readonly Uint8Array[] = []): Promise<Buffer> {
    const files = await Promise.all([source, ...overlays].map((bytes) => this.#file(bytes)));
    const [original = '', ...rest] = files;
    const target = this.#place();
    try {
      const transform = parseTransformSteps(steps) as ResolvedTransform;
      await this.pool.run({ source: original, target, transform, overlays: rest });
      return await readFile(target);
    } finally {
      await Promise.all([...files, target].map((file) => rm(file, { force: true })));
    }
  }

  /** What {@link make} answers: the code of the error and its message, or null where a picture was made. */
  async failure(
    source: Uint8Array,
    steps: string,
    overlays?: readonly Uint8Array[],
  ): Promise<{ code: string; message: string } | null> {
    const error: unknown = await this.make(source, steps, overlays).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    if (error === null) return null;
    if (isCarcosaError(error)) return { code: error.code, message: error.message };
    throw error;
  }

  /** Whether all that was written has been removed. */
  async isEmpty(): Promise<boolean> {
    return (await readdir(this.#directory)).length === 0;
  }

  async close(): Promise<void> {
    this.pool.close();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #file(bytes: Uint8Array): Promise<string> {
    const file = this.#place();
    await writeFile(file, bytes);
    return file;
  }

  #place(): string {
    this.#made += 1;
    return path.join(this.#directory, String(this.#made));
  }
}
