import type { ProviderProfile } from '@carcosa/domain';
import { z } from 'zod';

const API = 'https://api.github.com';

const GithubUser = z.object({
  id: z.number().int(),
  login: z.string(),
  name: z.string().nullish(),
  avatar_url: z.string().optional(),
});
const GithubEmails = z.array(z.object({ email: z.string(), primary: z.boolean(), verified: z.boolean() }));

/** Who a GitHub access token belongs to, with the primary e-mail address; null when GitHub does not say. */
export async function githubProfile(tokens: { accessToken?: string | undefined }): Promise<ProviderProfile | null> {
  if (!tokens.accessToken) return null;
  const user = GithubUser.safeParse(await read('/user', tokens.accessToken));
  const emails = GithubEmails.safeParse(await read('/user/emails', tokens.accessToken));
  if (!user.success || !emails.success) return null;
  const primary = emails.data.find((email) => email.primary);
  if (!primary) return null;
  const { id, login, name, avatar_url: image } = user.data;
  return {
    id: String(id),
    name: name || login,
    email: primary.email,
    emailVerified: primary.verified,
    ...(image === undefined ? {} : { image }),
  };
}

async function read(path: string, accessToken: string): Promise<unknown> {
  const headers = {
    authorization: `Bearer ${accessToken}`,
    accept: 'application/vnd.github+json',
    'user-agent': 'Carcosa',
  };
  const response = await fetch(`${API}${path}`, { headers, signal: AbortSignal.timeout(10_000) });
  return response.ok ? await response.json() : null;
}
