import { readFile } from 'node:fs/promises';
import type { FactsFound } from './protocol.ts';

/** Characters of its text that are kept, and pages that are read for them. */
const MAX_TEXT = 100_000;
const MAX_PAGES = 200;

/** Pages, title and text of a PDF. @throws Error for what is none, or is locked */
export async function documentFacts(file: string): Promise<FactsFound> {
  // Large, and needed by few.
  const { getDocumentProxy } = await import('unpdf');
  const document = await getDocumentProxy(new Uint8Array(await readFile(file)));
  const info = (await document.getMetadata()).info as Record<string, unknown>;
  const parts: string[] = [];
  let length = 0;
  for (let page = 1; page <= Math.min(MAX_PAGES, document.numPages) && length < MAX_TEXT; page++) {
    const { items } = await (await document.getPage(page)).getTextContent();
    const text = items.map((item) => ('str' in item ? `${item.str}${item.hasEOL ? '\n' : ''}` : '')).join('');
    parts.push(text);
    length += text.length + 1;
  }
  const text = clean(parts.join('\n')).slice(0, MAX_TEXT).toWellFormed();
  const [title, author] = [said(info.Title), said(info.Author)];
  return {
    facts: {
      kind: 'document',
      pages: document.numPages,
      hasText: text !== '',
      ...(title ? { title } : {}),
      ...(author ? { author } : {}),
    },
    location: null,
    text: text === '' ? null : text,
  };
}

/** PostgreSQL has no NUL in texts. */
const clean = (text: string): string => text.replaceAll('\0', '').trim();

function said(value: unknown): string | null {
  return typeof value === 'string' ? clean(value).slice(0, 300).toWellFormed() || null : null;
}
