/** The file with a pilot's enrolment: its key, which no other user may read, and where it is enrolled. */
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { openProofKey, type ProofJwk, type ProofKey } from '@rhizome/client';
import { DomainError } from '@rhizome/errors';
import { z } from 'zod';

const jwk = z.strictObject({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.string(),
  y: z.string(),
  d: z.string(),
});
const schema = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  queue: z.string().min(1),
  enrolmentId: z.string().min(1).nullable(),
  key: jwk,
});

/** An enrolment, or a key that waits for one. */
export interface Credential {
  readonly url: string;
  readonly queue: string;
  /** Null before the gateway has answered. */
  readonly enrolmentId: string | null;
  readonly key: ProofKey;
}

/** Reads the file. @throws DomainError CONFIG_INVALID */
export function readCredential(path: string): Credential {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode;
  if (mode === undefined) throw unusable(path, 'it does not exist; make it by "rhizome-pilot enrol"');
  if ((mode & 0o077) !== 0) {
    const shown = (mode & 0o777).toString(8).padStart(4, '0');
    throw unusable(path, `its mode is ${shown}; others must not read it, so make it 0600`);
  }
  try {
    const { key, ...rest } = schema.parse(JSON.parse(readFileSync(path, 'utf8')));
    return { ...rest, key: openProofKey(key satisfies ProofJwk) };
  } catch (error) {
    throw unusable(path, 'its content is no enrolment', error);
  }
}

/** Writes the file, for its owner alone. */
export function writeCredential(path: string, { url, queue, enrolmentId, key }: Credential): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const text = `${JSON.stringify({ url, queue, enrolmentId, key: key.export() }, null, 2)}\n`;
  writeFileSync(path, text, { mode: 0o600 });
  chmodSync(path, 0o600);
}

function unusable(path: string, why: string, cause?: unknown): DomainError {
  const text = `Credential file ${path} cannot be used: ${why}`;
  return new DomainError('CONFIG_INVALID', text, { field: 'credentialFile', value: path }, { cause });
}
