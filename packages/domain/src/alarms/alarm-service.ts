import {
  type Alarm,
  type AlarmTest,
  alarmKind,
  type CreateAlarmBody,
  type ListAlarmsQuery,
  type Page,
  type SavedAlarm,
  type UpdateAlarmBody,
} from '@carcosa/contracts';
import {
  type AlarmRow,
  type AlarmStateRow,
  countAlarms,
  deleteAlarm,
  findAlarm,
  listAlarmStates,
  listAlarms,
  putAlarm,
  type Queryable,
  replaceAlarmStates,
} from '@carcosa/database';
import {
  CarcosaError,
  type Clock,
  type IdGenerator,
  isId,
  type OrganizationId,
  type Random,
  toIsoString,
} from '@carcosa/kernel';
import type { AddressGuard } from '@carcosa/kernel/node';
import { authorizeOrganization } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';
import { type AuditEvent, changedFields } from '../audit/audit-entry.ts';
import { record } from '../audit/record.ts';
import { assertServerAdministrator, isServerAdministrator } from '../limits/server-administrator.ts';
import { afterId, pageOf } from '../lists.ts';
import type { Sealer } from '../secrets/sealer.ts';
import { newWebhookSecret } from '../webhooks/signature.ts';
import { newsOf, targetsOf } from './alarm-evaluator.ts';
import { alarmSecretOwner, chatUrlOwner } from './alarm-secrets.ts';
import type { AlarmTeller } from './alarm-teller.ts';

/** Most alarms of the server, and of one organization: each is measured every minute. */
const MAX_ALARMS = 50;

export interface AlarmServiceParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  ids: IdGenerator;
  clock: Clock;
  random: Random;
  sealer: Sealer;
  guard: AddressGuard;
  teller: AlarmTeller;
}

/**
 * The alarms of the server, for its administrators, and those of organizations, for their owners and admins. Every method throws `not_found`
 * for what the actor may not know of, and `forbidden` for alarms of the server to everybody else.
 */
export class AlarmService {
  readonly #parts: AlarmServiceParts;

  constructor(parts: AlarmServiceParts) {
    this.#parts = parts;
  }

  /** @throws CarcosaError `invalid_request` for a kind that is not for that place, a threshold outside of its range, an address in a
   *   private network; `conflict` when there are as many as there may be */
  async create(actor: Actor, input: CreateAlarmBody): Promise<SavedAlarm> {
    const organizationId = placeOf(actor, input.organizationId);
    const { kind, webhookUrl, chatUrl, organizationId: _, ...rest } = input;
    const { places, threshold, forMinutes } = alarmKind(kind);
    const place = organizationId === null ? 'server' : 'organization';
    if (!places.includes(place))
      throw new CarcosaError('invalid_request', {
        message: `kind: "${kind}" is watched for ${places.map((each) => (each === 'server' ? 'the server, without organizationId' : 'an organization: say which, organizationId')).join(' or ')}.`,
      });
    const id = this.#parts.ids.next('alarm');
    const now = new Date(this.#parts.clock.now());
    const blank: AlarmRow = {
      ...{
        id,
        organizationId,
        kind,
        name: kind,
        threshold: threshold.default,
        forMinutes,
        enabled: true,
        toAdministrators: true,
      },
      ...{
        emails: [],
        webhookUrl: null,
        webhookSecret: null,
        chatUrl: null,
        chatHost: null,
        createdAt: now,
        updatedAt: now,
      },
    };
    const { row, secret } = await this.#changed(blank, { ...rest, webhookUrl, chatUrl });
    await this.#parts.transaction(async (tx) => {
      if ((await countAlarms(tx, organizationId)) >= MAX_ALARMS)
        throw new CarcosaError('conflict', { message: `There may be ${MAX_ALARMS} alarms; remove one first.` });
      await putAlarm(tx, row);
      await this.#record(tx, actor, row, { action: 'alarm.create', after: settable(row) });
    });
    return { ...viewOf(row, []), webhookSecret: secret };
  }

  async list(actor: Actor, query: ListAlarmsQuery): Promise<Page<Alarm>> {
    const organizationId = placeOf(actor, query.organizationId);
    const after = afterId('alarms', query.cursor);
    const rows = await listAlarms(this.#parts.db, { organizationId, limit: query.limit, after });
    const states = await this.#states(rows);
    return pageOf('alarms', rows, query.limit, (row) => viewOf(row, states));
  }

  async get(actor: Actor, id: string): Promise<Alarm> {
    const row = await this.#find(this.#parts.db, actor, id);
    return viewOf(row, await this.#states([row]));
  }

  /** One that is switched off forgets what it found. @throws CarcosaError `invalid_request` as {@link create} does */
  async update(actor: Actor, id: string, change: UpdateAlarmBody): Promise<SavedAlarm> {
    return await this.#parts.transaction(async (tx) => {
      const before = await this.#find(tx, actor, id, true);
      const { row, secret } = await this.#changed(before, change);
      await putAlarm(tx, row);
      if (!row.enabled) await replaceAlarmStates(tx, row.id, []);
      const changed = changedFields(settable(before), settable(row));
      await this.#record(tx, actor, row, { action: 'alarm.update', ...changed });
      return { ...viewOf(row, await listAlarmStates(tx, [row.id])), webhookSecret: secret };
    });
  }

  async remove(actor: Actor, id: string): Promise<void> {
    await this.#parts.transaction(async (tx) => {
      const row = await this.#find(tx, actor, id, true);
      await this.#record(tx, actor, row, { action: 'alarm.delete', before: settable(row) });
      await deleteAlarm(tx, row.id);
    });
  }

  /** Tells everybody who would be told that this is a test, and says what became of it. */
  async test(actor: Actor, id: string): Promise<AlarmTest> {
    const { db, clock, ids, teller } = this.#parts;
    const row = await this.#find(db, actor, id);
    const message = { id: ids.next('event'), at: toIsoString(clock.now()), news: newsOf(row, { isTest: true }) };
    const targets = await targetsOf(db, row);
    const results = await Promise.all(
      targets.map(async (to) => {
        const name = to.type === 'email' ? to.address : to.type === 'chat' ? row.chatHost : hostOf(row.webhookUrl);
        const error = await teller.hand(row, { ...message, to }).then(
          () => null,
          (reason: Error) => reason.message,
        );
        return { target: to.type, to: name ?? '', error };
      }),
    );
    const after = { results: results.map(({ target, error }) => ({ target, taken: error === null })) };
    await this.#record(db, actor, row, { action: 'alarm.test', after });
    return { results };
  }

  /** The alarm, for somebody who may manage it. */
  async #find(db: Queryable, actor: Actor, id: string, lock = false): Promise<AlarmRow> {
    const row = isId('alarm', id) ? await findAlarm(db, id, lock) : null;
    if (!row) throw new CarcosaError('not_found');
    if (row.organizationId !== null) authorizeOrganization(actor, 'manage', row.organizationId);
    // Whether the server has such an alarm is not for everybody to know.
    else if (!isServerAdministrator(actor)) throw new CarcosaError('not_found');
    return row;
  }

  /** The alarm as it would be, with what is secret sealed. */
  async #changed(before: AlarmRow, change: UpdateAlarmBody): Promise<{ row: AlarmRow; secret: string | null }> {
    const { sealer, random, clock } = this.#parts;
    const { webhookUrl, chatUrl, ...plain } = withoutUndefined(change);
    const row: AlarmRow = { ...before, ...plain, updatedAt: new Date(clock.now()) };
    assertThreshold(row);
    if (webhookUrl) this.#assertReachable(webhookUrl);
    if (chatUrl) this.#assertReachable(chatUrl);
    if (chatUrl !== undefined) {
      row.chatUrl = chatUrl === null ? null : await sealer.seal(chatUrl, chatUrlOwner(row.id));
      row.chatHost = hostOf(chatUrl);
    }
    if (webhookUrl === undefined) return { row, secret: null };
    // Whoever gets the requests from now on must not know what signed the ones elsewhere.
    const secret = webhookUrl === null || webhookUrl === before.webhookUrl ? null : newWebhookSecret(random);
    row.webhookUrl = webhookUrl;
    if (webhookUrl === null) row.webhookSecret = null;
    else if (secret !== null) row.webhookSecret = await sealer.seal(secret, alarmSecretOwner(row.id));
    return { row, secret };
  }

  #assertReachable(url: string): void {
    const refusal = this.#parts.guard.refusalOf(new URL(url).hostname);
    if (refusal) throw new CarcosaError('invalid_request', { message: refusal.message });
  }

  #states(rows: readonly AlarmRow[]): Promise<AlarmStateRow[]> {
    return listAlarmStates(
      this.#parts.db,
      rows.map(({ id }) => id),
    );
  }

  #record(tx: Queryable, actor: Actor, { id, organizationId }: AlarmRow, event: AuditEvent): Promise<void> {
    const about = { resource: { type: 'alarm', id }, place: { organizationId } } as const;
    return record(tx, this.#parts.clock, actor, { ...event, ...about });
  }
}

function placeOf(actor: Actor, organizationId: string | undefined): OrganizationId | null {
  if (organizationId === undefined) {
    assertServerAdministrator(actor);
    return null;
  }
  if (!isId('organization', organizationId)) throw new CarcosaError('not_found');
  authorizeOrganization(actor, 'manage', organizationId);
  return organizationId;
}

function assertThreshold({ kind, threshold }: AlarmRow): void {
  const { min, max } = alarmKind(kind).threshold;
  if (threshold >= min && threshold <= max) return;
  throw new CarcosaError('invalid_request', { message: `threshold: of "${kind}" it is from ${min} to ${max}.` });
}

const hostOf = (url: string | null): string | null => url && new URL(url).host;

function withoutUndefined<Fields extends object>(fields: Fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Fields]?: Exclude<Fields[Name], undefined>;
  };
}

/** Of addresses only where they lead: the rest may be a secret of the receiver's. */
export const settable = (row: AlarmRow) => {
  const { kind, name, threshold, forMinutes, enabled, toAdministrators, emails, chatHost } = row;
  const fields = { kind, name, threshold, forMinutes, enabled, toAdministrators, emails };
  return { ...fields, webhookHost: hostOf(row.webhookUrl), chatHost };
};

function viewOf(row: AlarmRow, states: readonly AlarmStateRow[]): Alarm {
  const { webhookSecret: _, chatUrl: __, createdAt, updatedAt, ...fields } = row;
  const firing = states.flatMap(({ alarmId, firedAt, subject, label, value }) =>
    alarmId === row.id && firedAt ? [{ subject, label, since: toIsoString(firedAt.getTime()), value }] : [],
  );
  return {
    ...fields,
    ...{ state: firing.length > 0 ? 'firing' : 'ok', firing },
    createdAt: toIsoString(createdAt.getTime()),
    updatedAt: toIsoString(updatedAt.getTime()),
  };
}
