/** What `init` knows of a framework. */
export interface Framework {
  readonly name: string;
  /** The dependency that tells of it. */
  readonly package: string;
  /** Where variables of the environment are read from. */
  readonly envFile: string;
  /** Files to write, by their paths. */
  readonly files: Readonly<Record<string, string>>;
  /** Packages of ours beside the file router. */
  readonly packages: readonly string[];
  /** What is left to do by hand; nothing where the framework finds the files by itself. */
  readonly afterwards: string;
}

const ROUTER = `import { createUploadRouter, f } from '@carcosa/file-router';

export const router = createUploadRouter({
  images: f({ image: { maxFileSize: '8MB', maxFileCount: 4 } })
    // Says who may: throw to refuse. What it returns, onUploadComplete gets.
    .middleware(async () => ({}))
    .onUploadComplete(async ({ file }) => ({ url: file.url })),
});
`;

const handler = (adapter: string, routerPath: string, exported: string): string =>
  `import { createRouteHandler } from '@carcosa/file-router/${adapter}';
import { router } from '${routerPath}';

export ${exported} = createRouteHandler({ router });
`;

const reactPage = (
  types: string,
  directive = '',
): string => `${directive}import { generateReactHelpers } from '@carcosa/react';
import type { router } from '${types}';
import '@carcosa/react/styles.css';

const { UploadDropzone } = generateReactHelpers<typeof router>({ url: '/api/upload' });

export default function Upload() {
  return <UploadDropzone route="images" onUploaded={({ url, name }) => console.log(name, 'is at', url)} />;
}
`;

/** A page that needs no bundler: the wire of a file router is two requests. */
const PLAIN_PAGE = `<!doctype html>
<html lang="en">
  <meta charset="utf-8" />
  <title>Upload</title>
  <label>Pictures <input type="file" accept="image/*" multiple /></label>
  <ul aria-live="polite"></ul>
  <script type="module">
    const list = document.querySelector('ul');
    const say = (text) => list.append(Object.assign(document.createElement('li'), { textContent: text }));
    document.querySelector('input').onchange = async ({ target }) => {
      const files = [...target.files];
      const answer = await fetch('/api/upload?actionType=upload&slug=images', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ files: files.map(({ name, size, type, lastModified }) => ({ name, size, type, lastModified })) }),
      });
      const signed = await answer.json();
      if (!answer.ok) return say(signed.message);
      for (const [index, { url, name }] of signed.entries()) {
        const stored = await fetch(url, { method: 'PUT', headers: { range: 'bytes=0-' }, body: files[index] });
        const { serverData, message } = await stored.json();
        say(stored.ok ? \`\${name} is at \${serverData.url}\` : message);
      }
    };
  </script>
</html>
`;

const server = { envFile: '.env', packages: [] };

/** The first whose dependency is there is meant: those that build on others come before them. */
export const FRAMEWORKS: readonly Framework[] = [
  {
    ...{ name: 'Next.js', package: 'next', envFile: '.env.local', packages: ['@carcosa/react'] },
    files: {
      'app/api/upload/router.ts': ROUTER,
      'app/api/upload/route.ts': handler('next', './router', 'const { GET, POST }'),
      'app/upload/page.tsx': reactPage('../api/upload/router', "'use client';\n\n"),
    },
    afterwards: 'Open /upload.',
  },
  {
    ...{ name: 'SvelteKit', package: '@sveltejs/kit', ...server },
    files: {
      'src/lib/server/uploads.ts': ROUTER,
      'src/routes/api/upload/+server.ts': handler('sveltekit', '$lib/server/uploads', 'const { GET, POST }'),
      'static/upload.html': PLAIN_PAGE,
    },
    afterwards: 'Open /upload.html.',
  },
  {
    ...{ name: 'Astro', package: 'astro', ...server },
    files: {
      'src/uploads.ts': ROUTER,
      'src/pages/api/upload.ts': handler(
        'astro',
        '../../uploads',
        'const prerender = false;\nexport const { GET, POST }',
      ),
      'public/upload.html': PLAIN_PAGE,
    },
    afterwards: 'Open /upload.html. Endpoints need an adapter for a server (npx astro add node).',
  },
  {
    ...{ name: 'React Router', package: '@react-router/dev', envFile: '.env', packages: ['@carcosa/react'] },
    files: {
      'app/uploads.server.ts': ROUTER,
      'app/routes/api.upload.ts': handler('remix', '../uploads.server', 'const { loader, action }'),
      'app/routes/upload.tsx': reactPage('../uploads.server'),
    },
    afterwards:
      "Add route('api/upload', 'routes/api.upload.ts') and route('upload', 'routes/upload.tsx') to app/routes.ts, and open /upload.",
  },
  {
    ...{ name: 'Hono', package: 'hono', ...server },
    files: { 'src/uploads.ts': ROUTER, 'public/upload.html': PLAIN_PAGE },
    afterwards: `Add to your app:
  import { createRouteHandler } from '@carcosa/file-router/hono';
  import { router } from './uploads';
  app.all('/api/upload', createRouteHandler({ router }));
and serve public/upload.html.`,
  },
  {
    ...{ name: 'Fastify', package: 'fastify', ...server },
    files: { 'src/uploads.ts': ROUTER, 'public/upload.html': PLAIN_PAGE },
    afterwards: `Add to your app:
  import { uploadRoutes } from '@carcosa/file-router/fastify';
  import { router } from './uploads';
  await app.register(uploadRoutes, { router, path: '/api/upload' });
and serve public/upload.html.`,
  },
  {
    ...{ name: 'Express', package: 'express', ...server },
    files: { 'src/uploads.ts': ROUTER, 'public/upload.html': PLAIN_PAGE },
    afterwards: `Add to your app:
  import { createRouteHandler } from '@carcosa/file-router/express';
  import { router } from './uploads';
  app.use('/api/upload', createRouteHandler({ router }));
  app.use(express.static('public'));`,
  },
];

/** By the dependencies of a package.json. */
export function frameworkOf(manifest: { dependencies?: object; devDependencies?: object }): Framework | undefined {
  const all = { ...manifest.dependencies, ...manifest.devDependencies };
  return FRAMEWORKS.find((each) => each.package in all);
}
