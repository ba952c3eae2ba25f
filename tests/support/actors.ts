import type { Permission } from '@carcosa/contracts';
import type { ApiKeyActor } from '@carcosa/domain';
import type { IdGenerator, ProjectId } from '@carcosa/kernel';

/** Somebody with a key of that project, as the edge would have made of a request. */
export function apiKeyActor(
  ids: IdGenerator,
  projectId: ProjectId,
  permissions: readonly Permission[],
  restrictions: ApiKeyActor['restrictions'] = {},
): ApiKeyActor {
  const id = ids.next('apiKey');
  return { type: 'api-key', id, projectId, permissions: new Set(permissions), restrictions, limitFactor: 1 };
}
