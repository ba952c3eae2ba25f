import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider, { type Configuration } from 'oidc-provider';

/** What the provider says of an account. */
export interface OidcClaims {
  email: string;
  email_verified: boolean;
  name: string;
}

/** An OpenID Connect provider that runs for real, on this machine. */
export interface OidcServer {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Who can log in there, by account id. */
  readonly accounts: Map<string, OidcClaims>;
  /** Where the one client may have browsers sent back to. */
  allowRedirectTo(url: string): void;
  close(): Promise<void>;
}

const CLIENT = { id: 'carcosa', secret: 'a-secret-of-the-oidc-client-of-this-test' };

export async function startOidcServer(port = 0): Promise<OidcServer> {
  const accounts = new Map<string, OidcClaims>();
  const redirects: string[] = [];
  const http = createServer();
  await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const make = (): Provider => new Provider(issuer, configuration(accounts, redirects));
  let provider = make();
  http.on('request', (request, response) => void provider.callback()(request, response));
  return {
    issuer,
    clientId: CLIENT.id,
    clientSecret: CLIENT.secret,
    accounts,
    allowRedirectTo: (url) => {
      redirects.push(url);
      provider = make();
    },
    close: () =>
      new Promise((resolve) => {
        http.closeAllConnections();
        http.close(() => resolve());
      }),
  };
}

function configuration(accounts: Map<string, OidcClaims>, redirects: string[]): Configuration {
  return {
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        redirect_uris: redirects.length > 0 ? redirects : ['http://127.0.0.1/none'],
        grant_types: ['authorization_code'],
        response_types: ['code'],
      },
    ],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    // As Google does: the ID token says all.
    conformIdTokenClaims: false,
    findAccount: (_context, sub) => {
      const claims = accounts.get(sub);
      return claims && { accountId: sub, claims: async () => ({ sub, ...claims }) };
    },
    cookies: { keys: ['only for tests'] },
  };
}

/** A browser without a window: keeps cookies of each host, and follows redirects. */
export class CookieBrowser {
  readonly #jar = new Map<string, Map<string, string>>();

  cookie(url: string, name: string): string | undefined {
    return this.#jar.get(new URL(url).host)?.get(name);
  }

  setCookie(url: string, name: string, value: string): void {
    const host = new URL(url).host;
    this.#jar.set(host, (this.#jar.get(host) ?? new Map()).set(name, value));
  }

  async fetch(url: string, init: RequestInit = {}): Promise<Response> {
    const { host } = new URL(url);
    const jar = this.#jar.get(host) ?? new Map<string, string>();
    this.#jar.set(host, jar);
    const headers = new Headers(init.headers);
    if (jar.size > 0) headers.set('cookie', [...jar].map(([name, value]) => `${name}=${value}`).join('; '));
    const response = await fetch(url, { ...init, headers, redirect: 'manual' });
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';');
      const at = pair.indexOf('=');
      if (/max-age=0|expires=thu, 01 jan 1970/i.test(line)) jar.delete(pair.slice(0, at));
      else jar.set(pair.slice(0, at), pair.slice(at + 1));
    }
    return response;
  }

  /** Follows redirects until a page comes, or the next address is one that `until` wants. */
  async follow(
    url: string,
    until: (url: string) => boolean = () => false,
  ): Promise<{ url: string; response: Response }> {
    let at = url;
    for (let hops = 0; hops < 20; hops++) {
      const response = await this.fetch(at);
      const location = response.headers.get('location');
      if (response.status < 300 || response.status >= 400 || location === null) return { url: at, response };
      await response.arrayBuffer();
      at = new URL(location, at).href;
      if (until(at)) return { url: at, response };
    }
    throw new Error(`too many redirects, the last to ${at}`);
  }

  /** Logs in on the pages of {@link OidcServer} and consents. @returns where the provider sends the browser back to */
  async logInAt(startUrl: string, account: string, isBack: (url: string) => boolean): Promise<string> {
    let page = await this.follow(startUrl, isBack);
    for (let forms = 0; forms < 3 && !isBack(page.url); forms++) {
      const html = await page.response.text();
      const action = /<form[^>]* action="([^"]+)"/.exec(html)?.[1];
      if (action === undefined) throw new Error(`no form at ${page.url}: ${html.slice(0, 500)}`);
      const prompt = /name="prompt" value="(\w+)"/.exec(html)?.[1] ?? 'login';
      const fields = new URLSearchParams({ prompt });
      if (prompt === 'login') for (const name of ['login', 'password']) fields.set(name, account);
      const target = new URL(action, page.url).href;
      const answer = await this.fetch(target, {
        method: 'POST',
        body: fields,
      });
      page = await this.follow(new URL(answer.headers.get('location') ?? '', target).href, isBack);
    }
    return page.url;
  }
}
