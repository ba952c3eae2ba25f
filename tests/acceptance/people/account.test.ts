import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectData, expectRefused } from '../../support/api.ts';
import { until } from '../../support/clock.ts';
import {
  type LoggedInData,
  logIn,
  newEmail,
  PASSWORD,
  type Person,
  register,
  type UserData,
} from '../../support/people.ts';
import { type Server, startServer } from '../../support/server.ts';
import { linkOf } from '../../support/smtp.ts';

let server: Server;
let admin: Person;
beforeAll(async () => {
  server = await startServer();
  admin = await register(server);
});
afterAll(() => server.stop());

interface SessionData {
  id: string;
  current: boolean;
  userAgent: string | null;
  ipAddress: string | null;
}
interface LinkData {
  kind: string;
  email: string;
  url: string;
}

describe('PATCH /auth/me', () => {
  it('changes name and picture', async () => {
    const person = await register(server);
    const change = { name: 'Cordelia', image: 'https://example.com/c.png' };
    expect(expectData(await person.call<UserData>('PATCH', '/auth/me', { json: change }))).toMatchObject(change);
    expect(expectData(await person.call<UserData>('PATCH', '/auth/me', { json: { image: null } }))).toMatchObject({
      name: 'Cordelia',
      image: null,
    });
  });

  it.each([
    {},
    { email: 'other@example.com' },
    { isServerAdmin: true },
    { emailVerified: true },
    { id: 'usr_1' },
    { image: 'javascript:alert(1)' },
    { image: 'http://example.com/c.png' },
    { name: '' },
  ])('refuses %j (22)', async (json) => {
    expectRefused(await admin.call('PATCH', '/auth/me', { json }), 400);
  });
});

describe('POST /auth/change-password', () => {
  it('ends every session, and gives the one that asked a new one', async () => {
    const person = await register(server);
    const other = await logIn(server, person);
    const json = { currentPassword: PASSWORD, newPassword: 'quite another one' };
    const next = expectData(await person.call<LoggedInData>('POST', '/auth/change-password', { json }));
    expect(next.sessionId).not.toBe(person.sessionId);
    expectRefused(await person.call('GET', '/auth/me'), 401);
    expectRefused(await other.call('GET', '/auth/me'), 401);
    expect((await server.api('GET', '/auth/me', { key: next.accessToken })).status).toBe(200);
    await logIn(server, { email: person.email, password: 'quite another one' });
  });

  it('takes the present password', async () => {
    const json = { currentPassword: 'a guess', newPassword: 'quite another one' };
    expect(expectRefused(await admin.call('POST', '/auth/change-password', { json }), 401).error).toBe(
      'invalid_credentials',
    );
  });
});

describe('sessions', () => {
  it('are listed with where they come from, and end one by one', async () => {
    const person = await register(server);
    const headers = { 'user-agent': 'a telephone' };
    const json = { email: person.email, password: PASSWORD };
    const phone = expectData(await server.api<LoggedInData>('POST', '/auth/login', { key: null, headers, json }));
    const { items } = expectData(await person.call<{ items: SessionData[] }>('GET', '/auth/sessions'));
    expect(items).toHaveLength(2);
    expect(items.find(({ id }) => id === person.sessionId)).toMatchObject({ current: true, ipAddress: '127.0.0.1' });
    expect(items.find(({ id }) => id === phone.sessionId)).toMatchObject({ current: false, userAgent: 'a telephone' });
    expect(JSON.stringify(items)).not.toMatch(/token/i);
    expect((await person.call('DELETE', `/auth/sessions/${phone.sessionId}`)).status).toBe(204);
    expectRefused(await server.api('GET', '/auth/me', { key: phone.accessToken }), 401);
    expectRefused(await person.call('DELETE', `/auth/sessions/${phone.sessionId}`), 404);
  });

  it('of others end all at once', async () => {
    const person = await register(server);
    const others = [await logIn(server, person), await logIn(server, person)];
    expect(expectData(await person.call('DELETE', '/auth/sessions'))).toEqual({ ended: 2 });
    for (const other of others) expectRefused(await other.call('GET', '/auth/me'), 401);
    expect((await person.call('GET', '/auth/me')).status).toBe(200);
  });

  it('of somebody else are not there (21)', async () => {
    const [person, other] = [await register(server), await register(server)];
    const foreign = expectRefused(await person.call('DELETE', `/auth/sessions/${other.sessionId}`), 404);
    const missing = expectRefused(await person.call('DELETE', '/auth/sessions/ses_00000000000000000000000000'), 404);
    expect(foreign).toEqual({ ...missing, timestamp: foreign.timestamp, requestId: foreign.requestId });
    expect((await other.call('GET', '/auth/me')).status).toBe(200);
  });
});

describe('POST /auth/delete-account', () => {
  const leave = (person: Person, json: object | undefined = { password: PASSWORD }) =>
    person.call('POST', '/auth/delete-account', { json });

  it('ends sessions, ways to log in and memberships; what was done stays recorded', async () => {
    const [owner, person] = [await register(server), await register(server)];
    const other = await logIn(server, person);
    const { id } = expectData(
      await owner.call<{ id: string }>('POST', '/organizations', { json: { name: 'Left' } }),
      201,
    );
    const invited = await owner.call<{ link: string }>('POST', `/organizations/${id}/invitations`, {
      json: { email: person.email, role: 'owner' },
    });
    const token = linkOf(expectData(invited, 201).link).token;
    expectData(await person.call('POST', '/invitations/accept', { json: { token } }));
    expect((await leave(person)).status).toBe(204);
    for (const each of [person, other]) {
      expectRefused(await each.call('GET', '/auth/me'), 401);
      expectRefused(await each.call('POST', '/auth/refresh', { json: { refreshToken: each.refreshToken } }), 401);
    }
    const json = { email: person.email, password: PASSWORD };
    expectRefused(await server.api('POST', '/auth/login', { key: null, json }), 401);
    const { items } = expectData(
      await owner.call<{ items: { userId: string }[] }>('GET', `/organizations/${id}/members`),
    );
    expect(items.map(({ userId }) => userId)).toEqual([owner.user.id]);
    const log = await owner.call<{ items: { action: string }[] }>('GET', '/audit-logs', {
      query: { organizationId: id, actor: person.user.id },
    });
    expect(expectData(log).items.map(({ action }) => action)).toContain('member.leave');
    const people = await admin.call<{ items: { action: string }[] }>('GET', '/audit-logs', {
      query: { actor: person.user.id },
    });
    expect(expectData(people).items[0]).toMatchObject({ action: 'user.delete', result: 'success' });
    // The address is free again.
    await register(server, person.email);
  });

  it('takes the password', async () => {
    const person = await register(server);
    for (const json of [{}, { password: 'a guess' }])
      expect(expectRefused(await leave(person, json), 401).error).toBe('invalid_credentials');
    expect((await person.call('GET', '/auth/me')).status).toBe(200);
  });

  it('is refused to the last owner of an organization, who is told of which', async () => {
    const person = await register(server);
    const made = await person.call<{ id: string }>('POST', '/organizations', { json: { name: 'Mine' } });
    const refused = expectRefused(await leave(person), 409);
    expect(refused).toMatchObject({
      error: 'last_owner',
      details: { organizations: [{ id: expectData(made, 201).id, name: 'Mine' }] },
    });
    await person.call('DELETE', `/organizations/${made.data.id}`);
    expect((await leave(person)).status).toBe(204);
  });

  it('leaves no server without an administrator', async () => {
    const own = await startServer();
    try {
      const first = await register(own);
      const { items } = expectData(await first.call<{ items: { id: string }[] }>('GET', '/organizations'));
      const heir = await register(own);
      const [organization] = items;
      const invited = await first.call<{ link: string }>('POST', `/organizations/${organization?.id}/invitations`, {
        json: { email: heir.email, role: 'owner' },
      });
      const token = linkOf(expectData(invited, 201).link).token;
      expectData(await heir.call('POST', '/invitations/accept', { json: { token } }));
      expect(expectRefused(await leave(first), 409).message).toMatch(/administrator/);
    } finally {
      await own.stop();
    }
  });

  it('of two owners who leave at once, one stays', async () => {
    const [one, two] = [await register(server), await register(server)];
    const { id } = expectData(await one.call<{ id: string }>('POST', '/organizations', { json: { name: 'Two' } }), 201);
    const invited = await one.call<{ link: string }>('POST', `/organizations/${id}/invitations`, {
      json: { email: two.email, role: 'owner' },
    });
    const token = linkOf(expectData(invited, 201).link).token;
    expectData(await two.call('POST', '/invitations/accept', { json: { token } }));
    const answers = await Promise.all([leave(one), leave(two)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 409]);
  });
});

describe('without a mail server', () => {
  it('the link is in the log, and an administrator of the server can read it', async () => {
    const { email } = await register(server);
    await server.api('POST', '/auth/forgot-password', { key: null, json: { email } });
    const link = await until(async () => {
      const { items } = expectData(await admin.call<{ items: LinkData[] }>('GET', '/auth/pending-links'));
      return items.find((each) => each.email === email);
    });
    expect(link).toMatchObject({ kind: 'reset-password' });
    await until(() => server.logs.includes(link.url), { what: 'the line in the log' });
    const json = { token: linkOf(link.url).token, newPassword: 'from the log' };
    expect((await server.api('POST', '/auth/reset-password', { key: null, json })).status).toBe(204);
    await logIn(server, { email, password: 'from the log' });
  });

  it('nobody else reads the links', async () => {
    const person = await register(server);
    expectRefused(await person.call('GET', '/auth/pending-links'), 403);
    expectRefused(await server.api('GET', '/auth/pending-links'), 403);
    expectRefused(await server.api('GET', '/auth/pending-links', { key: null }), 401);
  });
});

describe('the owner whom the environment names', () => {
  it('is there from the first start, runs the server, and keeps her password over restarts', async () => {
    const env = { CARCOSA_ADMIN_EMAIL: 'Hali@Example.com', CARCOSA_ADMIN_PASSWORD: 'the lake of hali' };
    const own = await startServer({ env });
    try {
      const owner = await logIn(own, { email: 'hali@example.com', password: 'the lake of hali' });
      expect(owner.user).toMatchObject({ isServerAdmin: true, emailVerified: true });
      expect(expectData(await owner.call('GET', '/auth/me'))).toMatchObject({
        organizations: [{ slug: 'default', role: 'owner' }],
      });
      expect((await register(own)).user.isServerAdmin).toBe(false);
      const json = { currentPassword: 'the lake of hali', newPassword: 'another lake' };
      expectData(await owner.call('POST', '/auth/change-password', { json }));
      await own.restart();
      await logIn(own, { email: 'hali@example.com', password: 'another lake' });
      expect(own.logs).not.toContain('lake of hali');
    } finally {
      await own.stop();
    }
  });
});

describe('audit', () => {
  it('tells what somebody did with her account, without a secret', async () => {
    const person = await register(server, newEmail());
    await person.call('PATCH', '/auth/me', { json: { name: 'Camilla II' } });
    await person.call('POST', '/auth/refresh', { json: { refreshToken: person.refreshToken } });
    const query = { actor: person.user.id };
    const answer = await admin.call<{ items: { action: string }[] }>('GET', '/audit-logs', { query });
    const actions = expectData(answer).items.map(({ action }) => action);
    expect(actions).toEqual(expect.arrayContaining(['session.login', 'user.update', 'session.refresh']));
    expect(JSON.stringify(answer.body)).not.toContain(person.refreshToken);
  });
});
