import type {
  ApiKey,
  CreateApiKeyBody,
  CreatedApiKey,
  KeyRestrictions,
  ListQuery,
  Page,
  Permission,
  RotateApiKeyBody,
  UpdateApiKeyBody,
} from '@carcosa/contracts';
import {
  type ApiKeyView,
  findApiKeyById,
  findTenant,
  listApiKeys,
  type Queryable,
  revokeApiKey,
  updateApiKey,
} from '@carcosa/database';
import { type ApiKeyId, CarcosaError, type Clock, isId, type ProjectId, toIsoString } from '@carcosa/kernel';
import { type Access, projectOf } from '../access/access.ts';
import { type Actor, actorId } from '../access/actor.ts';
import { type AuditEvent, changedFields } from '../audit/audit-entry.ts';
import { record } from '../audit/record.ts';
import { afterId, pageOf } from '../lists.ts';
import type { ApiKeyService, NewApiKey } from './service.ts';
import type { SigningKeys } from './signing-keys.ts';
import { uploadthingToken } from './uploadthing-token.ts';

export interface ApiKeyManagerParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  access: Access;
  apiKeys: ApiKeyService;
  signingKeys: SigningKeys;
  /** Without a "/" at its end. */
  publicUrl: string;
  /** Told of a key that was changed here, before the change is answered. */
  onChange: (key: Pick<ApiKeyView, 'id' | 'publicId'>) => void;
}

type NewKey = Omit<CreateApiKeyBody, 'signs'> & Partial<Pick<CreateApiKeyBody, 'signs'>>;

/**
 * What owners do with the keys of a project. Nobody can make a key that may more than its maker. Every method throws `not_found` for
 * a project or key that the actor may not know of.
 */
export class ApiKeyManager {
  readonly #parts: ApiKeyManagerParts;

  constructor(parts: ApiKeyManagerParts) {
    this.#parts = parts;
  }

  /** Makes a key and shows it, this one time. @throws CarcosaError `forbidden` for permissions that the maker has not */
  async create(actor: Actor, { signs = false, ...input }: NewKey): Promise<CreatedApiKey> {
    const projectId = projectOf(actor, input.projectId);
    await this.#parts.access.authorizeWhole(actor, 'api-keys:write', projectId);
    await this.#assertMayGive(actor, projectId, input.permissions);
    await this.#assertTenant(projectId, input.restrictions);
    const expiresAt = this.#future(input.expiresAt);
    const { name: label, permissions } = input;
    const restrictions = inherited(actor, input.restrictions);
    const made = { projectId, label, permissions, restrictions, expiresAt, createdBy: actorId(actor) };
    const created = await this.#parts.transaction(async (tx) => {
      const view = await this.#make(tx, made, signs);
      await this.#record(tx, actor, view, { action: 'api-key.create', after: settable(view) });
      return view;
    });
    if (signs) this.#parts.signingKeys.keysChanged();
    return created;
  }

  async list(actor: Actor, query: ListQuery & { projectId?: string | undefined }): Promise<Page<ApiKey>> {
    const projectId = projectOf(actor, query.projectId);
    await this.#parts.access.authorizeWhole(actor, 'api-keys:read', projectId);
    const after = afterId('api-keys', query.cursor);
    const rows = await listApiKeys(this.#parts.db, projectId, { limit: query.limit, after });
    return pageOf('api-keys', rows, query.limit, viewOf);
  }

  async get(actor: Actor, id: string): Promise<ApiKey> {
    return viewOf(await this.#find(actor, 'api-keys:read', id));
  }

  /** Changes a key in force. @throws CarcosaError `conflict` for one that has ended */
  async update(actor: Actor, id: string, change: UpdateApiKeyBody): Promise<ApiKey> {
    const key = await this.#find(actor, 'api-keys:write', id);
    // Also what it has already: a change must not be a way to keep what one could not give.
    await this.#assertMayGive(actor, key.projectId, change.permissions ?? key.permissions);
    await this.#assertTenant(key.projectId, change.restrictions ?? {});
    const { name: label, expiresAt, ...rest } = change;
    const restrictions = rest.restrictions && inherited(actor, rest.restrictions);
    const wanted = {
      ...rest,
      restrictions,
      label,
      expiresAt: expiresAt === undefined ? undefined : this.#future(expiresAt),
    };
    const row = await this.#parts.transaction(async (tx) => {
      const updated = await updateApiKey(tx, key.id, wanted);
      if (!updated) throw ended();
      const changed = changedFields(settable(viewOf(key)), settable(viewOf(updated)));
      await this.#record(tx, actor, key, { action: 'api-key.update', ...changed });
      return updated;
    });
    this.#parts.onChange(key);
    return viewOf(row);
  }

  /** Ends a key on all nodes. Ending it again changes nothing. */
  async revoke(actor: Actor, id: string): Promise<ApiKey> {
    const key = await this.#find(actor, 'api-keys:delete', id);
    const row = await this.#parts.transaction(async (tx) => {
      const revoked = await revokeApiKey(tx, key.id);
      if (revoked) await this.#record(tx, actor, key, { action: 'api-key.revoke' });
      return revoked;
    });
    this.#parts.onChange(key);
    return viewOf(row ?? key);
  }

  /** Makes a key that may the same; the old one works on for a while beside it. @throws CarcosaError `conflict` for one that has ended */
  async rotate(actor: Actor, id: string, { overlapSeconds }: RotateApiKeyBody): Promise<CreatedApiKey> {
    const key = await this.#find(actor, 'api-keys:write', id);
    await this.#assertMayGive(actor, key.projectId, key.permissions);
    const endsAt = this.#parts.clock.now() + overlapSeconds * 1000;
    const made = await this.#parts.transaction(async (tx) => {
      const held = await findApiKeyById(tx, key.id, true);
      if (!held || held.revokedAt || held.rotatedTo || this.#isOver(held)) throw ended();
      const { projectId, label, permissions, restrictions, limitFactor, expiresAt } = held;
      const next = { projectId, label, permissions, restrictions, limitFactor, expiresAt, createdBy: actorId(actor) };
      const successor = await this.#make(tx, next, held.signs);
      const nextId = successor.id as ApiKeyId;
      const lastsUntil = Math.min(endsAt, expiresAt?.getTime() ?? Number.POSITIVE_INFINITY);
      await updateApiKey(tx, held.id, { rotatedTo: nextId, expiresAt: new Date(lastsUntil) });
      await this.#record(tx, actor, key, { action: 'api-key.rotate', after: { rotatedTo: nextId, overlapSeconds } });
      return successor;
    });
    this.#parts.onChange(key);
    return made;
  }

  async #make(tx: Queryable, wanted: NewApiKey, signs: boolean): Promise<CreatedApiKey> {
    const { apiKeys, signingKeys, publicUrl } = this.#parts;
    const { id, token } = await apiKeys.create(wanted, tx);
    if (signs) await signingKeys.allow(tx, id, token);
    const view = viewOf(await findApiKeyById(tx, id));
    const uploadthing = signs ? uploadthingToken({ url: publicUrl, projectId: view.projectId, apiKey: token }) : null;
    return { ...view, key: token, uploadthingToken: uploadthing };
  }

  async #find(actor: Actor, permission: Permission, id: string): Promise<ApiKeyView> {
    const key = isId('apiKey', id) ? await findApiKeyById(this.#parts.db, id) : null;
    if (!key) throw new CarcosaError('not_found');
    await this.#parts.access.authorizeWhole(actor, permission, key.projectId);
    return key;
  }

  async #assertMayGive(actor: Actor, projectId: ProjectId, permissions: readonly Permission[]): Promise<void> {
    for (const permission of permissions) {
      const decision = await this.#parts.access.decide(actor, permission, projectId);
      if (decision.allowed) continue;
      throw new CarcosaError('forbidden', {
        message: `You cannot give the permission ${permission}, because you do not have it.`,
        details: { permission },
      });
    }
  }

  async #assertTenant(projectId: ProjectId, { tenantId }: KeyRestrictions): Promise<void> {
    if (tenantId === undefined) return;
    const tenant = isId('tenant', tenantId) ? await findTenant(this.#parts.db, tenantId) : null;
    if (tenant?.projectId === projectId) return;
    throw new CarcosaError('invalid_request', { message: 'restrictions.tenantId: the project has no such tenant.' });
  }

  #future(text: string | null): Date | null {
    if (text === null) return null;
    const at = new Date(text);
    if (at.getTime() > this.#parts.clock.now()) return at;
    throw new CarcosaError('invalid_request', { message: 'expiresAt: it lies in the past.' });
  }

  #record(
    tx: Queryable,
    actor: Actor,
    { id, projectId }: { id: string; projectId: string },
    event: AuditEvent,
  ): Promise<void> {
    const resource = { type: 'api-key', id } as const;
    return record(tx, this.#parts.clock, actor, { ...event, resource, place: { projectId } });
  }

  #isOver({ expiresAt }: ApiKeyView): boolean {
    return expiresAt !== null && expiresAt.getTime() <= this.#parts.clock.now();
  }
}

/**
 * A key that is confined to networks or origins makes none that is not: it passes its own on. (One confined to a tenant or folder makes
 * no keys at all.)
 */
function inherited(actor: Actor, wanted: KeyRestrictions): KeyRestrictions {
  if (actor.type !== 'api-key') return wanted;
  const { ipRanges, origins } = actor.restrictions;
  return { ...wanted, ...(ipRanges ? { ipRanges } : {}), ...(origins ? { origins } : {}) };
}

const ended = (): CarcosaError =>
  new CarcosaError('conflict', { message: 'This key has ended or was replaced already; make a new one.' });

const settable = ({ name, permissions, restrictions, expiresAt, signs }: ApiKey) => {
  return { name, permissions, restrictions, expiresAt, signs };
};

const instant = (date: Date | null): string | null => date && toIsoString(date.getTime());

function viewOf(row: ApiKeyView | null): ApiKey {
  if (!row) throw new CarcosaError('not_found');
  const { id, projectId, label: name, publicId, permissions, restrictions, createdBy, rotatedTo, signs } = row;
  return {
    ...{
      id: id as ApiKeyId,
      projectId,
      name,
      start: `sk_${publicId}`,
      permissions,
      restrictions,
      createdBy,
      rotatedTo,
      signs,
    },
    createdAt: toIsoString(row.createdAt.getTime()),
    lastUsedAt: instant(row.lastUsedAt),
    expiresAt: instant(row.expiresAt),
    revokedAt: instant(row.revokedAt),
  };
}
