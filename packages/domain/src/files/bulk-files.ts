import type { BulkFilesBody, BulkResult, Permission } from '@carcosa/contracts';
import { CarcosaError } from '@carcosa/kernel';
import type { FileChanges, FileOutcome, FileScope } from './file-changes.ts';

/** What an actor must be allowed for a bulk action: what the same for one file asks. */
export function bulkPermission(action: BulkFilesBody['action']): Permission {
  return action === 'delete' || action === 'purge' ? 'files:delete' : 'files:write';
}

export async function bulkFiles(changes: FileChanges, scope: FileScope, body: BulkFilesBody): Promise<BulkResult> {
  const outcomes = await outcomesOf(changes, scope, body);
  const results = body.items.map(({ id }, position) => {
    const outcome = outcomes[position] ?? new CarcosaError('internal_error');
    if (outcome instanceof CarcosaError)
      return { id, ok: false, error: { error: outcome.code, message: outcome.message } };
    // What was purged is no file any more.
    return body.action === 'purge' ? { id, ok: true } : { id, ok: true, file: outcome };
  });
  return { results };
}

function outcomesOf(changes: FileChanges, scope: FileScope, body: BulkFilesBody): Promise<FileOutcome[]> {
  switch (body.action) {
    case 'delete':
      return changes.trash(scope, body.items);
    case 'purge':
      return changes.purge(scope, body.items);
    case 'restore':
      return changes.change(scope, 'trashed', body.items);
    case 'move':
    case 'update':
      return changes.change(scope, 'live', body.items);
    case 'copy':
      return changes.copy(scope, body.items);
  }
}
