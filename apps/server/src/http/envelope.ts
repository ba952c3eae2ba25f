import { type Clock, toIsoString } from '@carcosa/kernel';

export interface Success<Data> {
  data: Data;
  success: true;
  timestamp: string;
}

/** Wraps what a route answers; lists pass a `Page` as their data. */
export function success<Data>(clock: Clock, data: Data): Success<Data> {
  return { data, success: true, timestamp: toIsoString(clock.now()) };
}

/** As {@link success} for data that is JSON text already, such as PostgreSQL writes it. Send it with {@link JSON_TYPE}. */
export function successText(clock: Clock, json: string): string {
  return `{"data":${json},"success":true,"timestamp":"${toIsoString(clock.now())}"}`;
}

export const JSON_TYPE = 'application/json; charset=utf-8';
