import type { AlarmId } from '@carcosa/kernel';

/** As `SEALED_COLUMNS` has them. */
export const alarmSecretOwner = (id: AlarmId) => ({ kind: 'alarm webhook', id });
export const chatUrlOwner = (id: AlarmId) => ({ kind: 'alarm chat', id });
