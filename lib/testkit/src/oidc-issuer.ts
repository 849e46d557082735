/** A real OpenID Connect issuer for tests: `oidc-provider` on a loopback port. */
import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair } from 'jose';
import type { Configuration, JWKS, Provider } from 'oidc-provider';
import { leftovers } from './leftovers.js';

export { logInAsPerson, type TestBrowser, type TypedLogin } from './oidc-person.js';

/** Claims that a test puts into access tokens; `undefined` removes a claim. */
export type IssuedClaims = Readonly<Record<string, unknown>>;

/** A running issuer. */
export interface TestIssuer {
  readonly issuer: string;
  /** The audience of its tokens unless a claim says otherwise. */
  readonly audience: string;
  /** An access token as a JWT with further claims, from the token endpoint of the issuer. */
  issue(claims?: IssuedClaims): Promise<string>;
  /** Client that may use the device and the authorisation code flow, without a secret. */
  readonly publicClient: string;
  /** Adds claims to the tokens of people who log in, by their login name. */
  readonly people: Map<string, IssuedClaims>;
}

/** Settings of {@link testIssuer}. */
export interface TestIssuerOptions {
  readonly audience?: string;
  /** Addresses to which the authorisation code may go. */
  readonly redirectUris?: readonly string[];
}

const robot = { id: 'robot', secret: randomBytes(24).toString('hex') };

/** Starts an issuer; it ends with the file. */
export async function testIssuer(options: TestIssuerOptions = {}): Promise<TestIssuer> {
  const { audience = 'https://rhizome.test' } = options;
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  leftovers.defer('a test issuer', () => closed(server));
  const people = new Map<string, IssuedClaims>();
  let next: IssuedClaims = {};
  const claimsOf = (account: string | undefined): IssuedClaims =>
    account === undefined ? next : (people.get(account) ?? {});
  const settings = await configuration(options, audience, claimsOf);
  const provider = await silently(issuer, settings);
  const handler = provider.callback();
  server.on('request', (request, response) => void handler(request, response));
  let turn: Promise<unknown> = Promise.resolve();
  return {
    issuer,
    audience,
    publicClient: 'rhizome',
    people,
    issue: (claims = {}) => {
      const issued = turn.then(() => {
        next = claims;
        return clientCredentials(issuer, audience);
      });
      turn = issued.catch(() => undefined);
      return issued;
    },
  };
}

async function configuration(
  { redirectUris = [] }: TestIssuerOptions,
  audience: string,
  claimsOf: (account: string | undefined) => IssuedClaims,
): Promise<Configuration> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const key = { ...(await exportJWK(privateKey)), kid: 'test-key', alg: 'ES256', use: 'sig' };
  // Every client needs this when the only key is an ES256 key.
  const signed = { id_token_signed_response_alg: 'ES256' } as const;
  return {
    jwks: { keys: [key] } as JWKS,
    cookies: { keys: [randomBytes(24).toString('hex')] },
    clients: [
      {
        ...signed,
        client_id: robot.id,
        client_secret: robot.secret,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
      {
        ...signed,
        client_id: 'rhizome',
        token_endpoint_auth_method: 'none',
        application_type: 'native',
        grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
        redirect_uris: redirectUris.length > 0 ? [...redirectUris] : ['http://127.0.0.1/callback'],
        response_types: ['code'],
      },
    ],
    scopes: ['openid', 'offline_access', 'profile'],
    features: {
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      devInteractions: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        useGrantedResource: () => true,
        getResourceServerInfo: (_context, resource) => ({
          scope: 'openid profile offline_access',
          audience: resource,
          accessTokenTTL: 3600,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
    formats: {
      customizers: {
        jwt: (_context, token, jwt) => {
          const account = (token as { readonly accountId?: string }).accountId;
          const payload = withClaims((jwt.payload ?? {}) as IssuedClaims, claimsOf(account));
          jwt.payload = payload as typeof jwt.payload;
        },
      },
    },
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    pkce: { required: () => true },
    ttl: {
      ClientCredentials: 3600,
      AccessToken: 3600,
      RefreshToken: 86_400,
      DeviceCode: 600,
      Grant: 86_400,
      Session: 86_400,
    },
  };
}

function withClaims(payload: IssuedClaims, claims: IssuedClaims): IssuedClaims {
  return Object.fromEntries(
    Object.entries({ ...payload, ...claims }).filter(([, value]) => value !== undefined),
  );
}

/** Loads the library, which warns on the console about Node.js and about its development pages. */
async function silently(issuer: string, settings: Configuration): Promise<Provider> {
  const { warn, info } = console;
  Object.assign(console, { warn: () => undefined, info: () => undefined });
  try {
    const library = await import('oidc-provider');
    return new library.default(issuer, settings);
  } finally {
    // Notices about its development pages come when they are used.
    const rest = (...args: unknown[]): void => {
      if (!String(args[0]).includes('oidc-provider NOTICE')) info(...args);
    };
    Object.assign(console, { warn, info: rest });
  }
}

async function clientCredentials(issuer: string, audience: string): Promise<string> {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`${robot.id}:${robot.secret}`).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams({ grant_type: 'client_credentials', resource: audience }),
  });
  const text = await response.text();
  const { access_token: token } = JSON.parse(text) as { readonly access_token?: string };
  if (token === undefined) throw new Error(`The test issuer gave no token: ${text}`);
  return token;
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
