import type { ProjectId } from '@carcosa/kernel';
import type { Bind } from '../files/file-filter.ts';

/** What must be known of the contents of files; every condition that is given must hold. */
export interface FactsFilter {
  /** Seconds, both inclusive, as all ranges here. */
  minDuration?: number | undefined;
  maxDuration?: number | undefined;
  /** Pixels. */
  minWidth?: number | undefined;
  maxWidth?: number | undefined;
  minHeight?: number | undefined;
  maxHeight?: number | undefined;
  orientation?: string | undefined;
  /** A colour in CIE L*a*b*, and how far the dominant one may be from it. */
  color?: { lab: readonly [number, number, number]; distance: number } | undefined;
  /** 16 hexadecimal digits, and in how many of their 64 bits pictures may differ. */
  similar?: { hash: string; difference: number } | undefined;
  /** Words that a document has, all of them. */
  text?: string | undefined;
}

/** The conditions on the alias `f` of files, for a `where`. */
export function factsConditions(
  { projectId, facts }: { projectId: ProjectId; facts?: FactsFilter | undefined },
  bind: Bind,
): string[] {
  if (!facts) return [];
  const { orientation, color, similar, text } = facts;
  const range = (column: string, least: number | undefined, most: number | undefined): string[] => [
    ...(least === undefined ? [] : [`x.${column} >= ${bind(least)}`]),
    ...(most === undefined ? [] : [`x.${column} <= ${bind(most)}`]),
  ];
  const conditions = [
    ...range('duration', facts.minDuration, facts.maxDuration),
    ...range('width', facts.minWidth, facts.maxWidth),
    ...range('height', facts.minHeight, facts.maxHeight),
    ...(orientation === undefined ? [] : [`x.orientation = ${bind(orientation)}`]),
    ...(color ? [`${labDistance(color.lab, bind)} <= ${bind(color.distance)}`] : []),
    ...(similar
      ? [`bit_count(x.perceptual_hash # ('x' || ${bind(similar.hash)}::text)::bit(64)) <= ${bind(similar.difference)}`]
      : []),
    ...(text === undefined ? [] : [`to_tsvector('simple', x.content) @@ plainto_tsquery('simple', ${bind(text)})`]),
  ];
  if (conditions.length === 0) return [];
  const where = [`x.project_id = ${bind(projectId)}`, ...conditions].join(' and ');
  return [`f.object_id in (select x.object_id from file_facts x where ${where})`];
}

/** The distance of CIE 1976, which is about as large as it looks. */
function labDistance(lab: readonly [number, number, number], bind: Bind): string {
  const parts = (['l', 'a', 'b'] as const).map((name, at) => `power(x.color_${name} - ${bind(lab[at])}::float8, 2)`);
  return `sqrt(${parts.join(' + ')})`;
}
