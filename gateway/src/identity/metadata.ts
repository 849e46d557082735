/** Metadata of Rhizome's own issuer (RFC 8414) and of the gateway as a protected resource (RFC 9728). */
import type { LoginOffer } from '@rhizome/identity';

/** Paths of the endpoints. */
export const paths = {
  token: '/oauth/token',
  revoke: '/oauth/revoke',
  explain: '/oauth/explain',
  jwks: '/.well-known/jwks.json',
  authorizationServer: '/.well-known/oauth-authorization-server',
  protectedResource: '/.well-known/oauth-protected-resource',
} as const;

/** Routes of the endpoints: method and path. */
export const tokenRoutes = [
  `POST ${paths.token}`,
  `POST ${paths.revoke}`,
  `POST ${paths.explain}`,
  `GET ${paths.jwks}`,
  `GET ${paths.authorizationServer}`,
  `GET ${paths.protectedResource}`,
  `GET ${paths.protectedResource}/graphql`,
] as const;

/** Supported values of `grant_type`. */
export const grantTypes = {
  exchange: 'urn:ietf:params:oauth:grant-type:token-exchange',
  refresh: 'refresh_token',
  robot: 'client_credentials',
  enrolment: 'urn:rhizome:params:oauth:grant-type:enrolment',
  worker: 'urn:rhizome:params:oauth:grant-type:worker',
  attempt: 'urn:rhizome:params:oauth:grant-type:attempt',
} as const;

const tokenType = (name: string): string => `urn:ietf:params:oauth:token-type:${name}`;

/** Types of tokens in an exchange (RFC 8693). */
export const tokenTypes = {
  accessToken: tokenType('access_token'),
  jwt: tokenType('jwt'),
  subject: [tokenType('access_token'), tokenType('jwt'), tokenType('id_token')] as readonly string[],
} as const;

/** Metadata of the issuer, with the issuers at which callers can log in. */
export function authorizationServer(issuer: string, offers: readonly LoginOffer[]): object {
  const at = (path: string): string => new URL(path, issuer).href;
  return {
    issuer,
    token_endpoint: at(paths.token),
    revocation_endpoint: at(paths.revoke),
    jwks_uri: at(paths.jwks),
    grant_types_supported: Object.values(grantTypes),
    response_types_supported: [],
    token_endpoint_auth_methods_supported: ['none', 'private_key_jwt'],
    token_endpoint_auth_signing_alg_values_supported: ['ES256', 'EdDSA'],
    revocation_endpoint_auth_methods_supported: ['none'],
    dpop_signing_alg_values_supported: ['ES256'],
    rhizome_login_issuers: offers.map(offerOf),
  };
}

function offerOf({ name, issuer, profile, audience, login }: LoginOffer): object {
  const { clientId, scopes, hasOpaqueAccessTokens } = login ?? {};
  return {
    ...{ name, issuer, profile, audience },
    client_id: clientId,
    scope: scopes?.join(' '),
    subject_token_type: tokenType(hasOpaqueAccessTokens === true ? 'id_token' : 'access_token'),
  };
}

/** Identifies the API as a resource. */
export function resourceOf(issuer: string): string {
  return new URL('/graphql', issuer).href;
}

/** Metadata of the API. */
export function protectedResource(issuer: string): object {
  return {
    resource: resourceOf(issuer),
    authorization_servers: [issuer],
    jwks_uri: new URL(paths.jwks, issuer).href,
    bearer_methods_supported: ['header'],
    dpop_signing_alg_values_supported: ['ES256'],
  };
}
