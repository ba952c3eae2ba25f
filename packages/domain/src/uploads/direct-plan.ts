import { MAX_PARTS } from '@carcosa/contracts';
import type { StoredPart, UploadRow } from '@carcosa/database';
import { CarcosaError } from '@carcosa/kernel';

const MIB = 1024 * 1024;
/** Below it an upload is a single PUT. */
export const PART_SIZE = 16 * MIB;
const MAX_PART_SIZE = 5 * 1024 * MIB;

/** How the bytes of a direct upload are cut. All parts but the last have the same size: some providers require it. */
export interface DirectPlan {
  strategy: 'single' | 'multipart';
  /** Bytes. */
  size: number;
  partSize: number;
  partCount: number;
}

/** @throws CarcosaError `payload_too_large` beyond 10,000 parts of 5 GiB */
export function planDirect(size: number): DirectPlan {
  if (size < PART_SIZE) return { strategy: 'single', size, partSize: size, partCount: 1 };
  const partSize = Math.max(PART_SIZE, Math.ceil(size / MAX_PARTS / MIB) * MIB);
  if (partSize > MAX_PART_SIZE)
    throw new CarcosaError('payload_too_large', { details: { limit: MAX_PARTS * MAX_PART_SIZE } });
  return { strategy: 'multipart', size, partSize, partCount: Math.ceil(size / partSize) };
}

/** The plan is a function of the size alone, so it need not be stored. */
export function directPlanOf(upload: UploadRow): DirectPlan {
  return planDirect(upload.size ?? 0);
}

/** Bytes of one part and where it begins. @throws CarcosaError `invalid_request` for a number that is not in the plan */
export function partPlace(plan: DirectPlan, partNumber: number): { offset: number; size: number } {
  if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > plan.partCount) {
    throw new CarcosaError('invalid_request', { message: `This upload has the parts 1 to ${plan.partCount}.` });
  }
  const offset = (partNumber - 1) * plan.partSize;
  return { offset, size: Math.min(plan.partSize, plan.size - offset) };
}

/**
 * The parts to complete with: those that the client names, or all that arrived; each must be there with its size and ETag.
 * @throws CarcosaError `upload_incomplete` (details: the numbers that are missing), `checksum_mismatch`, `invalid_request` for a part that is
 *   named twice or not in the plan
 */
export function agreeOnParts(
  plan: DirectPlan,
  received: StoredPart[],
  claimed: { partNumber: number; etag: string }[] | undefined,
) {
  const byNumber = new Map(received.map((part) => [part.partNumber, part]));
  const claims = claimed ? new Map(claimed.map((part) => [part.partNumber, part.etag])) : null;
  if (
    claims &&
    (claims.size < (claimed?.length ?? 0) || [...claims.keys()].some((number) => number > plan.partCount))
  ) {
    throw new CarcosaError('invalid_request', { message: `Name each part from 1 to ${plan.partCount} once.` });
  }
  const missing: number[] = [];
  const parts: { partNumber: number; etag: string }[] = [];
  for (let partNumber = 1; partNumber <= plan.partCount; partNumber++) {
    const part = byNumber.get(partNumber);
    const { size } = partPlace(plan, partNumber);
    if (!part || part.size !== size || (claims && !claims.has(partNumber))) {
      missing.push(partNumber);
      continue;
    }
    const etag = claims?.get(partNumber);
    if (etag !== undefined && etag !== part.etag) {
      throw new CarcosaError('checksum_mismatch', {
        message: `Part ${partNumber} is not the one with that ETag; send it again.`,
      });
    }
    parts.push({ partNumber, etag: part.etag });
  }
  if (missing.length > 0) throw new CarcosaError('upload_incomplete', { details: { missing: missing.slice(0, 100) } });
  return parts;
}
