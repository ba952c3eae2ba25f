// What better-auth and those that call it must agree on, without loading it.

/** In which header the library finds the client's address, which we have from the edge. */
export const ADDRESS_HEADER = 'x-carcosa-client-address';

/** Cookies by which the library keeps what spans two of its calls; they never reach a client under these names. */
export const LIBRARY_COOKIES = {
  session: 'better-auth.session_token',
  twoFactor: 'better-auth.two_factor',
  passkey: 'better-auth.better-auth-passkey',
  oauthState: 'better-auth.state',
} as const;

/** Seconds that links and challenges serve. */
export const LINK_SECONDS = {
  verifyEmail: 24 * 3600,
  resetPassword: 3600,
  changeEmail: 3600,
  secondStep: 600,
  passkey: 300,
} as const;
