import {
  type CreateTransformPresetBody,
  type ListTransformPresetsQuery,
  type Page,
  parseTransformSteps,
  printTransform,
  type TransformPreset,
  type UpdateTransformPresetBody,
} from '@carcosa/contracts';
import {
  deletePreset,
  findPreset,
  insertPreset,
  isUniqueViolation,
  listPresets,
  type Queryable,
  type TransformPresetRow,
  updatePreset,
} from '@carcosa/database';
import { CarcosaError, type Clock, type IdGenerator, isId, toIsoString } from '@carcosa/kernel';
import { type Access, projectOf } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';
import { type AuditEvent, changedFields } from '../audit/audit-entry.ts';
import { record } from '../audit/record.ts';
import { afterId, pageOf } from '../lists.ts';

export interface PresetServiceParts {
  readonly db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  readonly ids: IdGenerator;
  readonly clock: Clock;
  readonly access: Access;
  /** Told of a project whose presets were changed here, before the change is answered. */
  readonly onChange: (projectId: string) => void;
}

/** Presets of a project, at most: all of them are remembered with it. */
const MAX_PRESETS = 200;

/** Steps that a project keeps by a name. Every method throws `not_found` for what the actor may not know of. */
export class PresetService {
  readonly #parts: PresetServiceParts;

  constructor(parts: PresetServiceParts) {
    this.#parts = parts;
  }

  /** @throws CarcosaError `invalid_request` for steps that are not understood, `conflict` for a taken name, or too many */
  async create(actor: Actor, input: CreateTransformPresetBody): Promise<TransformPreset> {
    const { access, ids, clock, transaction, onChange } = this.#parts;
    const projectId = projectOf(actor, input.projectId);
    await access.authorizeWhole(actor, 'transforms:write', projectId);
    const preset = { projectId, name: input.name, steps: canonical(input.steps) };
    const row = await unlessTaken(input.name, () =>
      transaction(async (tx) => {
        const now = new Date(clock.now());
        const made = await insertPreset(tx, { id: ids.next('preset'), ...preset, now, most: MAX_PRESETS });
        if (!made) throw new CarcosaError('conflict', { message: `The project has ${MAX_PRESETS} presets already.` });
        await this.#record(tx, actor, made, { action: 'preset.create', after: settable(made) });
        return made;
      }),
    );
    onChange(projectId);
    return toPreset(row);
  }

  async list(
    actor: Actor,
    { projectId: wanted, limit, cursor }: ListTransformPresetsQuery,
  ): Promise<Page<TransformPreset>> {
    const projectId = projectOf(actor, wanted);
    await this.#parts.access.authorizeWhole(actor, 'transforms:read', projectId);
    const after = afterId('presets', cursor);
    return pageOf('presets', await listPresets(this.#parts.db, { projectId, limit, after }), limit, toPreset);
  }

  async get(actor: Actor, id: string): Promise<TransformPreset> {
    return toPreset(await this.#find(actor, 'transforms:read', id));
  }

  /** @throws as {@link create} */
  async update(actor: Actor, id: string, { name, steps }: UpdateTransformPresetBody): Promise<TransformPreset> {
    const { clock, transaction, onChange } = this.#parts;
    const before = await this.#find(actor, 'transforms:write', id);
    const change = { name, steps: steps === undefined ? undefined : canonical(steps), now: new Date(clock.now()) };
    const row = await unlessTaken(name ?? '', () =>
      transaction(async (tx) => {
        const after = await updatePreset(tx, before.id, change);
        if (!after) throw new CarcosaError('not_found');
        await this.#record(tx, actor, after, {
          action: 'preset.update',
          ...changedFields(settable(before), settable(after)),
        });
        return after;
      }),
    );
    onChange(row.projectId);
    return toPreset(row);
  }

  async remove(actor: Actor, id: string): Promise<void> {
    const row = await this.#find(actor, 'transforms:delete', id);
    await this.#parts.transaction(async (tx) => {
      if (!(await deletePreset(tx, row.id))) throw new CarcosaError('not_found');
      await this.#record(tx, actor, row, { action: 'preset.delete', before: settable(row) });
    });
    this.#parts.onChange(row.projectId);
  }

  async #find(
    actor: Actor,
    permission: 'transforms:read' | 'transforms:write' | 'transforms:delete',
    id: string,
  ): Promise<TransformPresetRow> {
    const row = isId('preset', id) ? await findPreset(this.#parts.db, id) : null;
    if (!row) throw new CarcosaError('not_found');
    await this.#parts.access.authorizeWhole(actor, permission, row.projectId);
    return row;
  }

  #record(tx: Queryable, actor: Actor, { id, projectId }: TransformPresetRow, event: AuditEvent): Promise<void> {
    return record(tx, this.#parts.clock, actor, { ...event, resource: { type: 'preset', id }, place: { projectId } });
  }
}

/** @throws CarcosaError `invalid_request`; presets that name presets could go round in circles */
function canonical(steps: string): string {
  const transform = parseTransformSteps(steps);
  if (transform.preset === undefined) return printTransform(transform);
  const fields = [{ field: 'steps', message: 'A preset does not name another one.' }];
  throw new CarcosaError('invalid_request', { message: fields[0]?.message ?? '', details: { fields } });
}

async function unlessTaken<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!isUniqueViolation(error, 'transform_presets_name')) throw error;
    throw new CarcosaError('conflict', { message: `The project has a preset "${name}" already; give another name.` });
  }
}

const settable = ({ name, steps }: TransformPresetRow) => ({ name, steps });

function toPreset({ createdAt, updatedAt, ...row }: TransformPresetRow): TransformPreset {
  return { ...row, createdAt: toIsoString(createdAt.getTime()), updatedAt: toIsoString(updatedAt.getTime()) };
}
