import { createHash } from 'node:crypto';
import { STYLE } from './style.ts';

export interface StartPageFacts {
  version: string;
  /** The address that clients see, without a "/" at its end. */
  publicUrl: string;
  database: string;
  storage: string;
  /** Absolute path of the data directory; null where the page may be seen from elsewhere. */
  dataDir: string | null;
}

/** Twin suns over the lake. */
const MARK =
  '<svg viewBox="0 0 48 48" aria-hidden="true"><circle cx="18" cy="17" r="10" fill="#f5b83d"/><circle cx="31" cy="21" r="7" fill="#e8833a"/><path d="M4 33h40M9 39h30M15 45h18" stroke="currentColor" stroke-width="3" stroke-linecap="round" fill="none" opacity=".55"/></svg>';

const SCRIPT = `for (const button of document.querySelectorAll('button')) {
  button.hidden = !navigator.clipboard;
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector('code').textContent);
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  });
}
fetch(document.body.dataset.health).then((answer) => answer.json()).then(({ data }) => {
  for (const [name, { status, latency }] of Object.entries(data.components)) {
    const place = document.getElementById(name);
    place.className = status;
    place.title = status === 'up' ? 'answers in ' + latency + ' ms' : 'does not answer';
  }
}).catch(() => {});
`;

const digest = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** Headers that let the page run its own style and script and nothing else. */
export const START_PAGE_HEADERS = {
  'Content-Security-Policy': `default-src 'none'; script-src ${digest(SCRIPT)}; style-src ${digest(STYLE)}; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-cache',
};

/** The page at `/`: what is running, and what to try first. It holds no secret and loads nothing. */
export function startPage(facts: StartPageFacts): string {
  const { version, publicUrl, database, storage, dataDir } = facts;
  const prefix = new URL(publicUrl).pathname.replace(/\/$/, '');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Carcosa</title>
<link rel="icon" href="data:image/svg+xml,${encodeURIComponent(MARK.replace('<svg', '<svg xmlns="http://www.w3.org/2000/svg" color="#888"'))}">
<style>${STYLE}</style>
</head>
<body data-health="${prefix}/api/v1/health">
<main>
<header>${MARK}<div><h1>Carcosa is running</h1><p>Your media control plane, version ${html(version)}</p></div></header>
<dl>
${fact('Database', database, 'database')}
${fact('Storage', storage, 'storage')}
${fact('API', `${publicUrl}/api/v1`)}
${dataDir === null ? '' : fact('Data', dataDir)}
</dl>
<h2>Three things to try</h2>
<ol>
${steps(publicUrl, dataDir).map(step).join('\n')}
</ol>
<nav><a href="${prefix}/api/v1/docs">Browse and try the API</a><a href="${prefix}/api/v1/openapi.json">OpenAPI document</a><a href="${prefix}/api/v1/health">Health</a></nav>
</main>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

interface Step {
  title: string;
  text: string;
  command: string;
}

function steps(publicUrl: string, dataDir: string | null): Step[] {
  const file = `${dataDir ?? '<data directory>'}/local.json`;
  const key = `KEY=$(sed -n 's/.*"apiKey": "\\(.*\\)".*/\\1/p' '${file}')`;
  return [
    {
      title: 'Put a file in',
      text: 'The first start left an API key in local.json; the answer holds the address of the file.',
      command: `${key}\ncurl -H "x-api-key: $KEY" -F file=@README.md \\\n  '${publicUrl}/api/v1/files?path=docs/readme.md'`,
    },
    {
      title: 'See what is there',
      text: 'Lists come in pages, and filter by folder, type, size, time, tag or name.',
      command: `curl -H "x-api-key: $KEY" '${publicUrl}/api/v1/files?limit=10'`,
    },
    {
      title: 'Send something large',
      text: 'Any tus client resumes where it was cut off; give it this endpoint, and the key as a header.',
      command: `${publicUrl}/api/v1/tus`,
    },
  ];
}

const step = ({ title, text, command }: Step): string =>
  `<li><h3>${html(title)}</h3><p>${html(text)}</p><div class="code"><pre><code>${html(command)}</code></pre><button hidden>Copy</button></div></li>`;

const fact = (name: string, value: string, id?: string): string =>
  `<div><dt>${html(name)}</dt><dd>${id === undefined ? '' : `<i id="${id}"></i>`}${html(value)}</dd></div>`;

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const html = (text: string): string => text.replace(/[&<>"]/g, (character) => ESCAPES[character] ?? character);
