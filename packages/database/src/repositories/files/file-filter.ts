import type { ProjectId } from '@carcosa/kernel';
import { type FactsFilter, factsConditions } from '../media/facts-filter.ts';
import { prefixEnd } from './path-range.ts';

/** Which files of a project; every condition that is given must hold. */
export interface FileFilter {
  projectId: ProjectId;
  status: 'live' | 'trashed';
  /** Without a "/" at its end; "" is the top. */
  folder?: string | undefined;
  /** With `folder`: what is below it too. */
  recursive?: boolean;
  /** `image/png`, or a family: `image/*`. */
  type?: string | undefined;
  /** Bytes, both inclusive. */
  minSize?: number | undefined;
  maxSize?: number | undefined;
  /** Milliseconds since the epoch: from `createdAfter` on, and before `createdBefore`. */
  createdAfter?: number | undefined;
  createdBefore?: number | undefined;
  tag?: string | undefined;
  tenantId?: string | undefined;
  /** Only below this folder, whatever `folder` says. */
  pathPrefix?: string | undefined;
  uploader?: string | undefined;
  /** Part of the name, in any case. */
  nameContains?: string | undefined;
  /** What is known of the content. */
  facts?: FactsFilter | undefined;
}

/** Takes a value, gives its placeholder. */
export type Bind = (value: unknown) => string;

/** The conditions of a filter on the alias `f`, for a `where`. */
export function filterConditions(filter: FileFilter, bind: Bind): string[] {
  const { projectId, status } = filter;
  return [
    `f.project_id = ${bind(projectId)}`,
    // Written as the partial indexes have it: with a placeholder the planner could not know that they apply.
    status === 'live' ? 'f.deleted_at is null' : 'f.deleted_at is not null',
    ...folderConditions(filter, bind),
    ...typeConditions(filter, bind),
    ...rangeConditions(filter, bind),
    ...wordConditions(filter, bind),
    ...factsConditions(filter, bind),
  ];
}

/** PostgreSQL's instant of milliseconds since the epoch. Unlike text it takes any year, so nothing needs checking before. */
export const instantOf = (placeholder: string): string => `to_timestamp(${placeholder}::float8 / 1000)`;

function folderConditions({ folder, recursive }: FileFilter, bind: Bind): string[] {
  if (folder === undefined) return [];
  if (!recursive) return [`f.folder = ${bind(folder)}`];
  if (folder === '') return [];
  return [`f.path >= ${bind(`${folder}/`)}`, `f.path < ${bind(prefixEnd(`${folder}/`))}`];
}

function typeConditions({ type }: FileFilter, bind: Bind): string[] {
  if (type === undefined) return [];
  const wanted = type.toLowerCase();
  if (!wanted.endsWith('/*')) return [`f.content_type = ${bind(wanted)}`];
  const family = wanted.slice(0, -1);
  return [`f.content_type >= ${bind(family)}`, `f.content_type < ${bind(prefixEnd(family))}`];
}

function rangeConditions({ minSize, maxSize, createdAfter, createdBefore }: FileFilter, bind: Bind): string[] {
  return [
    ...(minSize === undefined ? [] : [`f.size >= ${bind(minSize)}`]),
    ...(maxSize === undefined ? [] : [`f.size <= ${bind(maxSize)}`]),
    ...(createdAfter === undefined ? [] : [`f.created_at >= ${instantOf(bind(createdAfter))}`]),
    ...(createdBefore === undefined ? [] : [`f.created_at < ${instantOf(bind(createdBefore))}`]),
  ];
}

function wordConditions({ tag, tenantId, pathPrefix, uploader, nameContains }: FileFilter, bind: Bind): string[] {
  return [
    ...(tenantId === undefined ? [] : [`f.tenant_id = ${bind(tenantId)}`]),
    ...(pathPrefix ? [`f.path >= ${bind(`${pathPrefix}/`)}`, `f.path < ${bind(prefixEnd(`${pathPrefix}/`))}`] : []),
    ...(tag === undefined ? [] : [`f.tags @> ${bind([tag])}::text[]`]),
    ...(uploader === undefined ? [] : [`f.uploaded_by = ${bind(uploader)}`]),
    // Both sides are lowered by the database, in its own locale, as the index on this expression was.
    ...(nameContains === undefined
      ? []
      : [
          `lower(f.name collate "default") like '%' || lower(${bind(escapeLike(nameContains))} collate "default") || '%'`,
        ]),
  ];
}

/** So that `%` and `_` of a question mean themselves. */
function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&');
}
