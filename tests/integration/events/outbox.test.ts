import type { Event } from '@carcosa/contracts';
import { transaction } from '@carcosa/database';
import { record, SYSTEM } from '@carcosa/domain';
import { systemClock } from '@carcosa/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseKinds } from '../../support/database.ts';
import { ServingWorld } from '../serving/support.ts';

interface Page {
  items: Event[];
  nextCursor: string | null;
}

describe.each(databaseKinds())('events, on %s', (kind) => {
  let world: ServingWorld;
  let key: string;

  beforeAll(async () => {
    world = await ServingWorld.open({ kind });
    key = await keyWith({});
  });
  afterAll(() => world.close());

  async function keyWith({
    restrictions = {},
    permissions = ['admin'],
  }: {
    restrictions?: object;
    permissions?: string[];
  }) {
    const json = { projectId: world.node.projectId, name: 'test', permissions, restrictions };
    if (key === undefined) {
      const { carcosa, projectId } = world.node;
      return (await carcosa.apiKeys.create({ projectId, label: 'test', permissions: ['admin'], limitFactor: 1000 }))
        .token;
    }
    return (await call<{ key: string }>('POST', '/api-keys', { json })).key;
  }

  async function call<Data>(
    method: string,
    path: string,
    options: { json?: unknown; body?: string; key?: string } = {},
  ) {
    const response = await fetch(`${world.node.url}/api/v1${path}`, {
      method,
      headers: {
        'x-api-key': options.key ?? key,
        ...(options.json === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: options.json === undefined ? (options.body ?? null) : JSON.stringify(options.json),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === '' ? null : JSON.parse(text).data) as Data;
  }

  const eventsOf = async (query: string, as?: string): Promise<Event[]> =>
    (await call<Page>('GET', `/events?${query}`, as === undefined ? {} : { key: as })).items;

  it('tell of each change of a file, in its order, and what the file is afterwards', async () => {
    const file = await call<{ id: string; url: string }>('POST', '/files?path=a/b.txt', { body: 'one' });
    const replaced = await call<object>('POST', '/files?path=a/b.txt', { body: 'two' });
    await call('PATCH', `/files/${file.id}`, { json: { tags: ['x'] } });
    await call('PATCH', `/files/${file.id}`, { json: { path: 'c/d.txt' } });
    await call('DELETE', `/files/${file.id}`);
    await call('POST', `/files/${file.id}/restore`, { json: {} });
    await call('POST', '/files/bulk', { json: { action: 'purge', items: [{ id: file.id }] } });
    const events = (await eventsOf(`resourceId=${file.id}`)).reverse();
    expect(events.map(({ type }) => type)).toEqual([
      ...[
        'file.created',
        'file.replaced',
        'file.updated',
        'file.moved',
        'file.trashed',
        'file.restored',
        'file.purged',
      ],
    ]);
    expect(new Set(events.map(({ id }) => id)).size).toBe(7);
    for (const event of events)
      expect(event).toMatchObject({
        id: expect.stringMatching(/^evt_[0-9a-hjkmnp-tv-z]{26}$/),
        ...{ projectId: world.node.projectId, resourceId: file.id },
        data: { id: file.id, projectId: world.node.projectId, actor: { type: 'api-key' } },
      });
    expect(events[1]?.data).toMatchObject({ ...replaced, version: 2 });
    expect(events[3]?.data).toMatchObject({
      path: 'c/d.txt',
      tags: ['x'],
      url: file.url,
      previous: { path: 'a/b.txt' },
    });
    expect(events[6]?.data).not.toHaveProperty('path');
    expect(events[6]?.data).toMatchObject({ previous: { path: 'c/d.txt', version: 2 } });
    expect(await call('GET', `/events/${events[0]?.id}`)).toEqual(events[0]);
  });

  it('are not there of what was rolled back, or refused', async () => {
    const { database, projectFacts } = world.node.carcosa;
    const { organizationId } = await projectFacts.placeOf(world.node.projectId);
    const count = async () => (await database.pool.query('select count(*)::int as n from events')).rows[0]?.n;
    const before = await count();
    const event = {
      action: 'team.create',
      resource: { type: 'team', id: 'team_1' },
      place: { organizationId },
    } as const;
    const failing = transaction(database.pool, async (tx) => {
      await record(tx, systemClock, SYSTEM, event);
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    await record(database.pool, systemClock, SYSTEM, { ...event, result: 'forbidden' });
    expect(await count()).toBe(before);
    await record(database.pool, systemClock, SYSTEM, event);
    expect(await count()).toBe(before + 1);
    await expect(database.pool.query(`update events set type = 'x'`)).rejects.toThrow('append-only');
    // There is no webhook: nobody waits for them.
    expect((await database.pool.query('select * from event_queue')).rows).toEqual([]);
  });

  it('are told to nobody who may not see what they tell of', async () => {
    const tenant = await call<{ id: string }>('POST', '/tenants', { json: { name: 'One' } });
    const other = await call<{ id: string }>('POST', '/tenants', { json: { name: 'Other' } });
    for (const path of [
      `?path=in/a&tenantId=${tenant.id}`,
      `?path=in/b&tenantId=${other.id}`,
      '?path=in/c',
      '?path=out/d',
    ])
      await call('POST', `/files${path}`, { body: 'x' });
    const paths = async (as: string) => (await eventsOf('type=file.created', as)).map(({ data }) => data.path);
    expect(await paths(await keyWith({ restrictions: { tenantId: tenant.id } }))).toEqual(['in/a']);
    expect((await paths(await keyWith({ restrictions: { pathPrefix: 'in' } }))).sort()).toEqual([
      'in/a',
      'in/b',
      'in/c',
    ]);
    const reader = await keyWith({ permissions: ['files:read'] });
    const families = new Set((await eventsOf('limit=1000', reader)).map(({ type }) => type.split('.')[0]));
    expect(families).toEqual(new Set(['file']));
    await expect(eventsOf('type=key.*', reader)).rejects.toThrow('403');
    const keyEvent = (await eventsOf('type=key.created'))[0];
    await expect(call('GET', `/events/${keyEvent?.id}`, { key: reader })).rejects.toThrow('404');
    expect(JSON.stringify(await eventsOf('type=key.*'))).not.toContain('sk_');
  });

  it('come in pages that neither repeat nor leave out', async () => {
    const whole = (await eventsOf('limit=1000')).map(({ id }) => id);
    const paged: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Page = await call('GET', `/events?limit=3${cursor && `&cursor=${cursor}`}`);
      paged.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
    }
    expect(paged).toEqual(whole);
    expect(paged.length).toBeGreaterThan(10);
  });
});
