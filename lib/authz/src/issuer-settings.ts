/** Issuers whose tokens a process accepts, as configured. */
import { readFileSync, statSync } from 'node:fs';
import { DomainError } from '@rhizome/errors';
import type { JSONWebKeySet } from 'jose';
import { z } from 'zod';
import type { TrustedIssuer } from './keys.js';

/** One issuer in a configuration: its name, and where its keys are published, or a file that holds them. */
export const issuerSettings = z
  .strictObject({
    issuer: z.string().min(1),
    jwksUri: z.url().optional(),
    jwksFile: z.string().min(1).optional(),
  })
  .refine(({ jwksUri, jwksFile }) => (jwksUri === undefined) !== (jwksFile === undefined), {
    message: 'expected either jwksUri or jwksFile in addition to the issuer',
  });

/** One issuer as it was configured. */
export type IssuerSettings = Readonly<z.output<typeof issuerSettings>>;

/** Interval at which a key file is checked for changes, in milliseconds. */
const lookMs = 1000;

/**
 * The issuers with their keys. A file of keys is read again when it changed; while it cannot be read, the
 * keys stay.
 *
 * @throws DomainError CONFIG_INVALID for a file of keys that cannot be read
 */
export function trustedIssuers(settings: readonly IssuerSettings[]): TrustedIssuer[] {
  return settings.map(({ issuer, jwksUri, jwksFile }) =>
    jwksFile === undefined
      ? { issuer, ...(jwksUri === undefined ? {} : { jwksUri }) }
      : { issuer, jwks: followKeys(issuer, jwksFile) },
  );
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
