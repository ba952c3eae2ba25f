import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { AUDIT_ACTIONS } from './audit.ts';
import { EVENT_OF_ACTION, EVENTS, EventFilter, eventsMatching } from './events.ts';

describe('the catalogue of events', () => {
  it('is what docs/events.md says', () => {
    const document = readFileSync(new URL('../../../docs/events.md', import.meta.url), 'utf8');
    const rows = [...document.matchAll(/^\| `([a-z_.]+)` \| (.+) \|$/gm)].map(([, type, text]) => [type, text]);
    expect(rows).toEqual(Object.entries(EVENTS));
  });

  it('has every event that an action becomes, and the actions exist', () => {
    const actions: readonly string[] = Object.values(AUDIT_ACTIONS).flat();
    for (const [action, type] of Object.entries(EVENT_OF_ACTION)) {
      expect(actions).toContain(action);
      expect(Object.keys(EVENTS)).toContain(type);
    }
  });

  it('is filtered by types, families and all', () => {
    expect(eventsMatching(['file.created', 'team.*'])).toEqual([
      'file.created',
      'team.created',
      'team.updated',
      'team.deleted',
    ]);
    expect(eventsMatching(['*'])).toEqual(Object.keys(EVENTS));
    for (const wrong of ['', 'file', 'file.', '.*', 'file.c*', 'nothing.*', 'toString', '**'])
      expect(EventFilter.safeParse(wrong).success).toBe(false);
  });
});
