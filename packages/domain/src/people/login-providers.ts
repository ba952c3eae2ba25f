/** A place elsewhere where people may log in, as the composition configures it. */
export interface LoginProvider {
  /** In addresses: `github`, `google`, `oidc`. */
  id: string;
  /** On a button: "GitHub". */
  name: string;
  settings: ProviderSettings;
}

/** What the library needs to know of a provider; endpoints are given, or discovered by OpenID Connect. */
export interface ProviderSettings {
  providerId: string;
  name: string;
  clientId: string;
  clientSecret: string;
  scopes: string[];
  pkce: boolean;
  discoveryUrl?: string;
  requireIdTokenVerification?: boolean;
  authorizationUrl?: string;
  tokenUrl?: string;
  userInfoUrl?: string;
  getUserInfo?: (tokens: { accessToken?: string | undefined }) => Promise<ProviderProfile | null>;
}

export interface ProviderProfile {
  [claim: string]: unknown;
  id: string;
  name?: string;
  email: string;
  image?: string;
  emailVerified: boolean;
}
