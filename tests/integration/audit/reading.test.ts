import { AuditEntry, ExportAuditQuery, ListAuditQuery, type MemberRole, type Permission } from '@carcosa/contracts';
import { recordAudit } from '@carcosa/database';
import { Access, type Actor, AuditService, ProjectFactsCache, SYSTEM, type UserActor } from '@carcosa/domain';
import type { OrganizationId, ProjectId, TeamId, TenantId } from '@carcosa/kernel';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { apiKeyActor } from '../../support/actors.ts';
import { databaseKinds } from '../../support/database.ts';
import { type AuditWorld, createAuditWorld } from './support.ts';

describe.each(databaseKinds())('reading the audit log, on %s', (kind) => {
  let world: AuditWorld;
  let service: AuditService;
  let other: OrganizationId;
  let second: ProjectId;
  let teamId: TeamId;
  let tenant: TenantId;

  beforeAll(async () => {
    world = await createAuditWorld(kind);
    const { db, clock, ids, organizationId, projectId } = world;
    const projects = new ProjectFactsCache({ db, clock });
    service = new AuditService({ ...world, access: new Access({ projects }), projects });
    other = await world.addOrganization();
    second = await world.addProject();
    teamId = (await db.query<{ id: TeamId }>('select id from teams')).rows[0]?.id as TeamId;
    tenant = ids.next('tenant');
    const place = (entry: object) => ({ organizationId, ...entry });
    for (let index = 0; index < 40; index++) {
      clock.advance(index % 4 === 0 ? 0 : 1000);
      await recordAudit(db, [
        world.entry(
          index,
          place({ projectId, tenantId: index % 2 ? tenant : null, result: index % 8 ? 'success' : 'forbidden' }),
        ),
        world.entry(index, place({ projectId: second, action: 'file.create', resourceId: `file_${index}` })),
        world.entry(index, { organizationId: other, actorId: 'usr_theirs' }),
        world.entry(index, { organizationId: null, action: 'session.login' }),
      ]);
    }
    await world.seal();
  });
  afterAll(() => world.database.close());

  const user = (roles: [OrganizationId, MemberRole][], isServerAdmin = false): UserActor => ({
    ...{ type: 'user', id: world.ids.next('user'), sessionId: world.ids.next('session'), isServerAdmin },
    organizations: new Map(roles),
    teams: new Map([[teamId, 'admin']]),
  });
  const owner = () => user([[world.organizationId, 'owner']]);
  const key = (permissions: Permission[] = ['audit-logs:read'], restrictions = {}) =>
    apiKeyActor(world.ids, world.projectId, permissions, restrictions);

  async function all(actor: Actor, query: Record<string, string | number> = {}, limit = 1000): Promise<AuditEntry[]> {
    const items: AuditEntry[] = [];
    let cursor: string | null | undefined;
    do {
      const strings = Object.fromEntries(
        Object.entries({ ...query, limit, ...(cursor ? { cursor } : {}) }).map(([name, value]) => [
          name,
          String(value),
        ]),
      );
      const page = await service.list(actor, ListAuditQuery.parse(strings));
      expect(page.items.length).toBeLessThanOrEqual(limit);
      expect(page.hasMore).toBe(page.nextCursor !== null);
      items.push(...page.items.map((item) => AuditEntry.strict().parse(item)));
      cursor = page.nextCursor;
    } while (cursor);
    return items;
  }
  const organizationsOf = (entries: AuditEntry[]) => [...new Set(entries.map((entry) => entry.organizationId))];

  it('shows owners and admins their organization, newest first', async () => {
    for (const role of ['owner', 'admin'] as const) {
      const entries = await all(user([[world.organizationId, role]]), { organizationId: world.organizationId });
      expect(entries).toHaveLength(80);
      expect(organizationsOf(entries)).toEqual([world.organizationId]);
      const places = entries.map(({ at, id }) => `${at} ${String(id).padStart(9, '0')}`);
      expect(places).toEqual([...places].sort().reverse());
      expect(entries[0]).toMatchObject({ sequence: expect.any(Number), hash: expect.stringMatching(/^[0-9a-f]{64}$/) });
    }
    expect(await all(owner(), { projectId: second })).toHaveLength(40);
    expect(await all(SYSTEM, { organizationId: other })).toHaveLength(40);
  });

  it('shows a key its project, and a confined one its tenant', async () => {
    const entries = await all(key());
    expect(entries).toHaveLength(40);
    expect(entries.every((entry) => entry.projectId === world.projectId)).toBe(true);
    const confined = await all(key(['audit-logs:read'], { tenantId: tenant }));
    expect(confined).toHaveLength(20);
    expect(confined.every((entry) => entry.tenantId === tenant)).toBe(true);
    expect(await all(key(), { tenantId: tenant })).toEqual(confined);
  });

  it('shows administrators of the server what belongs to no organization, and nothing else', async () => {
    const entries = await all(user([], true));
    expect(entries).toHaveLength(40);
    expect(organizationsOf(entries)).toEqual([null]);
    await expect(all(user([], true), { organizationId: other })).rejects.toMatchObject({ code: 'not_found' });
  });

  it('shows nobody anything else', async () => {
    const missing = 'org_00000000000000000000000000';
    const mine = world.organizationId;
    const cases: [string, Actor, Record<string, string>, string][] = [
      ['another organization', owner(), { organizationId: other }, 'not_found'],
      ['none', owner(), { organizationId: missing }, 'not_found'],
      ['nonsense', owner(), { organizationId: "' or true --" }, 'not_found'],
      ['a project of nobody', owner(), { projectId: 'prj_00000000000000000000000000' }, 'not_found'],
      [
        'a project in another organization',
        owner(),
        { projectId: world.projectId, organizationId: other },
        'not_found',
      ],
      ['without a name', owner(), {}, 'invalid_request'],
      ['a member', user([[mine, 'member']]), { organizationId: mine }, 'forbidden'],
      ['a viewer', user([[mine, 'viewer']]), { organizationId: mine }, 'forbidden'],
      ['a stranger', user([]), { projectId: world.projectId }, 'not_found'],
      ['a key, of its organization', key(), { organizationId: other }, 'not_found'],
      ['a key, of another project', key(), { projectId: second }, 'not_found'],
      ['a key without the permission', key(['files:read']), {}, 'forbidden'],
      ['a key of a folder', key(['audit-logs:read'], { pathPrefix: 'a' }), {}, 'forbidden'],
      ['a key of another tenant', key(['audit-logs:read'], { tenantId: tenant }), { tenantId: 'ten_x' }, 'not_found'],
    ];
    for (const [name, actor, query, code] of cases) {
      await expect(all(actor, query), name).rejects.toMatchObject({ code });
      const exported = service.export(actor, ExportAuditQuery.parse({ ...query, format: 'csv' }));
      await expect(exported, `${name}, exported`).rejects.toMatchObject({ code });
    }
    const foreign = await service
      .list(owner(), ListAuditQuery.parse({ organizationId: other }))
      .catch((error) => error);
    const none = await service.list(owner(), ListAuditQuery.parse({ organizationId: missing })).catch((error) => error);
    expect({ ...foreign, message: foreign.message }).toEqual({ ...none, message: none.message });
  });

  it('filters as somebody who looks at each entry would', async () => {
    const everything = await all(owner(), { organizationId: world.organizationId });
    const some = <Key extends keyof AuditEntry>(name: Key) =>
      fc.constantFrom(...everything.map((entry) => entry[name]));
    await fc.assert(
      fc.asyncProperty(
        fc.record(
          {
            actor: fc.constantFrom('usr_1', 'usr_2', 'usr_none'),
            action: fc.constantFrom('file.create', 'project.update', 'team.create'),
            resource: fc.constantFrom('file_7', 'prj_3', 'x'),
            result: fc.constantFrom('success', 'refused', 'forbidden', 'not_found'),
            projectId: fc.constantFrom(world.projectId, second),
            from: some('at'),
            to: some('at'),
          },
          { requiredKeys: [] },
        ),
        fc.integer({ min: 1, max: 30 }),
        async (query, limit) => {
          const expected = everything.filter(
            (entry) =>
              (query.actor === undefined || entry.actor.id === query.actor) &&
              (query.action === undefined || entry.action === query.action) &&
              (query.resource === undefined || entry.resource?.id === query.resource) &&
              (query.result === undefined ||
                entry.result === query.result ||
                (query.result === 'refused' && entry.result !== 'success')) &&
              (query.projectId === undefined || entry.projectId === query.projectId) &&
              (query.from === undefined || entry.at >= query.from) &&
              (query.to === undefined || entry.at < query.to),
          );
          expect(await all(owner(), { organizationId: world.organizationId, ...query }, limit)).toEqual(expected);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('refuses cursors and filters that no list gave out', async () => {
    for (const query of [{ cursor: 'x' }, { cursor: Buffer.from('["files",1,2]').toString('base64url') }])
      await expect(service.list(key(), ListAuditQuery.parse(query))).rejects.toMatchObject({
        code: 'invalid_request',
      });
    for (const query of [{ limit: '0' }, { from: 'yesterday' }, { actor: '\0' }, { unknown: 'x' }, { format: 'xml' }])
      expect(ListAuditQuery.safeParse(query).success, JSON.stringify(query)).toBe(false);
  });

  it('verifies for owners of the organization, and the server for its administrators', async () => {
    expect(await service.verify(owner(), { organizationId: world.organizationId })).toMatchObject({
      isWhole: true,
      entries: 80,
    });
    expect(await service.verify(user([], true), {})).toMatchObject({
      isWhole: true,
      entries: 40,
      organizationId: null,
    });
    const cases: [Actor, object, string][] = [
      [owner(), { organizationId: other }, 'not_found'],
      [user([[world.organizationId, 'admin']]), { organizationId: world.organizationId }, 'forbidden'],
      [key(['admin']), { organizationId: world.organizationId }, 'not_found'],
      [key(['admin']), {}, 'invalid_request'],
    ];
    for (const [actor, query, code] of cases)
      await expect(service.verify(actor, query)).rejects.toMatchObject({ code });
    const twice = await Promise.all(
      [1, 2, 3].map(() => service.verify(owner(), { organizationId: world.organizationId })),
    );
    expect(new Set(twice).size, 'who comes while it runs shares it').toBe(1);
  });

  describe('exports', () => {
    const exported = async (query: Record<string, string>): Promise<string[]> => {
      const chunks: string[] = [];
      for await (const chunk of await service.export(owner(), ExportAuditQuery.parse(query))) chunks.push(chunk);
      return chunks;
    };

    it('the same entries as the list, in pieces, as JSON lines and as CSV', async () => {
      const organizationId = await world.addOrganization();
      const wild = await fc.sample(fc.string({ unit: 'grapheme', maxLength: 30 }), 300);
      const nasty = [
        '=1+1',
        '+a',
        '-a',
        '@SUM(A1)',
        "'=x",
        '\tx',
        '\r\nx',
        'a"b',
        'a,b',
        '',
        '＝1',
        '日本語, "x"',
        '-- drop',
      ];
      const texts = [...nasty, ...wild].map((text) => text.toWellFormed().replaceAll('\0', ''));
      await recordAudit(
        world.db,
        texts.map((text, index) => world.entry(index, { organizationId, userAgent: text, after: { text } })),
      );
      const actor = user([[organizationId, 'owner']]);
      const listed = await all(actor, { organizationId });
      expect(listed).toHaveLength(texts.length);
      const pieces = async (format: string): Promise<string[]> => {
        const chunks: string[] = [];
        const query = ExportAuditQuery.parse({ organizationId, format });
        for await (const chunk of await service.export(actor, query)) chunks.push(chunk);
        return chunks;
      };
      const lines = await pieces('jsonl');
      expect(lines.length).toBeGreaterThan(1);
      expect(
        lines
          .join('')
          .split('\n')
          .slice(0, -1)
          .map((line) => JSON.parse(line)),
      ).toEqual(listed);
      const [head, ...rows] = parseCsv((await pieces('csv')).join(''));
      const column = (row: string[], name: string) => row[head?.indexOf(name) ?? -1] as string;
      expect(rows).toHaveLength(listed.length);
      for (const [index, row] of rows.entries()) {
        for (const cell of row) expect(cell, 'no cell is a formula').not.toMatch(/^[=+\-@\t\r\n]/);
        const entry = listed[index] as AuditEntry;
        const back = (name: string) => column(row, name).replace(/^'/, '');
        expect(back('userAgent')).toBe(entry.userAgent);
        expect(JSON.parse(back('after'))).toEqual(entry.after);
        expect(back('at')).toBe(entry.at);
        expect(back('id')).toBe(String(entry.id));
        expect(back('tenantId')).toBe('');
      }
    });

    it('what is asked for, and only the head of nothing', async () => {
      const query = { organizationId: world.organizationId, format: 'csv', actor: 'usr_nobody' };
      expect(await exported(query)).toEqual([expect.stringMatching(/^id,at,organizationId,.*,sequence,hash\r\n$/)]);
      expect(await exported({ ...query, format: 'jsonl' })).toEqual([]);
      const some = await exported({ ...query, format: 'jsonl', actor: 'usr_3' });
      const entries = some
        .join('')
        .trimEnd()
        .split('\n')
        .map((line) => AuditEntry.parse(JSON.parse(line)));
      expect(new Set(entries.map((entry) => entry.actor.id))).toEqual(new Set(['usr_3']));
    });
  });
});

/** RFC 4180. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  const cell = /("(?:[^"]|"")*"|[^",\r\n]*)(,|\r\n|$)/gy;
  while (cell.lastIndex < text.length) {
    const [, value = '', end] = cell.exec(text) ?? [];
    row.push(value.startsWith('"') ? value.slice(1, -1).replaceAll('""', '"') : value);
    if (end !== ',') {
      rows.push(row);
      row = [];
    }
  }
  return rows;
}
