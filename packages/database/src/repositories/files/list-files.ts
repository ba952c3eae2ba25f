import type { FileSort } from '@carcosa/contracts';
import { fileJson } from '../file-json.ts';
import type { Queryable } from '../queryable.ts';
import { type Bind, type FileFilter, filterConditions, instantOf } from './file-filter.ts';

export interface FileListing extends FileFilter {
  sort: FileSort;
  /** Most files, 1 to 1,000. */
  limit: number;
  /** Where the page before ended: only what stands behind it is listed. */
  after?: FilePosition | undefined;
}

/** A place in an order of files: the value of the sort column (instants in milliseconds since the epoch) and the file's id. */
export interface FilePosition {
  value: string | number;
  id: string;
}

export interface FileListPage {
  /** Each file as JSON text. */
  items: string[];
  hasMore: boolean;
}

interface SortColumn {
  name: string;
  /** The placeholder with the type that the column has. */
  typed: (placeholder: string) => string;
}

const SORT_COLUMNS: Record<string, SortColumn> = {
  createdAt: { name: 'created_at', typed: instantOf },
  updatedAt: { name: 'updated_at', typed: instantOf },
  name: { name: 'name', typed: (placeholder) => `${placeholder}::text` },
  size: { name: 'size', typed: (placeholder) => `${placeholder}::bigint` },
  path: { name: 'path', typed: (placeholder) => `${placeholder}::text` },
};

/**
 * One page of a list of files, by keyset on the sort column and the id: page 10,000 costs what the first costs. Rows come as
 * JSON text that nobody here parses; one more than asked for says whether there are more.
 */
export async function listFiles(db: Queryable, listing: FileListing, publicUrl: string): Promise<FileListPage> {
  const { text, values } = listFilesQuery(listing, publicUrl);
  const name = preparedName(listing, text);
  const query = name === undefined ? { text, values } : { name, text, values };
  const { rows } = await db.query<{ json: string }>(query);
  const items = rows.map((row) => row.json);
  const hasMore = items.length > listing.limit;
  return { items: hasMore ? items.slice(0, listing.limit) : items, hasMore };
}

export function listFilesQuery(listing: FileListing, publicUrl: string): { text: string; values: unknown[] } {
  const values: unknown[] = [publicUrl];
  const bind: Bind = (value) => `$${values.push(value)}`;
  const descending = listing.sort.startsWith('-');
  const column = SORT_COLUMNS[listing.sort.replace('-', '')] as SortColumn;
  const conditions = filterConditions(listing, bind);
  if (listing.after) {
    const { value, id } = listing.after;
    conditions.push(`(f.${column.name}, f.id) ${descending ? '<' : '>'} (${column.typed(bind(value))}, ${bind(id)})`);
  }
  const direction = descending ? ' desc' : '';
  // The limit is written out: with a placeholder a prepared plan would be made for a tenth of the table, and never kept.
  const text = `select ${fileJson('f', '$1')}::text as json from files f where ${conditions.join(' and ')}
    order by f.${column.name}${direction}, f.id${direction} limit ${listing.limit + 1}`;
  return { text, values };
}

/** Page sizes that statements are prepared for: each is one more statement on every connection that sees it. */
const PREPARED_LIMITS = new Set([20, 50, 100, 1000]);
const preparedNames = new Map<string, string>();

/**
 * A name for statements whose best plan does not depend on the values, which saves planning them each time: half of the work
 * of a small page. Filters are planned with their values: the right index for a rare tag is the wrong one for a common tag.
 */
function preparedName(listing: FileListing, text: string): string | undefined {
  const { sort, limit, folder, recursive, ...rest } = listing;
  const isFiltered = [
    rest.type,
    rest.minSize,
    rest.maxSize,
    rest.createdAfter,
    rest.createdBefore,
    rest.tag,
    rest.tenantId,
    rest.pathPrefix || undefined,
    rest.uploader,
    rest.nameContains,
    rest.facts,
  ].some((value) => value !== undefined);
  const isIndexedOrder = folder === undefined || (!recursive && sort.endsWith('createdAt'));
  if (isFiltered || !isIndexedOrder || listing.status === 'trashed' || !PREPARED_LIMITS.has(limit)) return undefined;
  const name = preparedNames.get(text) ?? `list_files_${preparedNames.size + 1}`;
  preparedNames.set(text, name);
  return name;
}
