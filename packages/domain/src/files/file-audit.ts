import type { AuditAction, File } from '@carcosa/contracts';
import { type HeldFileState, type Queryable, recordAudit } from '@carcosa/database';
import type { Clock, ProjectId } from '@carcosa/kernel';
import type { Actor } from '../access/actor.ts';
import { auditEntry, changedFields } from '../audit/audit-entry.ts';

/** What was done to one file. */
export interface FileEvent {
  action: Extract<AuditAction, `file.${string}`>;
  file: { id: string; tenantId: string | null };
  before?: object;
  after?: object;
}

/** Records what was done to any number of files of a project, in one statement. */
export async function recordFiles(
  tx: Queryable,
  who: { actor: Actor; projectId: ProjectId; clock: Clock },
  events: readonly FileEvent[],
): Promise<void> {
  const { actor, projectId, clock } = who;
  await recordAudit(
    tx,
    events.map(({ action, file, before, after }) => {
      const place = { projectId, tenantId: file.tenantId };
      return auditEntry(actor, { action, resource: { type: 'file', id: file.id }, place, before, after }, clock);
    }),
  );
}

/** That a file was edited or moved, or came out of the trash: what became different of it. */
export function changeEvent(before: HeldFileState, file: File): FileEvent {
  const changed = changedFields(editable(before), editable(file));
  return before.isLive
    ? { action: 'file.update', file, ...changed }
    : {
        action: 'file.restore',
        file,
        before: { ...changed.before, path: before.path },
        after: { ...changed.after, path: file.path },
      };
}

export const trashEvent = (file: File): FileEvent => ({
  ...{ action: 'file.trash', file },
  ...{ before: { path: file.path }, after: { path: file.path, deletedAt: file.deletedAt } },
});

export const purgeEvent = (file: File): FileEvent => {
  const { path, version, size, contentType, sha256, visibility, deletedAt } = file;
  return { action: 'file.purge', file, before: { path, version, size, contentType, sha256, visibility, deletedAt } };
};

export const copyEvent = (file: File, copyOf: string): FileEvent => {
  const { path, size, contentType, visibility } = file;
  return { action: 'file.copy', file, after: { path, copyOf, size, contentType, visibility } };
};

export const restoreVersionEvent = (before: HeldFileState, file: File, restored: number): FileEvent => ({
  ...{ action: 'file.restore-version', file },
  ...{ before: { version: before.version }, after: { path: file.path, version: file.version, restored } },
});

const editable = ({ path, visibility, metadata, tags }: HeldFileState | File) => ({ path, visibility, metadata, tags });
