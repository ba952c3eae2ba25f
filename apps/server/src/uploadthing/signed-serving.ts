import type { OpenedFile } from '@carcosa/domain';
import { CarcosaError } from '@carcosa/kernel';
import type { FastifyRequest } from 'fastify';
import type { Carcosa } from '../compose.ts';
import { originsOf } from './ingest-routes.ts';

const SIGNATURE = '&signature=';

/**
 * Opens a file at an address that an app has signed with its key: `?expires=<milliseconds>&signature=hmac-sha256=…`, the signature over
 * all that is before it.
 * @param projectId that the address names; null where it names none
 * @throws CarcosaError `not_found`, `signature_invalid`
 */
export async function openAppSigned(
  carcosa: Pick<Carcosa, 'serving' | 'signingKeys' | 'publicUrl'>,
  request: FastifyRequest,
  { key, projectId }: { key: string; projectId: string | null },
): Promise<OpenedFile> {
  const target = request.raw.url ?? '';
  const opened = await carcosa.serving.openWith(key, async (file) => {
    const end = target.lastIndexOf(SIGNATURE);
    const signed = end < 0 ? null : target.slice(0, end);
    const expires = signed && new URLSearchParams(signed.split('?')[1]).getAll('expires');
    if (!signed || !expires || expires.length !== 1 || !/^\d{1,15}$/.test(expires[0] ?? '')) return null;
    const texts = originsOf(carcosa, request).map((origin) => origin + signed);
    const signature = decodeURIComponent(target.slice(end + SIGNATURE.length).replace(/%(?![0-9a-f]{2})/gi, '%25'));
    return (await carcosa.signingKeys.verify(file.projectId, texts, signature)) ? Number(expires[0]) : null;
  });
  if (projectId !== null && opened.file.projectId !== projectId) throw new CarcosaError('not_found');
  return opened;
}
