import type { PresetId, ProjectId } from '@carcosa/kernel';
import { pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import { projects } from './control.ts';
import { instant } from './types.ts';

/** Steps of transforms that a project keeps by a name. */
export const transformPresets = pgTable(
  'transform_presets',
  {
    id: text().$type<PresetId>().primaryKey(),
    projectId: text('project_id')
      .$type<ProjectId>()
      .notNull()
      .references(() => projects.id, { onDelete: 'cascade' }),
    name: text().notNull(),
    /** In their canonical form. */
    steps: text().notNull(),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
  },
  (table) => [uniqueIndex('transform_presets_name').on(table.projectId, table.name)],
);
