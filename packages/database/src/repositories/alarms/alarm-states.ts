import type { AlarmId } from '@carcosa/kernel';
import type { Queryable } from '../queryable.ts';

/** What is not as it should be, or was so until a moment ago. */
export interface AlarmStateRow {
  alarmId: AlarmId;
  /** The bucket, webhook, node or quota that it is about. */
  subject: string;
  label: string;
  phase: 'pending' | 'firing' | 'clearing';
  /** Since when it is in that phase. */
  since: Date;
  /** When it was told; null while it is pending. */
  firedAt: Date | null;
  /** What was measured last. */
  value: number;
}

export async function listAlarmStates(db: Queryable, ids: readonly AlarmId[]): Promise<AlarmStateRow[]> {
  const { rows } = await db.query<AlarmStateRow>(
    `select alarm_id as "alarmId", subject, label, phase, since, fired_at as "firedAt", value from alarm_states
     where alarm_id = any($1) order by alarm_id, subject`,
    [ids],
  );
  return rows;
}

/** Puts those in the place of all that the alarm had. Call it in a transaction that has locked the alarm. */
export async function replaceAlarmStates(tx: Queryable, id: AlarmId, states: readonly AlarmStateRow[]): Promise<void> {
  await tx.query('delete from alarm_states where alarm_id = $1', [id]);
  if (states.length === 0) return;
  await tx.query(
    `insert into alarm_states (alarm_id, subject, label, phase, since, fired_at, value)
     select $1, n.subject, n.label, n.phase, n.since, n."firedAt", n.value
     from jsonb_to_recordset($2::jsonb) as n(subject text, label text, phase text, since timestamptz, "firedAt" timestamptz, value float8)`,
    [id, JSON.stringify(states)],
  );
}
