import type { UploadRow } from '@carcosa/database';

type Door = UploadRow['door'];

/** Uploads of this process that ended, since its start. */
export class UploadTally {
  readonly completed: Record<Door, number> = { simple: 0, tus: 0, direct: 0, signed: 0 };
  readonly aborted: Record<Door, number> = { simple: 0, tus: 0, direct: 0, signed: 0 };
  /** Bytes of those that were completed. */
  readonly bytes: Record<Door, number> = { simple: 0, tus: 0, direct: 0, signed: 0 };

  complete(door: Door, size: number): void {
    this.completed[door] += 1;
    this.bytes[door] += size;
  }
}
