import { randomUUID } from 'node:crypto';
import { type Answer, type CallOptions, expectData } from './api.ts';
import type { Server } from './server.ts';

export interface UserData {
  id: string;
  email: string;
  name: string;
  image: string | null;
  emailVerified: boolean;
  twoFactorEnabled: boolean;
  isServerAdmin: boolean;
}

export interface LoggedInData {
  user: UserData;
  sessionId: string;
  accessToken: string;
  refreshToken: string;
  tokenType: string;
  expiresIn: number;
  refreshExpiresIn: number;
}

/** Somebody with an account, logged in. */
export interface Person extends LoggedInData {
  email: string;
  password: string;
  /** Calls a route below `/api/v1` with the access token. */
  call<Data = unknown>(method: string, path: string, options?: CallOptions): Promise<Answer<Data>>;
}

export const PASSWORD = 'correct horse battery';

/** An address that nobody has used. */
export const newEmail = (): string => `${randomUUID()}@example.com`;

/** Registers somebody. The first one on a server becomes its administrator and the owner of the default organization. */
export async function register(server: Pick<Server, 'api'>, email = newEmail()): Promise<Person> {
  const answer = await server.api<LoggedInData>('POST', '/auth/register', {
    key: null,
    json: { email, password: PASSWORD, name: 'Camilla' },
  });
  return personOf(server, { email, password: PASSWORD }, expectData(answer, 201));
}

/** Logs somebody in anew, without a second factor. */
export async function logIn(
  server: Pick<Server, 'api'>,
  { email, password = PASSWORD }: { email: string; password?: string },
): Promise<Person> {
  const answer = await server.api<LoggedInData>('POST', '/auth/login', { key: null, json: { email, password } });
  return personOf(server, { email, password }, expectData(answer));
}

export function personOf(
  server: Pick<Server, 'api'>,
  { email, password }: { email: string; password: string },
  loggedIn: LoggedInData,
): Person {
  const { accessToken } = loggedIn;
  return {
    ...loggedIn,
    ...{ email, password },
    call: (method, path, options) => server.api(method, path, { key: accessToken, ...options }),
  };
}
