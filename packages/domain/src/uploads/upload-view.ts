import { splitPath, type Upload } from '@carcosa/contracts';
import type { StoredPart, UploadRow } from '@carcosa/database';
import { toIsoString } from '@carcosa/kernel';
import { directPlanOf } from './direct-plan.ts';

/** An upload as the API shows it. */
export function uploadView(row: UploadRow, parts?: StoredPart[]): Upload {
  const plan = row.door === 'direct' ? directPlanOf(row) : null;
  return {
    id: row.id,
    door: row.door,
    status: row.status,
    path: row.path,
    name: splitPath(row.path).name,
    size: row.size,
    offset: row.offset,
    ...(plan ? { strategy: plan.strategy } : {}),
    ...(plan?.strategy === 'multipart' ? { partSize: plan.partSize, partCount: plan.partCount } : {}),
    ...(parts ? { parts } : {}),
    fingerprint: typeof row.doorState.fingerprint === 'string' ? row.doorState.fingerprint : null,
    fileId: row.fileId,
    createdAt: toIsoString(row.createdAt),
    expiresAt: toIsoString(row.expiresAt),
  };
}
