import { type AlarmKind, alarmKind } from '@carcosa/contracts';
import { type AlarmRow, lockServerSetting, putAlarm, type Queryable, saveServerSetting } from '@carcosa/database';
import type { Clock, IdGenerator, OrganizationId } from '@carcosa/kernel';
import { SYSTEM } from '../access/actor.ts';
import { record } from '../audit/record.ts';
import { settable } from './alarm-service.ts';

const SETTING = 'alarms';

const SERVER_DEFAULTS: Partial<Record<AlarmKind, string>> = {
  'error-rate': 'Requests fail',
  disk: 'The disk is nearly full',
  'dead-letters': 'Jobs have failed for good',
  bucket: 'The bucket does not answer',
};
const ORGANIZATION_DEFAULTS: Partial<Record<AlarmKind, string>> = {
  bucket: 'A bucket does not answer',
  webhook: 'A webhook fails',
  quota: 'A quota is nearly used up',
};

/** Gives a server that never had any the alarms that everybody wants: its own, and those of its first organization. Once, for ever. */
export async function seedAlarms(
  tx: Queryable,
  { ids, clock }: { ids: IdGenerator; clock: Clock },
  organizationId: OrganizationId,
): Promise<void> {
  const setting = (await lockServerSetting(tx, SETTING)) as { seeded?: boolean } | null;
  if (setting?.seeded) return;
  await saveServerSetting(tx, SETTING, { ...setting, seeded: true });
  const now = new Date(clock.now());
  for (const [place, kinds] of [
    [null, SERVER_DEFAULTS],
    [organizationId, ORGANIZATION_DEFAULTS],
  ] as const)
    for (const [kind, name] of Object.entries(kinds) as [AlarmKind, string][]) {
      const { threshold, forMinutes } = alarmKind(kind);
      const row: AlarmRow = {
        ...{ id: ids.next('alarm'), organizationId: place, kind, name, threshold: threshold.default, forMinutes },
        ...{ enabled: true, toAdministrators: true, emails: [], webhookUrl: null, webhookSecret: null },
        ...{ chatUrl: null, chatHost: null, createdAt: now, updatedAt: now },
      };
      await putAlarm(tx, row);
      await record(tx, clock, SYSTEM, {
        ...{ action: 'alarm.create', resource: { type: 'alarm', id: row.id }, place: { organizationId: place } },
        after: settable(row),
      });
    }
}
