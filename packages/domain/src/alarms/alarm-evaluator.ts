import type { AlarmNews, JobData } from '@carcosa/contracts';
import { alarmKind } from '@carcosa/contracts';
import {
  type AlarmRow,
  type AlarmStateRow,
  administratorEmails,
  findAlarm,
  listAlarmStates,
  listEnabledAlarms,
  type Queryable,
  replaceAlarmStates,
} from '@carcosa/database';
import { type Clock, type IdGenerator, type Logger, toIsoString } from '@carcosa/kernel';
import { SYSTEM } from '../access/actor.ts';
import { record } from '../audit/record.ts';
import type { AlarmMeasures } from './alarm-measures.ts';
import { isBad, nextPhase, type Reading } from './alarm-phase.ts';

/** Alarms that are read at a time. */
const BATCH = 100;

export interface AlarmEvaluatorParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  ids: IdGenerator;
  logger: Logger;
  measures: Pick<AlarmMeasures, 'measure'>;
  /** Hands news to one address later, if the transaction commits. */
  tellLater(tx: Queryable, data: JobData<'tell-alarm'>): Promise<void>;
}

type Subjects = AlarmNews['fired'];

/** Measures what alarms watch, and makes news of what has become bad or well: once each, in the transaction that notes it. */
export class AlarmEvaluator {
  readonly #parts: AlarmEvaluatorParts;

  constructor(parts: AlarmEvaluatorParts) {
    this.#parts = parts;
  }

  /** One round over all alarms that are switched on. What cannot be measured stays as it is until the next round. */
  async evaluate({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    for (let after = ''; ; ) {
      const alarms = await listEnabledAlarms(this.#parts.db, after, BATCH);
      const states = await listAlarmStates(
        this.#parts.db,
        alarms.map(({ id }) => id),
      );
      for (const alarm of alarms) {
        signal?.throwIfAborted();
        await this.#evaluate(
          alarm,
          states.some(({ alarmId }) => alarmId === alarm.id),
        );
      }
      const last = alarms.at(-1);
      if (!last || alarms.length < BATCH) return;
      after = last.id;
    }
  }

  async #evaluate(alarm: AlarmRow, hasStates: boolean): Promise<void> {
    try {
      const readings = await this.#parts.measures.measure(alarm);
      // Nearly always: nothing is bad, nothing was, and nothing is written.
      if (!hasStates && !readings.some(({ value }) => isBad(alarm, value))) return;
      await this.#parts.transaction((tx) => this.#note(tx, alarm, readings));
    } catch (error) {
      this.#parts.logger.warn({ err: error, alarm: alarm.id, kind: alarm.kind }, 'an alarm could not be evaluated');
    }
  }

  async #note(tx: Queryable, { id }: AlarmRow, readings: readonly Reading[]): Promise<void> {
    const alarm = await findAlarm(tx, id, true);
    if (!alarm?.enabled) return;
    const now = new Date(this.#parts.clock.now());
    const before = new Map((await listAlarmStates(tx, [id])).map((state) => [state.subject, state]));
    const measured = new Map(readings.map((reading) => [reading.subject, reading]));
    const states: AlarmStateRow[] = [];
    const news: Record<'fired' | 'resolved', Subjects> = { fired: [], resolved: [] };
    for (const subject of new Set([...before.keys(), ...measured.keys()])) {
      const [present = null, reading] = [before.get(subject), measured.get(subject)];
      const next = nextPhase(alarm, present, reading?.value ?? null, now);
      const label = reading?.label ?? present?.label ?? subject;
      const value = reading?.value ?? present?.value ?? 0;
      if (next.phase) states.push({ alarmId: id, subject, label, value, ...next.phase });
      const since = next.phase?.firedAt ?? present?.firedAt ?? now;
      if (next.news) news[next.news].push({ subject, label, value, since: toIsoString(since.getTime()) });
    }
    await replaceAlarmStates(tx, id, states);
    if (news.fired.length > 0) await this.#tell(tx, alarm, newsOf(alarm, { fired: news.fired }));
    if (news.resolved.length > 0) await this.#tell(tx, alarm, newsOf(alarm, { resolved: news.resolved }));
  }

  async #tell(tx: Queryable, alarm: AlarmRow, news: AlarmNews): Promise<void> {
    const { clock, ids, tellLater } = this.#parts;
    const { id, organizationId } = alarm;
    await record(tx, clock, SYSTEM, {
      action: news.fired.length > 0 ? 'alarm.fire' : 'alarm.resolve',
      resource: { type: 'alarm', id },
      place: { organizationId },
      after: news,
    });
    const message = { id: ids.next('event'), at: toIsoString(clock.now()), news };
    for (const to of await targetsOf(tx, alarm)) await tellLater(tx, { ...message, to });
  }
}

/** Everybody and everything that is told of an alarm, each once. */
export async function targetsOf(db: Queryable, alarm: AlarmRow): Promise<JobData<'tell-alarm'>['to'][]> {
  const { toAdministrators, organizationId, emails, webhookUrl, chatUrl } = alarm;
  const administrators = toAdministrators ? await administratorEmails(db, organizationId) : [];
  return [
    ...[...new Set([...emails, ...administrators])].map((address) => ({ type: 'email' as const, address })),
    ...(webhookUrl === null ? [] : [{ type: 'webhook' as const }]),
    ...(chatUrl === null ? [] : [{ type: 'chat' as const }]),
  ];
}

/** What is told of an alarm. */
export function newsOf(
  { id, organizationId, kind, name, threshold }: AlarmRow,
  change: { fired?: Subjects; resolved?: Subjects; isTest?: boolean },
): AlarmNews {
  const { fired = [], resolved = [], isTest = false } = change;
  return { alarmId: id, organizationId, kind, name, threshold, unit: alarmKind(kind).unit, fired, resolved, isTest };
}
