import type { PresetId, ProjectId } from '@carcosa/kernel';
import { PROJECTS_CHANNEL } from './projects.ts';
import type { Queryable } from './queryable.ts';

export interface TransformPresetRow {
  id: PresetId;
  projectId: ProjectId;
  name: string;
  /** In their canonical form. */
  steps: string;
  createdAt: Date;
  updatedAt: Date;
}

const COLUMNS = `id, project_id as "projectId", name, steps, created_at as "createdAt", updated_at as "updatedAt"`;

/** Steps by their name: all of a project. */
export async function findPresetSteps(db: Queryable, projectId: ProjectId): Promise<Map<string, string>> {
  const { rows } = await db.query<{ name: string; steps: string }>({
    name: 'find-preset-steps',
    text: 'select name, steps from transform_presets where project_id = $1',
    values: [projectId],
  });
  return new Map(rows.map(({ name, steps }) => [name, steps]));
}

/** In the order of their ids, one more than `limit`. */
export async function listPresets(
  db: Queryable,
  { projectId, limit, after }: { projectId: ProjectId; limit: number; after: string | undefined },
): Promise<TransformPresetRow[]> {
  const { rows } = await db.query<TransformPresetRow>(
    `select ${COLUMNS} from transform_presets where project_id = $1 and ($2::text is null or id > $2) order by id limit $3`,
    [projectId, after ?? null, limit + 1],
  );
  return rows;
}

export async function findPreset(db: Queryable, id: PresetId): Promise<TransformPresetRow | null> {
  const { rows } = await db.query<TransformPresetRow>(`select ${COLUMNS} from transform_presets where id = $1`, [id]);
  return rows[0] ?? null;
}

/**
 * Makes one, unless the project has `most` of them already, and tells every node. Null where it has.
 * @throws a unique violation of `transform_presets_name`
 */
export async function insertPreset(
  tx: Queryable,
  preset: { id: PresetId; projectId: ProjectId; name: string; steps: string; now: Date; most: number },
): Promise<TransformPresetRow | null> {
  const { rows } = await tx.query<TransformPresetRow>(
    `insert into transform_presets (id, project_id, name, steps, created_at, updated_at)
     select $1, $2, $3, $4, $5, $5 where (select count(*) from transform_presets where project_id = $2) < $6
     returning ${COLUMNS}`,
    [preset.id, preset.projectId, preset.name, preset.steps, preset.now, preset.most],
  );
  return await announced(tx, rows[0]);
}

/** Changes what is given and tells every node. Null when there is none. @throws a unique violation */
export async function updatePreset(
  tx: Queryable,
  id: PresetId,
  change: { name: string | undefined; steps: string | undefined; now: Date },
): Promise<TransformPresetRow | null> {
  const { rows } = await tx.query<TransformPresetRow>(
    `update transform_presets set name = coalesce($2, name), steps = coalesce($3, steps), updated_at = $4
     where id = $1 returning ${COLUMNS}`,
    [id, change.name ?? null, change.steps ?? null, change.now],
  );
  return await announced(tx, rows[0]);
}

export async function deletePreset(tx: Queryable, id: PresetId): Promise<TransformPresetRow | null> {
  const { rows } = await tx.query<TransformPresetRow>(
    `delete from transform_presets where id = $1 returning ${COLUMNS}`,
    [id],
  );
  return await announced(tx, rows[0]);
}

/** What nodes remember of a project holds its presets. */
async function announced(tx: Queryable, row: TransformPresetRow | undefined): Promise<TransformPresetRow | null> {
  if (!row) return null;
  await tx.query('select pg_notify($1, $2)', [PROJECTS_CHANNEL, JSON.stringify({ projectId: row.projectId })]);
  return row;
}
