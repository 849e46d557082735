/** The file with a pilot's enrolment: its key, which no other user may read, and where it is enrolled. */
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type ClientCertificate, openProofKey, type ProofJwk, type ProofKey } from '@rhizome/client';
import { DomainError, isDomainError } from '@rhizome/errors';
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
  key: jwk.nullable(),
  certificate: z.strictObject({ certFile: z.string().min(1), keyFile: z.string().min(1) }).nullish(),
});

/** Files of a client certificate and of its private key, in PEM. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** The holder of an enrolment: either a key or a client certificate. */
export interface Holder {
  readonly key: ProofKey | null;
  readonly certificate: ClientCertificate | null;
}

/** An enrolment, or a key that waits for one. */
export interface Credential extends Holder {
  readonly url: string;
  readonly queue: string;
  /** Null before the gateway has answered. */
  readonly enrolmentId: string | null;
  /** Null for an enrolment by a key. */
  readonly certificateFiles: CertificateFiles | null;
}

/** Reads the file. @throws DomainError CONFIG_INVALID */
export function readCredential(path: string): Credential {
  assertPrivate(path);
  try {
    const { key, certificate, ...rest } = schema.parse(JSON.parse(readFileSync(path, 'utf8')));
    if ((key === null) === (certificate == null))
      throw new TypeError('it has neither a key nor a certificate');
    return {
      ...rest,
      key: key && openProofKey(key satisfies ProofJwk),
      ...certificateOf(certificate ?? null),
    };
  } catch (error) {
    if (isDomainError(error)) throw error;
    throw unusable(path, 'its content is no enrolment', error);
  }
}

function assertPrivate(path: string): void {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode;
  if (mode === undefined) throw unusable(path, 'it does not exist; make it by "rhizome-pilot enrol"');
  if ((mode & 0o077) === 0) return;
  const shown = (mode & 0o777).toString(8).padStart(4, '0');
  throw unusable(path, `its mode is ${shown}; others must not read it, so make it 0600`);
}

/** Reads the files of a certificate. @throws DomainError CONFIG_INVALID */
export function certificateOf(
  files: CertificateFiles | null,
): Pick<Credential, 'certificate' | 'certificateFiles'> {
  if (files === null) return { certificate: null, certificateFiles: null };
  assertPrivate(files.keyFile);
  const certificate = {
    cert: readFileSync(files.certFile, 'utf8'),
    key: readFileSync(files.keyFile, 'utf8'),
  };
  return { certificate, certificateFiles: files };
}

/** Writes the file, for its owner alone. */
export function writeCredential(path: string, credential: Credential): void {
  const { url, queue, enrolmentId, key, certificateFiles: certificate } = credential;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const stored = { url, queue, enrolmentId, key: key?.export() ?? null, certificate };
  const text = `${JSON.stringify(stored, null, 2)}\n`;
  writeFileSync(path, text, { mode: 0o600 });
  chmodSync(path, 0o600);
}

function unusable(path: string, why: string, cause?: unknown): DomainError {
  const text = `Credential file ${path} cannot be used: ${why}`;
  return new DomainError('CONFIG_INVALID', text, { field: 'credentialFile', value: path }, { cause });
}
