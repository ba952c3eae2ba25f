import type { IncomingMessage } from 'node:http';
import { CarcosaError } from '@carcosa/kernel';
import type { FastifyRequest } from 'fastify';
import type { App } from './types.ts';

/** Largest JSON body, in bytes. */
export const MAX_JSON_BYTES = 1024 * 1024;
/** How deep arrays and objects may stand in each other. */
export const MAX_JSON_DEPTH = 64;
/** Milliseconds in which a whole JSON body has to arrive; uploads have rules of their own. */
const JSON_ARRIVAL_MS = 30_000;

/**
 * Makes `app` read JSON and nothing else. Bodies are limited in size, depth and time, and refused when they carry
 * `__proto__` or `constructor.prototype`.
 */
export function acceptJson(app: App, limits: { arrivalMs?: number } = {}): void {
  const arrivalMs = limits.arrivalMs ?? JSON_ARRIVAL_MS;
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', async (request: FastifyRequest, payload: IncomingMessage) => {
    const text = await readText(payload, request.headers['content-length'], arrivalMs);
    if (request.headers['idempotency-key'] !== undefined) request.jsonText = text;
    if (text === '') return undefined;
    assertDepth(text);
    const value = await new Promise<unknown>((resolve, reject) => {
      parse(request, text, (cause, parsed) => {
        const message = 'The body is not JSON that may be read here.';
        if (cause) reject(new CarcosaError('invalid_request', { message, cause }));
        else resolve(parsed);
      });
    });
    if (SURROGATE_ESCAPE.test(text)) assertUnicode(value);
    return value;
  });
}

/** @throws CarcosaError `payload_too_large`, `request_timeout`, `invalid_request` when it is not UTF-8 */
async function readText(payload: IncomingMessage, declared: string | undefined, arrivalMs: number): Promise<string> {
  if (Number(declared) > MAX_JSON_BYTES) throw new CarcosaError('payload_too_large');
  const chunks: Buffer[] = [];
  await new Promise<void>((resolve, reject) => {
    let length = 0;
    const settle = (error?: Error): void => {
      clearTimeout(timer);
      payload.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose);
      if (error) reject(error);
      else resolve();
    };
    const onData = (chunk: Buffer): void => {
      length += chunk.length;
      if (length > MAX_JSON_BYTES) settle(new CarcosaError('payload_too_large'));
      else chunks.push(chunk);
    };
    const onEnd = (): void => settle();
    const onError = (cause: Error): void =>
      settle(new CarcosaError('upload_interrupted', { message: 'The body ended early.', cause }));
    const onClose = (): void => settle(new CarcosaError('upload_interrupted', { message: 'The body ended early.' }));
    const timer = setTimeout(() => settle(new CarcosaError('request_timeout')), arrivalMs);
    payload.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
  });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
  } catch (cause) {
    throw new CarcosaError('invalid_request', { message: 'The body is not valid UTF-8.', cause });
  }
}

const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/;

/** Half of a pair is a string to JavaScript, but nothing that could be stored. */
function assertUnicode(value: unknown): void {
  // JSON.stringify escapes surrogates that stand alone, and only those; an even number of backslashes before is their own text.
  if (/(?<!\\)(?:\\\\)*\\ud[89a-f]/.test(JSON.stringify(value))) {
    throw new CarcosaError('invalid_request', { message: 'The body has text that is not valid Unicode.' });
  }
}

/** Counts brackets outside of strings, so that nothing recursive ever meets a deep body. */
function assertDepth(text: string): void {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i);
    if (inString) {
      if (character === 0x5c) i++;
      else if (character === 0x22) inString = false;
    } else if (character === 0x22) inString = true;
    else if (character === 0x7b || character === 0x5b) {
      if (++depth > MAX_JSON_DEPTH) {
        throw new CarcosaError('invalid_request', {
          message: `The body is nested deeper than ${MAX_JSON_DEPTH} levels.`,
        });
      }
    } else if (character === 0x7d || character === 0x5d) depth--;
  }
}
