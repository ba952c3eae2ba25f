import { alarmKind } from '@carcosa/contracts';
import type { AlarmRow, AlarmStateRow } from '@carcosa/database';

/** How far, in percent of the threshold, a value must come back before what is bad counts as well: it may tremble about the threshold. */
const MARGIN = 0.1;
const MINUTE_MS = 60_000;

type Rule = Pick<AlarmRow, 'kind' | 'threshold' | 'forMinutes'>;

/** What is measured of one subject. */
export interface Reading {
  subject: string;
  label: string;
  value: number;
}

/** The state of one subject; null: well. */
export type Phase = Pick<AlarmStateRow, 'phase' | 'since' | 'firedAt'> | null;

/** Whether a value lies on the bad side of the threshold. */
export function isBad({ kind, threshold }: Rule, value: number): boolean {
  return alarmKind(kind).worse === 'above' ? value >= threshold : value <= threshold;
}

/** Where a value counts as well again. */
export function clearThreshold({ kind, threshold }: Rule): number {
  return alarmKind(kind).worse === 'above' ? threshold * (1 - MARGIN) : threshold * (1 + MARGIN);
}

/** Whether a value is well again: not only no longer bad. */
export function isClear(rule: Rule, value: number): boolean {
  const limit = clearThreshold(rule);
  return alarmKind(rule.kind).worse === 'above' ? value < limit : value > limit;
}

/**
 * The next state of a subject, and whether that is news. It fires once when it has been bad for `forMinutes`, and resolves once when it
 * has been well for as long.
 * @param value null: nothing is measured of it any more, which is well
 */
export function nextPhase(
  rule: Rule,
  present: Phase,
  value: number | null,
  now: Date,
): { phase: Phase; news: 'fired' | 'resolved' | null } {
  const patience = rule.forMinutes * MINUTE_MS;
  const hasLasted = (since: Date): boolean => now.getTime() - since.getTime() >= patience;
  const fired = { phase: { phase: 'firing', since: now, firedAt: now }, news: 'fired' } as const;
  if (present === null || present.phase === 'pending') {
    if (value === null || !isBad(rule, value)) return { phase: null, news: null };
    const since = present?.since ?? now;
    if (hasLasted(since)) return fired;
    return { phase: { phase: 'pending', since, firedAt: null }, news: null };
  }
  const { firedAt } = present;
  if (value !== null && !isClear(rule, value)) {
    const since = present.phase === 'firing' ? present.since : now;
    return { phase: { phase: 'firing', since, firedAt }, news: null };
  }
  const since = present.phase === 'clearing' ? present.since : now;
  if (hasLasted(since)) return { phase: null, news: 'resolved' };
  return { phase: { phase: 'clearing', since, firedAt }, news: null };
}
