import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ROOT } from './paths.mjs';

/** What a browser has to load, by what an app imports. Peers are those that people would use instead. */
const BUNDLES = [
  { name: '@carcosa/sdk', imports: ['@carcosa/sdk'] },
  { name: '@carcosa/sdk, uploads alone', code: `export { createCarcosa } from '@carcosa/sdk';` },
  { name: '@carcosa/react, with the SDK', imports: ['@carcosa/react', '@carcosa/sdk'] },
  { name: 'tus-js-client', imports: ['tus-js-client'] },
  { name: '@uppy/core + @uppy/tus', imports: ['@uppy/core', '@uppy/tus'] },
  { name: 'uploadthing/client', imports: ['uploadthing/client'] },
  { name: '@uploadthing/react', imports: ['@uploadthing/react'] },
];

/** Not counted, as every app that uses the others has them. */
const REACT = ['react', 'react-dom', 'react/jsx-runtime', 'react-dom/client'];

/**
 * Sizes of what an app would bundle, minified by esbuild for today's browsers, React itself aside.
 *
 * @returns {Promise<{ name: string, bytes: number, gzip: number, inputs: string[] }[]>} `inputs`: the files that went in
 */
export async function clientSizes() {
  const { build } = await import('esbuild');
  return Promise.all(
    BUNDLES.map(async ({ name, imports = [], code }) => {
      const contents = code ?? imports.map((each, index) => `export * as part${index} from '${each}';`).join('\n');
      const { outputFiles, metafile } = await build({
        // The tests' folder knows all of them.
        stdin: { contents, resolveDir: join(ROOT, 'tests'), loader: 'js' },
        bundle: true,
        minify: true,
        format: 'esm',
        target: 'es2022',
        platform: 'browser',
        // Ours as they are, whether they were built or not.
        conditions: ['source'],
        external: REACT,
        write: false,
        metafile: true,
        logLevel: 'error',
      });
      const [{ contents: bundle }] = outputFiles;
      const inputs = Object.keys(metafile.inputs);
      return { name, bytes: bundle.length, gzip: gzipSync(bundle, { level: 9 }).length, inputs };
    }),
  );
}

/** The sizes as lines for a terminal. */
export function sizeTable(sizes) {
  const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`.padStart(10);
  const width = Math.max(...sizes.map(({ name }) => name.length));
  const rows = sizes.map(
    ({ name, bytes, gzip }) => `  ${name.padEnd(width)}${kilobytes(bytes)}${kilobytes(gzip)} gzip`,
  );
  return ['What a browser loads, minified:', ...rows].join('\n');
}
