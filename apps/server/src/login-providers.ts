import type { LoginProvider } from '@carcosa/domain';
import { githubProfile } from './github-profile.ts';
import type { PeopleSettings } from './people-config.ts';

/** The providers that the environment configures, in the order in which their buttons stand. */
export function loginProviders({ github, google, oidc }: PeopleSettings): LoginProvider[] {
  const providers: LoginProvider[] = [];
  if (github) {
    const settings = {
      ...github,
      ...{ providerId: 'github', name: 'GitHub', pkce: true, scopes: ['read:user', 'user:email'] },
      authorizationUrl: 'https://github.com/login/oauth/authorize',
      tokenUrl: 'https://github.com/login/oauth/access_token',
      getUserInfo: githubProfile,
    };
    providers.push({ id: 'github', name: 'GitHub', settings });
  }
  if (google) providers.push(openIdConnect('google', 'Google', { ...google, issuer: 'https://accounts.google.com' }));
  if (oidc) providers.push(openIdConnect('oidc', oidc.name, oidc));
  return providers;
}

function openIdConnect(
  id: string,
  name: string,
  { clientId, clientSecret, issuer }: { clientId: string; clientSecret: string; issuer: string },
): LoginProvider {
  const settings = {
    ...{ providerId: id, name, clientId, clientSecret, pkce: true },
    scopes: ['openid', 'email', 'profile'],
    discoveryUrl: `${issuer}/.well-known/openid-configuration`,
    requireIdTokenVerification: true,
  };
  return { id, name, settings };
}
