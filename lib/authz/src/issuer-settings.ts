/** Issuers whose tokens a process accepts, as configured. */
import { readFileSync, statSync } from 'node:fs';
import { DomainError } from '@rhizome/errors';
import type { JSONWebKeySet } from 'jose';
import { z } from 'zod';
import { roles } from './actions.js';
import { createCallVerifier, gatewayIssuer } from './call-tokens.js';
import { type IssuerConstraints, maxToleranceSeconds } from './issuer-constraints.js';
import type { TrustedIssuer } from './keys.js';
import { tokenKinds } from './token-kinds.js';
import type { Verifier } from './verifier.js';

const alias = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,31}$/)
  .refine((name) => !['pilot', 'worker', 'experiment'].includes(name), { message: 'is reserved' });

/** One issuer in a configuration: its name, its keys, and what it may assert. */
export const issuerSettings = z
  .strictObject({
    issuer: z.string().min(1),
    /** Address where its keys are published. */
    jwksUri: z.url().optional(),
    /** Or a file that holds them. */
    jwksFile: z.string().min(1).optional(),
    /** Permits plain `http:` to another host. */
    insecureTransport: z.boolean().optional(),
    /** Prefix of its subjects; each issuer but one needs one. */
    alias: alias.optional(),
    kinds: z.array(z.enum(tokenKinds)).min(1).optional(),
    roles: z.array(z.enum(roles)).min(1).optional(),
    /** Names of experiments, or `*`. */
    experiments: z.union([z.literal('*'), z.array(z.string().min(1)).min(1)]).optional(),
    audiences: z.array(z.string().min(1)).min(1).optional(),
    maxLifetimeSeconds: z
      .number()
      .int()
      .min(1)
      .max(31 * 86_400)
      .optional(),
    toleranceSeconds: z.number().int().min(0).max(maxToleranceSeconds).optional(),
    untyped: z.boolean().optional(),
  })
  .refine(({ jwksUri, jwksFile }) => (jwksUri === undefined) !== (jwksFile === undefined), {
    message: 'expected either jwksUri or jwksFile in addition to the issuer',
  });

/** One issuer as it was configured. */
export interface IssuerSettings extends IssuerConstraints {
  readonly issuer: string;
  readonly jwksUri?: string | undefined;
  readonly jwksFile?: string | undefined;
  readonly insecureTransport?: boolean | undefined;
}

/** Keys of the gateway in the configuration of a subgraph: an address, or a file. */
export const gatewayKeySettings = z
  .strictObject({
    /** The `iss` of the gateway's call tokens. */
    issuer: z.string().min(1).default(gatewayIssuer),
    /** Address where the gateway publishes its keys. */
    jwksUri: z.url().optional(),
    /** Or a file that holds them. */
    jwksFile: z.string().min(1).optional(),
    /** Permits plain `http:` to another host. */
    insecureTransport: z.boolean().default(false),
  })
  .refine(({ jwksUri, jwksFile }) => jwksUri === undefined || jwksFile === undefined, {
    message: 'expected either jwksUri or jwksFile',
  });

/** Keys of the gateway as they are configured. */
export type GatewayKeySettings = Readonly<z.output<typeof gatewayKeySettings>>;

/**
 * The verifier of a subgraph's process.
 *
 * @param subgraph name of the subgraph
 * @param defaultUri address of the keys if none is configured
 * @throws DomainError CONFIG_INVALID without keys, or for a file of keys that cannot be read
 */
export function callVerifierOf(
  subgraph: string,
  { issuer, jwksUri, jwksFile, insecureTransport }: GatewayKeySettings,
  defaultUri?: string,
): Verifier {
  const jwks = jwksFile === undefined ? {} : { jwks: followKeys(issuer, jwksFile) };
  const uri = jwksFile === undefined ? (jwksUri ?? defaultUri) : undefined;
  return createCallVerifier({
    subgraph,
    issuer,
    insecureTransport,
    ...jwks,
    ...(uri === undefined ? {} : { jwksUri: uri }),
  });
}

/** Interval at which a key file is checked for changes, in milliseconds. */
const lookMs = 1000;

/**
 * The issuers with their keys. A file of keys is read again when it changed; while it cannot be read, the
 * keys stay.
 *
 * @throws DomainError CONFIG_INVALID for a file of keys that cannot be read
 */
export function trustedIssuers(settings: readonly IssuerSettings[]): TrustedIssuer[] {
  return settings.map(({ jwksUri, jwksFile, ...record }) => ({
    ...record,
    ...(jwksFile === undefined ? {} : { jwks: followKeys(record.issuer, jwksFile) }),
    ...(jwksUri === undefined ? {} : { jwksUri }),
  }));
}

function followKeys(issuer: string, file: string): () => JSONWebKeySet {
  let stamp = stampOf(file);
  let keys = readKeys(issuer, file);
  let lookAt = performance.now() + lookMs;
  return () => {
    if (performance.now() < lookAt) return keys;
    lookAt = performance.now() + lookMs;
    const now = stampOf(file);
    if (now === undefined || now === stamp) return keys;
    try {
      keys = readKeys(issuer, file);
      stamp = now;
    } catch {
      // The file is being written, or broken: the next check reads it again.
    }
    return keys;
  };
}

/** Equal for a file that did not change; undefined where there is none. */
function stampOf(file: string): string | undefined {
  const found = statSync(file, { throwIfNoEntry: false, bigint: true });
  return found && `${found.ino} ${found.size} ${found.mtimeNs}`;
}

function readKeys(issuer: string, file: string): JSONWebKeySet {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as JSONWebKeySet;
  } catch (cause) {
    const text = `issuers: the keys of "${issuer}" cannot be read from ${file}; expected a JSON Web Key Set`;
    throw new DomainError('CONFIG_INVALID', text, { field: 'issuers', value: file }, { cause });
  }
}
