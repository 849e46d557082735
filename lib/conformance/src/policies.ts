import { createLocalJWKSet, exportJWK, generateKeyPair, jwtVerify, SignJWT, UnsecuredJWT } from 'jose';
import { type Answer, type EndpointClient, codesOf, errorText } from './endpoint-client.js';
import { queryEntities } from './entities.js';
import type { RootField, ServedSchema } from './served-schema.js';
import { firstMessageOverSocket } from './streams.js';
import { CheckFailed, type Check, CheckSkipped } from './types.js';

const denials = ['UNAUTHENTICATED', 'FORBIDDEN', 'TOKEN_EXPIRED', 'TOKEN_INVALID'];

/** Nobody comes in without a token, with a forged one, or with one that permits nothing here. */
export function policyChecks(endpoint: EndpointClient, served: () => ServedSchema): readonly Check[] {
  return [
    knocking('without a token', endpoint, async () => null),
    knocking('with text that is not a token', endpoint, async () => 'junk'),
    knocking('with the token’s claims under another key', endpoint, async () =>
      forged(await endpoint.token()),
    ),
    knocking('with the token’s claims and no signature', endpoint, async () =>
      unsigned(await endpoint.token()),
    ),
    ...Object.entries(endpoint.contract.refused ?? {}).map(([who, token]) =>
      refusedEverywhere(who, token, endpoint, served),
    ),
    ...(endpoint.contract.refused
      ? []
      : [
          {
            part: 'policies' as const,
            promise: 'a foreign principal is rejected by each root field',
            run: (): Promise<string> =>
              Promise.reject(new CheckSkipped('needs a valid token without permissions here')),
          },
        ]),
  ];
}

function knocking(how: string, endpoint: EndpointClient, token: () => Promise<string | null>): Check {
  return {
    part: 'policies',
    promise: `no access ${how}`,
    run: async () => {
      const answer = await endpoint.execute(
        { query: '{ __typename _service { sdl } }' },
        { token: await token() },
      );
      if (isDenied(answer) && !answer.json?.data)
        return `${answer.status} ${codesOf(answer.json).join(' ')}`.trim();
      throw new CheckFailed(
        `${answer.status}: ${errorText(answer.json, answer.text)}`,
        'verify signature, issuer, audience and time of the bearer token of each request; return 401 with the code UNAUTHENTICATED',
      );
    },
  };
}

function refusedEverywhere(
  who: string,
  token: string,
  endpoint: EndpointClient,
  served: () => ServedSchema,
): Check {
  return {
    part: 'policies',
    promise: `${who} is rejected by each root field`,
    run: async () => {
      const { roots } = served();
      const called = await endpoint.token(token);
      const open: string[] = [];
      for (const root of roots)
        if (!(await isRefused(root, called, endpoint))) open.push(`${root.operation} ${root.name}`);
      for (const [type, entity] of Object.entries(endpoint.contract.entities ?? {})) {
        const { json } = await queryEntities(endpoint, type, entity, entity.representations.slice(0, 1), {
          token: called,
        });
        if (showsSomething(json?.data?.['_entities'])) open.push(`entity ${type}`);
      }
      if (open.length === 0)
        return `${roots.length} root fields and ${Object.keys(endpoint.contract.entities ?? {}).length} entities`;
      throw new CheckFailed(
        `accepted by ${open.join(', ')}`,
        'give each root field and each entity a policy: FORBIDDEN for callers without a role here',
      );
    },
  };
}

async function isRefused(root: RootField, token: string, endpoint: EndpointClient): Promise<boolean> {
  const timeoutMs = endpoint.contract.timeoutMs ?? 10_000;
  const answer =
    root.operation === 'subscription'
      ? {
          status: 200,
          json: await firstMessageOverSocket(endpoint.contract.url, token, root.query, timeoutMs),
        }
      : await endpoint.execute({ query: root.query }, { token });
  if (answer.status === 401 || answer.status === 403) return true;
  const data = answer.json?.data;
  const withheld = data === null || data === undefined || Object.values(data).every((one) => one === null);
  return withheld && codesOf(answer.json).some((code) => denials.includes(code));
}

/** Returns true if the entity has anything but its type name and nulls. */
function showsSomething(entities: unknown): boolean {
  if (!Array.isArray(entities)) return false;
  const shows = (value: unknown): boolean =>
    typeof value === 'object' && value !== null
      ? Object.entries(value).some(([key, one]) => key !== '__typename' && shows(one))
      : value !== null && value !== undefined;
  return entities.some(shows);
}

function isDenied({ status, json }: Answer): boolean {
  return status === 401 || status === 403 || codesOf(json).some((code) => denials.includes(code));
}

/** The same claims, signed by an untrusted key. */
async function forged(token: string): Promise<string> {
  const { header, claims } = readToken(token);
  const algorithm = typeof header['alg'] === 'string' ? header['alg'] : 'ES256';
  const { privateKey, publicKey } = await generateKeyPair(algorithm);
  const made = await new SignJWT(claims).setProtectedHeader({ ...header, alg: algorithm }).sign(privateKey);
  // A forged token that would not verify under its own key would prove nothing.
  await jwtVerify(made, createLocalJWKSet({ keys: [{ ...(await exportJWK(publicKey)), ...keyId(header) }] }));
  return made;
}

function keyId(header: Readonly<Record<string, unknown>>): { kid?: string } {
  return typeof header['kid'] === 'string' ? { kid: header['kid'] } : {};
}

async function unsigned(token: string): Promise<string> {
  return new UnsecuredJWT(readToken(token).claims).encode();
}

function readToken(token: string): {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Record<string, unknown>;
} {
  const [header, claims] = token
    .split('.')
    .slice(0, 2)
    .map((part) => {
      try {
        return JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as Record<string, unknown>;
      } catch {
        throw new CheckSkipped('needs a token that is a JWT, to forge one from');
      }
    });
  return { header: header ?? {}, claims: claims ?? {} };
}
